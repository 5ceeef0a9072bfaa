import { hash } from 'node:crypto';
import type { FastifyRequest, RouteOptions } from 'fastify';
import { z } from 'zod';
import type { ReplayKey } from '../ledger/command.ts';
import type { App } from './app-type.ts';

const replayHeaders = z.looseObject({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, { error: 'must be 1 to 255 printable ASCII characters' })
    .optional()
    .meta({
      description:
        'The same key with the same request within 24 h gets the stored answer, and nothing is done twice',
    }),
});

const MUTATING = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * Every route that changes something takes an Idempotency-Key, by being one. Not core's own: a
 * reservation's id is its key, and a stored answer could say `held` of a hold that has ended.
 */
export function takeReplayKeys(app: App): void {
  app.addHook('onRoute', (route: RouteOptions) => {
    const mutates = [route.method].flat().some((method) => MUTATING.has(method));
    if (!mutates || route.url.startsWith('/internal/')) return;
    route.schema ??= {};
    route.schema.headers = replayHeaders;
  });
}

/**
 * The request's Idempotency-Key, if it has one, and what it stands for. The key is the caller's own:
 * under another principal or on another route the same text is another key.
 */
export function replayKeyOf(request: FastifyRequest): ReplayKey | undefined {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return undefined;
  const { principal } = request;
  if (principal === null) throw new Error('an idempotency key before authentication');
  const asked = JSON.stringify([request.url.split('?', 1)[0], request.body ?? null]);
  return {
    principal,
    key: `${principal} ${request.method} ${request.routeOptions.url} ${key}`,
    fingerprint: hash('sha256', asked, 'base64url'),
  };
}
