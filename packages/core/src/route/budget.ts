/** What bounds the load and the loss that failures can multiply. */
import { type Bucket, type BucketLimits, full, refilled, taken, waitMs } from './bucket.ts';

/** Second and later rounds of this process: when everything is down, they must not multiply the load. */
export interface RetryBudget {
  /** A request has begun. */
  earn(): void;
  /** False = no further round now. */
  spend(): boolean;
}

/** A quiet core may always retry; a busy one adds at most an eighth to its load. */
const RETRIES: BucketLimits = { capacity: 20, perSec: 1 };
const RETRIES_PER_REQUEST = 1 / 8;

export function createRetryBudget(nowMs: () => number): RetryBudget {
  let bucket = full(RETRIES, nowMs());
  return {
    earn() {
      const { tokens, atMs } = refilled(bucket, RETRIES, nowMs());
      bucket = { tokens: Math.min(RETRIES.capacity, tokens + RETRIES_PER_REQUEST), atMs };
    },
    spend() {
      bucket = refilled(bucket, RETRIES, nowMs());
      if (waitMs(bucket, RETRIES) > 0) return false;
      bucket = taken(bucket);
      return true;
    },
  };
}

/**
 * Failed attempts that the provider may charge for are the operator's loss, and what an agent sends
 * may be what makes them fail: each agent has a bounded number of them.
 */
export interface LossBudget {
  /** Ms until the agent may have another attempt; 0 = now. */
  waitMs(agentId: string): number;
  lose(agentId: string): void;
}

/** Sixty at once covers an outage of a provider under load; afterwards one in two seconds. */
export const LOSSES: BucketLimits = { capacity: 60, perSec: 0.5 };
/** Agents that are remembered; the ones whose bucket is full again are forgotten first. */
const AGENTS_MAX = 10_000;

export function createLossBudget(nowMs: () => number): LossBudget {
  const buckets = new Map<string, Bucket>();

  function forgetFull(now: number): void {
    for (const [agentId, bucket] of buckets) {
      if (refilled(bucket, LOSSES, now).tokens >= LOSSES.capacity) buckets.delete(agentId);
    }
    // All of them are losing: the oldest entry gives way.
    const oldest = buckets.keys().next();
    if (buckets.size >= AGENTS_MAX && !oldest.done) buckets.delete(oldest.value);
  }

  return {
    waitMs(agentId) {
      const bucket = buckets.get(agentId);
      return bucket === undefined ? 0 : waitMs(refilled(bucket, LOSSES, nowMs()), LOSSES);
    },
    lose(agentId) {
      const now = nowMs();
      if (!buckets.has(agentId) && buckets.size >= AGENTS_MAX) forgetFull(now);
      const bucket = refilled(buckets.get(agentId) ?? full(LOSSES, now), LOSSES, now);
      buckets.set(agentId, taken(bucket));
    },
  };
}
