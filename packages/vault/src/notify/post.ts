/** One POST to the operator's receiver. */
import { Agent, errors } from 'undici';
import { isDelivered } from './retry.ts';
import { SIGNATURE_HEADER } from './signature.ts';

export type PostResult =
  | { readonly delivered: true }
  | { readonly delivered: false; reason: string };

export interface Post {
  /** Never rejects. */
  send(body: string, signature: string, stop: AbortSignal): Promise<PostResult>;
  close(): Promise<void>;
}

export interface PostTiming {
  readonly connectMs: number;
  /** Name, connection, request and answer together. */
  readonly totalMs: number;
}
export const POST_TIMING: PostTiming = { connectMs: 5_000, totalMs: 10_000 };

/** Read and thrown away, so that the connection can be used again; what is longer ends it. */
const ANSWER_BYTES_MAX = 16 * 1_024;
const REASON_CHARS_MAX = 200;

export function createPost(target: string, { connectMs, totalMs }: PostTiming): Post {
  const { origin, pathname, search } = new URL(target);
  const agent = new Agent({ connect: { timeout: connectMs } });
  return {
    async send(body, signature, stop) {
      const signal = AbortSignal.any([AbortSignal.timeout(totalMs), stop]);
      try {
        const { statusCode, body: answer } = await agent.request({
          origin,
          path: pathname + search,
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'user-agent': 'arbstr-vault',
            [SIGNATURE_HEADER]: signature,
          },
          body,
          signal,
        });
        // The status is the receiver's word, whatever it says besides or fails to say to the end.
        await answer.dump({ limit: ANSWER_BYTES_MAX, signal }).catch(() => {});
        if (isDelivered(statusCode)) return { delivered: true };
        return { delivered: false, reason: reasonOf(statusCode) };
      } catch (error) {
        if (stop.aborted) return { delivered: false, reason: 'the vault stopped' };
        if (signal.aborted) return { delivered: false, reason: `no answer within ${totalMs} ms` };
        return { delivered: false, reason: nameOf(error).slice(0, REASON_CHARS_MAX) };
      }
    },
    close: () => agent.destroy(),
  };
}

const reasonOf = (status: number): string =>
  status >= 300 && status <= 399 ? `${status}: redirects are not followed` : `answered ${status}`;

/** Without the URL, which may hold a secret of the receiver's. */
function nameOf(error: unknown): string {
  if (error instanceof errors.UndiciError || (error as NodeJS.ErrnoException).code !== undefined) {
    return String((error as NodeJS.ErrnoException).code);
  }
  return error instanceof Error ? error.name : 'failed';
}
