/**
 * Whether providers that have failed are asked once more, which of them, and after how long. Pure:
 * the random number is passed in. Falling back to the next candidate needs none of this: it happens
 * at once, and each candidate is asked once per round.
 */
import type { Candidate } from './choose.ts';
import { FAILURES, type Failure } from './failure.ts';

export interface RetryLimits {
  /** Attempts of one request, all candidates and rounds together, ≥ 1. */
  readonly maxAttempts: number;
  /** Before the second round; doubled before each later one. 0 = there is no second round. */
  readonly backoffMs: number;
  /** The longest wait between rounds, also for a Retry-After: above it nobody waits. */
  readonly backoffMsMax: number;
}

export interface NextRound {
  readonly waitMs: number;
  readonly candidates: readonly Candidate[];
}

/**
 * The next round, or null where there is none: attempts are used up, or nobody's last failure both
 * passes by itself and is surely unbilled. `round` counts those that are over, from 1; `random` is
 * in [0, 1).
 */
export function nextRound(
  last: ReadonlyMap<Candidate, Failure>,
  attempts: number,
  round: number,
  limits: RetryLimits,
  random: number,
): NextRound | null {
  if (attempts >= limits.maxAttempts || limits.backoffMs === 0) return null;
  const again = [...last].filter(
    ([, { kind, retryAfterMs }]) =>
      FAILURES[kind].again && (retryAfterMs ?? 0) <= limits.backoffMsMax,
  );
  if (again.length === 0) return null;
  const asked = Math.min(...again.map(([, { retryAfterMs }]) => retryAfterMs ?? 0));
  return {
    waitMs: asked + backoffMs(round, limits, random),
    candidates: again.map(([candidate]) => candidate).slice(0, limits.maxAttempts - attempts),
  };
}

/** Between half and all of backoff × 2^(round − 1), capped: clients that failed together return apart. */
function backoffMs(
  round: number,
  { backoffMs, backoffMsMax }: RetryLimits,
  random: number,
): number {
  // The exponent is bounded, or a hundred rounds would make it infinite.
  const full = Math.min(backoffMs * 2 ** Math.min(round - 1, 30), backoffMsMax);
  return Math.round(full * (0.5 + random / 2));
}
