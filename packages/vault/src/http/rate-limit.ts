/**
 * Requests per agent token, as a bucket that refills at the configured rate. For agents' own
 * requests only: core's calls and the operator's are never held up, because behind core's stand
 * the requests of all agents, and the operator may be mending something.
 */

/** A burst may take this many seconds' worth at once. */
const BURST_SECS = 10;
/** Buckets kept. Only valid tokens get one; the one that was used least recently goes first. */
const BUCKETS_MAX = 10_000;

export interface RateLimit {
  /** Takes one request of this token: 0, or how many seconds to wait before the next may pass. */
  take(tokenHash: string): number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** @param rps requests per second of one token; 0 = no limit */
export function createRateLimit(rps: number, nowMs: () => number): RateLimit {
  const burst = rps * BURST_SECS;
  const buckets = new Map<string, Bucket>();
  return {
    take(tokenHash) {
      if (rps === 0) return 0;
      const now = nowMs();
      const known = buckets.get(tokenHash);
      const bucket = known ?? { tokens: burst, atMs: now };
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) * rps) / 1000);
      bucket.atMs = now;
      // Last in the map is used last.
      if (known) buckets.delete(tokenHash);
      else if (buckets.size >= BUCKETS_MAX) buckets.delete(buckets.keys().next().value!);
      buckets.set(tokenHash, bucket);
      if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / rps));
      bucket.tokens--;
      return 0;
    },
  };
}
