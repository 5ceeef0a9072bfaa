/** A token bucket, pure but for the clock that is passed in: so many at once, and so many per second. */
export interface BucketLimits {
  readonly capacity: number;
  readonly perSec: number;
}

export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export const full = (limits: BucketLimits, nowMs: number): Bucket => ({
  tokens: limits.capacity,
  atMs: nowMs,
});

export function refilled({ tokens, atMs }: Bucket, limits: BucketLimits, nowMs: number): Bucket {
  const earned = (Math.max(0, nowMs - atMs) / 1000) * limits.perSec;
  return { tokens: Math.min(limits.capacity, tokens + earned), atMs: nowMs };
}

/** Ms until a bucket that was just refilled has a whole token; 0 = now. */
export const waitMs = ({ tokens }: Bucket, limits: BucketLimits): number =>
  tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / limits.perSec) * 1000);

/** One token less, and never fewer than none. */
export const taken = ({ tokens, atMs }: Bucket): Bucket => ({
  tokens: Math.max(0, tokens - 1),
  atMs,
});
