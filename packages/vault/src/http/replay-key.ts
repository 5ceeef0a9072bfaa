import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { VaultError } from '../errors.ts';
import type { ReplayKey } from '../ledger/command.ts';

const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;

/** The Idempotency-Key of a mutating request, with what was asked; undefined without one. */
export function replayKeyOf(request: FastifyRequest): ReplayKey | undefined {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !KEY_PATTERN.test(key)) {
    throw new VaultError(
      'invalid_request',
      'Idempotency-Key: must be 1 to 255 printable ASCII characters',
      { param: 'Idempotency-Key' },
    );
  }
  const asked = JSON.stringify([
    request.method,
    request.url.split('?', 1)[0],
    request.body ?? null,
  ]);
  return { key, fingerprint: hash('sha256', asked, 'base64url') };
}
