/** The operator's commands speak to a running vault, as anybody else does. */
import { readFileSync } from 'node:fs';
import { StartError } from '../errors.ts';

const REQUEST_MAX_MS = 10_000;
const PAGE = 100;

export interface OperatorClient {
  call<T>(method: string, path: string, body?: object): Promise<T>;
}

export function createOperatorClient(environment: NodeJS.ProcessEnv): OperatorClient {
  const base = environment.VAULT_URL ?? 'http://127.0.0.1:3010';
  const file = environment.VAULT_ADMIN_TOKEN_FILE;
  const token = file ? readFileSync(file, 'utf8').trim() : environment.VAULT_ADMIN_TOKEN;
  if (!token) throw new StartError('VAULT_ADMIN_TOKEN is not set');
  return {
    async call<T>(method: string, path: string, body?: object): Promise<T> {
      const answer = await send(new URL(path, base), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
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

/** All pages of a list; `path` may have a query. */
export async function listAll<T>(
  client: OperatorClient,
  path: string,
  plural: string,
): Promise<T[]> {
  const rows: T[] = [];
  const first = `${path}${path.includes('?') ? '&' : '?'}limit=${PAGE}`;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Record<string, T[]> & { next_cursor: string | null } = await client.call(
      'GET',
      cursor === '' ? first : `${first}&cursor=${cursor}`,
    );
    rows.push(...page[plural]!);
    cursor = page.next_cursor;
  }
  return rows;
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
