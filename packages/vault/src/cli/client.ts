/** The operator's commands speak to a running vault, as anybody else does. */
import { readFileSync } from 'node:fs';
import { StartError } from '../errors.ts';

const REQUEST_MAX_MS = 10_000;

export interface OperatorClient {
  /** @param key an Idempotency-Key: what is asked again under it is done once */
  call<T>(method: string, path: string, body?: object, key?: string): Promise<T>;
}

export function createOperatorClient(environment: NodeJS.ProcessEnv): OperatorClient {
  const base = environment.VAULT_URL ?? 'http://127.0.0.1:3010';
  const file = environment.VAULT_ADMIN_TOKEN_FILE;
  const token = file ? readFileSync(file, 'utf8').trim() : environment.VAULT_ADMIN_TOKEN;
  if (!token) throw new StartError('VAULT_ADMIN_TOKEN is not set');
  return {
    async call<T>(method: string, path: string, body?: object, key?: string): Promise<T> {
      const answer = await send(new URL(path, base), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(key ? { 'idempotency-key': key } : {}),
        },
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.timeout(REQUEST_MAX_MS),
      });
      const content = (await answer.json()) as { error?: { code: string; message: string } };
      if (content.error) {
        throw new StartError(`${answer.status} ${content.error.code}: ${content.error.message}`);
      }
      return content as T;
    },
  };
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    throw new StartError(
      `no vault answers at ${url.origin} (${cause?.message ?? message}): start it, or set VAULT_URL`,
    );
  }
}
