/** All that a program needs to speak to the vault: fetch, a token, and JSON. */

// The vault's answers have too many shapes for an example; its OpenAPI has them all.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Answer = any;

export type Call = (method: string, path: string, body?: object | string) => Promise<Answer>;

/**
 * A caller with one token. A change goes out with an Idempotency-Key of its own: when no answer
 * comes, sending it again with the same key can never do it twice.
 */
export function caller(vaultUrl: string, token: string): Call {
  return async (method, path, body) => {
    const answer = await fetch(vaultUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(method === 'GET' ? {} : { 'idempotency-key': crypto.randomUUID() }),
        ...(body === undefined ? {} : { 'content-type': typeOf(body) }),
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return answer.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text;
  };
}

const typeOf = (body: object | string) =>
  typeof body === 'string' ? 'text/plain' : 'application/json';

export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** The vault counts in msat, people in sats. */
export const sats = (msat: number): string => `${msat / 1000} sats`;

/** What the day was meant to show is true, or the day ends here. */
export function check(what: string, isTrue: boolean): void {
  if (!isTrue) throw new Error(`not as expected: ${what}`);
}
