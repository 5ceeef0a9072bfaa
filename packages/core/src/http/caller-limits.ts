/** What one caller may ask for at once, and per second. Memory is bounded; nobody waits. */
import { type Refusal, refuse } from '../errors.ts';
import { type Bucket, full, refilled, taken, waitMs } from '../route/bucket.ts';

export interface CallerLimitsConfig {
  /** Requests per second, with bursts of one second's worth; 0 = no limit. */
  readonly rateLimitRps: number;
  readonly maxConcurrencyPerCaller: number;
}

export interface CallerLimits {
  /** Counts one request, or says why not. Each `Place` must be left exactly once. */
  enter(caller: string): Place | Refusal;
}

export interface Place {
  readonly kind: 'place';
  leave(): void;
}

/** Callers whose rate is remembered. Who is forgotten starts with a full bucket. */
const BUCKETS_MAX = 10_000;

export function createCallerLimits(
  current: () => CallerLimitsConfig,
  nowMs: () => number,
): CallerLimits {
  const buckets = new Map<string, Bucket>();
  const underWay = new Map<string, number>();

  /** Seconds until the next request may come; 0 = now, and it is counted. */
  function waitSecs(caller: string): number {
    const { rateLimitRps } = current();
    if (rateLimitRps === 0) return 0;
    const limits = { capacity: Math.max(1, rateLimitRps), perSec: rateLimitRps };
    const now = nowMs();
    const bucket = refilled(buckets.get(caller) ?? full(limits, now), limits, now);
    const wait = waitMs(bucket, limits);
    // Last used, last dropped.
    buckets.delete(caller);
    buckets.set(caller, wait === 0 ? taken(bucket) : bucket);
    if (buckets.size > BUCKETS_MAX) buckets.delete(buckets.keys().next().value!);
    return Math.ceil(wait / 1000);
  }

  return {
    enter(caller) {
      const { rateLimitRps, maxConcurrencyPerCaller } = current();
      const count = underWay.get(caller) ?? 0;
      if (count >= maxConcurrencyPerCaller) {
        return refuse(
          'rate_limited',
          `${count} requests of this caller are under way, as many as server.max_concurrency_per_caller allows. Nothing was charged. Send the next one when one has ended.`,
        );
      }
      const wait = waitSecs(caller);
      if (wait > 0) {
        return refuse(
          'rate_limited',
          `This caller sends more than ${rateLimitRps} requests per second (server.rate_limit_rps). Nothing was charged. Wait ${wait} s.`,
          { retryAfterSecs: wait },
        );
      }
      underWay.set(caller, count + 1);
      let inside = true;
      return {
        kind: 'place',
        leave() {
          if (!inside) return;
          inside = false;
          const left = underWay.get(caller)! - 1;
          if (left === 0) underWay.delete(caller);
          else underWay.set(caller, left);
        },
      };
    },
  };
}
