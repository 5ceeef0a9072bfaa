/**
 * Requests that must not be billed twice: those with an Idempotency-Key, and those that an SDK sends
 * again by itself because it had stopped waiting.
 *
 *   take ─▶ mine      run it; what was billed is kept under the claim before the caller sees its end
 *        ─▶ replayed  the answer of the first time
 *        ─▶ refused   another body, still running, or an answer that is not kept
 *
 * A claim of this process is in memory while it runs; a billed one is a row for KEY_KEPT_MS. What no
 * row tells (another core's, or a crashed one's), the vault does: `reserve/claimed.ts`.
 */
import { createHash } from 'node:crypto';
import type { Msat } from '@arbstr/shared';
import type { Refusal } from '../errors.ts';
import type { ClaimRow, ClaimStore, KeptAnswer } from '../ports.ts';
import { badKey, notKept, otherBody, stillRunning } from './refusals.ts';

export interface ClaimOrder {
  /** Whose key it is: an agent's id, or the role of a caller in free mode. */
  readonly owner: string;
  /** Null = none was sent. */
  readonly key: string | null;
  /** How often an SDK has sent this request before; null where no SDK says so. */
  readonly sdkRetry: number | null;
  /** Where `body` was sent to: the same body means something else elsewhere. */
  readonly route: string;
  readonly body: Buffer;
  readonly streaming: boolean;
  readonly clientGone: AbortSignal;
}

/** What of a billed request is kept. */
export interface Billed {
  readonly costMsat: Msat;
  readonly provider: string;
  readonly model: string;
  readonly tier: string;
  /** Null where it was streamed, or nobody answered. */
  readonly answer: { readonly bytes: Buffer; readonly contentType: string | null } | null;
}

export interface Claim {
  /** The caller's key, which names the reservation; null = none. */
  readonly key: string | null;
  /** Resolves when what is kept survives the death of this process; at once where nothing is. */
  keep(billed: Billed): Promise<void>;
  /** The request has ended, billed or not: whoever comes now finds the row, or may try again. */
  end(): void;
}

export type Claimed =
  | { readonly kind: 'mine'; readonly claim: Claim }
  | { readonly kind: 'replayed'; readonly answer: KeptAnswer }
  | Refusal;

export interface Claims {
  take(order: ClaimOrder): Promise<Claimed>;
}

/** At least so long a key protects. */
export const KEY_KEPT_MS = 24 * 3_600_000;
/** For the retry of an SDK, which follows its time-out within seconds. */
const SDK_RETRY_KEPT_MS = 600_000;
/** Bytes; a larger answer is not kept, and its replay says so. */
const KEPT_ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const KEY_PATTERN = /^[\x21-\x7e]{1,255}$/;

interface Run {
  readonly bodyHash: string;
  readonly clientGone: AbortSignal;
  readonly ended: Promise<void>;
}

const UNCLAIMED: Claim = { key: null, keep: () => Promise.resolve(), end() {} };

export function createClaims(store: ClaimStore, nowMs: () => number): Claims {
  const running = new Map<string, Set<Run>>();

  const runsOf = (order: ClaimOrder, name: string): ReadonlySet<Run> =>
    running.get(slotOf(order, name)) ?? NO_RUNS;

  function start(order: ClaimOrder, name: string, bodyHash: string): Claim {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const run: Run = { bodyHash, clientGone: order.clientGone, ended };
    const slot = slotOf(order, name);
    const runs = (running.get(slot) ?? new Set()).add(run);
    running.set(slot, runs);
    return {
      key: order.key,
      async keep(billed) {
        const write = () => store.keep(rowOf(order, name, bodyHash, billed, nowMs()));
        // Without a key only an answer that nobody took is asked for again; its caller may leave
        // while it is on the way.
        if (order.key !== null || order.clientGone.aborted) await write();
        else if (billed.answer !== null) order.clientGone.addEventListener('abort', write);
      },
      end() {
        runs.delete(run);
        if (runs.size === 0) running.delete(slot);
        end();
      },
    };
  }

  async function takeKeyed(order: ClaimOrder, name: string, bodyHash: string): Promise<Claimed> {
    for (;;) {
      const [run] = runsOf(order, name);
      if (run === undefined) break;
      if (run.bodyHash !== bodyHash) return otherBody();
      // An SDK that stopped waiting asks again: it gets what its first try still earns.
      if (!isSdkRetry(order) || !run.clientGone.aborted) return stillRunning();
      if ((await endOf(run, order)) === 'caller_left') return stillRunning();
    }
    const row = store.find(order.owner, name, nowMs());
    if (row === undefined) return { kind: 'mine', claim: start(order, name, bodyHash) };
    if (row.bodyHash !== bodyHash) return otherBody();
    if (row.answer === null) return notKept(row.costMsat);
    return { kind: 'replayed', answer: row.answer };
  }

  async function takeSdk(order: ClaimOrder, name: string, bodyHash: string): Promise<Claimed> {
    while (isSdkRetry(order)) {
      const row = store.find(order.owner, name, nowMs());
      if (row?.answer) return { kind: 'replayed', answer: row.answer };
      const run = [...runsOf(order, name)].find(({ clientGone }) => clientGone.aborted);
      if (run === undefined || (await endOf(run, order)) === 'caller_left') break;
    }
    return { kind: 'mine', claim: start(order, name, bodyHash) };
  }

  return {
    async take(order) {
      const { key, sdkRetry, streaming } = order;
      if (key === null && (sdkRetry === null || streaming)) {
        return { kind: 'mine', claim: UNCLAIMED };
      }
      if (key !== null && !KEY_PATTERN.test(key)) return badKey();
      const bodyHash = hashOf(order);
      if (key !== null) return takeKeyed(order, `key:${key}`, bodyHash);
      return takeSdk(order, `body:${bodyHash}`, bodyHash);
    },
  };
}

const NO_RUNS: ReadonlySet<Run> = new Set();

const slotOf = ({ owner }: ClaimOrder, name: string): string => `${owner} ${name}`;

const isSdkRetry = ({ sdkRetry }: ClaimOrder): boolean => sdkRetry !== null && sdkRetry > 0;

function hashOf({ route, body }: ClaimOrder): string {
  return createHash('sha256').update(`${route}\n`).update(body).digest('base64url');
}

function rowOf(
  order: ClaimOrder,
  name: string,
  bodyHash: string,
  { answer, costMsat, ...facts }: Billed,
  atMs: number,
): ClaimRow {
  const fits = answer !== null && answer.bytes.length <= KEPT_ANSWER_BYTES_MAX;
  return {
    owner: order.owner,
    name,
    bodyHash,
    costMsat,
    answer: fits ? { ...answer, ...facts, costMsat } : null,
    createdAtMs: atMs,
    expiresAtMs: atMs + (order.key === null ? SDK_RETRY_KEPT_MS : KEY_KEPT_MS),
  };
}

/** Waits for another run's end, as long as this caller waits. */
async function endOf(run: Run, { clientGone }: ClaimOrder): Promise<'ended' | 'caller_left'> {
  if (clientGone.aborted) return 'caller_left';
  const { promise: left, resolve } = Promise.withResolvers<'caller_left'>();
  const onLeft = (): void => resolve('caller_left');
  clientGone.addEventListener('abort', onLeft, { once: true });
  try {
    return await Promise.race([run.ended.then(() => 'ended' as const), left]);
  } finally {
    clientGone.removeEventListener('abort', onLeft);
  }
}
