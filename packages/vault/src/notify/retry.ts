/**
 * When a failed delivery is tried again. Everything but 2xx is tried again, 404 and 410 as well: the
 * URL is the operator's own, so it is a mistake that will be mended and not a wish to hear no more.
 */

const FIRST_WAIT_MS = 1_000;
/** Seldom enough for a receiver that is down for days, often enough for one that comes back. */
const WAIT_MAX_MS = 4 * 60 * 60 * 1_000;
/** Of the wait, on top: what failed together must not come back together. */
const JITTER = 0.25;

export const isDelivered = (status: number): boolean => status >= 200 && status <= 299;

/**
 * @param tries failed ones so far, at least 1
 * @param chance 0 ≤ chance < 1
 * @returns ms: 1 s after the first, doubled with each, at most 4 h; up to a quarter more
 */
export function retryWaitMs(tries: number, chance: number): number {
  // 2^24 s is beyond the limit and far from what a number cannot hold.
  const wait = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** Math.min(tries - 1, 24));
  return Math.floor(wait * (1 + JITTER * chance));
}
