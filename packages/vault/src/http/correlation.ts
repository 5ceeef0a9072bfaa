import type { IncomingMessage } from 'node:http';
import { CORRELATION_ID_PATTERN, HEADERS } from '@arbstr/shared';
import fp from 'fastify-plugin';
import type { NewId } from '../ports.ts';

/** One id across services: the caller's where it is well formed, else a new one. */
export function requestIdSource(newId: NewId): (request: IncomingMessage) => string {
  return (request) => {
    const given = request.headers[HEADERS.requestId];
    if (typeof given === 'string' && CORRELATION_ID_PATTERN.test(given)) return given;
    return newId('request');
  };
}

export const echoRequestId = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      reply.header(HEADERS.requestId, request.id);
      done();
    });
  },
  { name: 'echo-request-id' },
);
