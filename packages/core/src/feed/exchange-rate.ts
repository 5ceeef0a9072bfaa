/**
 * What a USD costs, as sellers imply it who say the same price in both. One model of one seller may be
 * wrong, or lie to make others look cheap, so the middle of all models counts, and of several sellers
 * the middle again. Pure.
 */
import { ceilRatio } from '../pricing/decimal.ts';
import { type Feed, isKnown } from './feed.ts';

/** Sats per USD: a bitcoin at 5,000,000 USD, and at 5,000. What is outside is a mistake. */
export const SATS_PER_USD_MIN = 20;
export const SATS_PER_USD_MAX = 20_000;

/** Integer msat per USD, rounded up; null where the feed does not say both, or something absurd. */
export function impliedMsatPerUsd({ models }: Feed): number | null {
  const rates: bigint[] = [];
  for (const { price } of models) {
    if (!isKnown(price) || price.currency !== 'sat' || price.inUsd === null) continue;
    rates.push(ceilRatio(price.input, price.inUsd.input, 1000n));
  }
  const middle = upperMedian(rates.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)));
  if (middle === null) return null;
  const isSane =
    middle >= BigInt(SATS_PER_USD_MIN) * 1000n && middle <= BigInt(SATS_PER_USD_MAX) * 1000n;
  return isSane ? Number(middle) : null;
}

/** Of two, the higher: a rate that is too low sells at a loss. */
export const agreedMsatPerUsd = (rates: readonly number[]): number | null =>
  upperMedian(rates.toSorted((a, b) => a - b));

const upperMedian = <T>(sorted: readonly T[]): T | null =>
  sorted[Math.floor(sorted.length / 2)] ?? null;
