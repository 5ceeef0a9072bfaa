/** The operator's commands speak to a running vault, as anybody else does. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { StartError } from '../errors.ts';

/**
 * Longer than the vault itself waits (10 s for a payment's end): who gives up before it answers
 * does not learn what became of the command.
 */
export const REQUEST_MAX_MS = 30_000;

/** No connection came about, so nothing was asked. Any other failure says nothing of the command. */
const NOT_SENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const PAGE = 100;

export interface OperatorClient {
  call<T>(method: string, path: string, body?: object): Promise<T>;
}

/** @param key under which a change is asked for, so that asking again does nothing twice */
export function createOperatorClient(
  environment: NodeJS.ProcessEnv,
  key: string = `cli-${randomUUID()}`,
  requestMaxMs = REQUEST_MAX_MS,
): OperatorClient {
  const base = environment.VAULT_URL ?? 'http://127.0.0.1:3010';
  const file = environment.VAULT_ADMIN_TOKEN_FILE;
  const token = file ? readFileSync(file, 'utf8').trim() : environment.VAULT_ADMIN_TOKEN;
  if (!token) throw new StartError('VAULT_ADMIN_TOKEN is not set');
  return {
    async call<T>(method: string, path: string, body?: object): Promise<T> {
      const replayKey = method === 'GET' ? null : key;
      const { status, content } = await send(new URL(path, base), replayKey, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(replayKey ? { 'idempotency-key': replayKey } : {}),
        },
        body: body ? JSON.stringify(body) : null,
        signal: AbortSignal.timeout(requestMaxMs),
      });
      if (content.error) {
        throw new StartError(`${status} ${content.error.code}: ${content.error.message}`);
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

interface Content {
  readonly error?: { code: string; message: string };
}

async function send(
  url: URL,
  replayKey: string | null,
  init: RequestInit,
): Promise<{ status: number; content: Content }> {
  try {
    const answer = await fetch(url, init);
    const content = (await answer.json()) as Content;
    // JSON of something between: taken for the vault's word, it would pass for "done".
    if (!answer.ok && !content?.error?.code) throw new Error(`answered ${answer.status}`);
    return { status: answer.status, content };
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error & { code?: string } };
    const reason = cause?.message || cause?.code || message;
    if (NOT_SENT.has(cause?.code)) {
      throw new StartError(
        `no vault answers at ${url.origin} (${reason}): start it, or set VAULT_URL`,
      );
    }
    const next = replayKey
      ? `the command may have been done; run it again with --idempotency-key ${replayKey}, which does nothing twice`
      : 'nothing was changed; ask again';
    throw new StartError(`no answer of the vault at ${url.origin} (${reason}): ${next}`);
  }
}
