/** Prices of feeds as rates: integer msat per 1M tokens, rounded up once, or why there is none. Pure. */
import { ceilTimes } from '../pricing/decimal.ts';
import type { FeedModel, FeedPrice, TokenPrices, UnknownPrice } from './feed.ts';

/**
 * What a price in a feed may be, sats per 1M tokens. The cheapest models cost some 10 and the dearest
 * 600,000, while a seller that mixes up "per token" and "per 1M tokens" is off by a million: outside
 * of these bounds it is a mistake or a trap.
 */
export const FEED_RATE_SATS_MIN = 0.1;
export const FEED_RATE_SATS_MAX = 100_000_000;
/** Sats per request. */
export const FEED_FEE_SATS_MAX = 10_000;

const MIN_MSAT = BigInt(FEED_RATE_SATS_MIN * 1000);
const MAX_MSAT = BigInt(FEED_RATE_SATS_MAX) * 1000n;
const FEE_MAX_MSAT = BigInt(FEED_FEE_SATS_MAX) * 1000n;

export interface TokenRates {
  readonly input: number;
  readonly output: number;
  readonly cachedInput: number | null;
}

export interface FeedRates extends TokenRates {
  /** msat per request. */
  readonly baseFee: number;
  readonly steps: readonly (TokenRates & { readonly fromTokens: number })[];
}

/** `msatPerUsd`: null = nobody says what a USD costs. */
export function feedRates(
  price: FeedModel['price'],
  msatPerUsd: number | null,
): FeedRates | UnknownPrice {
  if (price === null) {
    return { unknown: 'its feed has no prices: write input_rate and output_rate (0 = free)' };
  }
  if ('unknown' in price) return price;
  const unit = msatPerUnit(price.currency, msatPerUsd);
  if (unit === null) {
    return {
      unknown: 'its price is in USD, and nothing says what a USD costs: set pricing.sats_per_usd',
    };
  }
  const rates = tokenRates(price, unit);
  if ('unknown' in rates) return rates;
  const steps: FeedRates['steps'][number][] = [];
  for (const step of price.steps) {
    const stepped = tokenRates(step, unit);
    if ('unknown' in stepped) return stepped;
    steps.push({ fromTokens: step.fromTokens, ...stepped });
  }
  const fee = price.fee === null ? 0n : ceilTimes(price.fee, unit);
  if (fee > FEE_MAX_MSAT) {
    return { unknown: `its fee is above ${FEED_FEE_SATS_MAX} sats per request, which is absurd` };
  }
  return { ...rates, baseFee: Number(fee), steps };
}

function tokenRates(prices: TokenPrices, unit: bigint): TokenRates | UnknownPrice {
  const input = ceilTimes(prices.input, unit * 1_000_000n);
  const output = ceilTimes(prices.output, unit * 1_000_000n);
  for (const [rate, what] of [
    [input, 'input'],
    [output, 'output'],
  ] as const) {
    if (rate > MAX_MSAT) return absurd(`price of ${what}`, 'above', FEED_RATE_SATS_MAX);
    if (rate < MIN_MSAT) return absurd(`price of ${what}`, 'below', FEED_RATE_SATS_MIN);
  }
  return {
    input: Number(input),
    output: Number(output),
    cachedInput: cachedRate(prices, unit, input),
  };
}

const msatPerUnit = (currency: FeedPrice['currency'], msatPerUsd: number | null): bigint | null =>
  currency === 'sat' ? 1000n : msatPerUsd === null ? null : BigInt(msatPerUsd);

/** One that is dearer than a new prompt is a mistake of the feed: the input's is right then. */
function cachedRate({ cachedInput }: TokenPrices, unit: bigint, input: bigint): number | null {
  if (cachedInput === null) return null;
  const rate = ceilTimes(cachedInput, unit * 1_000_000n);
  return rate > input ? null : Number(rate);
}

const absurd = (what: string, side: 'above' | 'below', bound: number): UnknownPrice => ({
  unknown: `its ${what} is ${side} ${bound} sats per 1M tokens, which is absurd`,
});
