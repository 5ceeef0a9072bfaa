import { isUtf8 } from 'node:buffer';
import fp from 'fastify-plugin';
import { VaultError } from '../errors.ts';

/**
 * Bodies are JSON in UTF-8 or refused. Fastify's own parser would replace bytes that are not
 * UTF-8 and so store another text than the one that was sent.
 */
export const jsonBody = fp(
  async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      'application/json',
      { parseAs: 'buffer' },
      (_request, body: Buffer, done) => {
        // No body: the route's schema says whether that is right.
        if (body.length === 0) return done(null, undefined);
        if (!isUtf8(body)) {
          return done(new VaultError('invalid_json', 'the body is not valid UTF-8'));
        }
        let value: unknown;
        try {
          value = JSON.parse(body.toString());
        } catch (error) {
          return done(
            new VaultError('invalid_json', `the body is not JSON: ${(error as Error).message}`),
          );
        }
        done(null, value);
      },
    );
  },
  { name: 'json-body' },
);
