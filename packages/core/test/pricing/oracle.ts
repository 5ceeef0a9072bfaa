/**
 * What a bill must be, worked out another way than the product does it: from decimal strings, as
 * fractions of big integers, with a ceiling found by looking. Uses nothing of the product.
 */

export interface DecimalRates {
  /** Decimal sats per 1M tokens, at most three decimals: "8000", "0.125". */
  readonly input: string;
  readonly output: string;
  readonly cachedInput: string | null;
  /** Decimal sats per request. */
  readonly baseFee: string;
}

export interface OracleUsage {
  readonly input: bigint;
  readonly cached: bigint;
  readonly output: bigint;
}

const LARGEST = 9007199254740991n;

/** "12.5" sats → 12500n msat. */
export function msatOf(decimal: string): bigint {
  const [whole = '', decimals = ''] = decimal.split('.');
  return BigInt(whole) * 1000n + BigInt(decimals.padEnd(3, '0'));
}

/** The smallest integer that is not below n/d. */
export function roundUp(n: bigint, d: bigint): bigint {
  let quotient = n / d;
  while (quotient * d < n) quotient += 1n;
  return quotient;
}

export function smaller(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** A rate of decimal sats with a margin of so many parts in a million, in msat. */
export function withMargin(decimal: string, markupPpm: number): bigint {
  const margin = msatOf(decimal) * BigInt(markupPpm);
  return msatOf(decimal) + roundUp(margin, 1_000_000n);
}

/** Bill in msat. */
export function oracleCost(rates: DecimalRates, usage: OracleUsage, markupPpm: number): bigint {
  const cached = smaller(usage.cached, usage.input);
  const rateOf = (decimal: string): bigint => withMargin(decimal, markupPpm);
  let millionths = 0n;
  millionths += (usage.input - cached) * rateOf(rates.input);
  millionths += cached * rateOf(rates.cachedInput ?? rates.input);
  millionths += usage.output * rateOf(rates.output);
  const cost = roundUp(millionths, 1_000_000n) + rateOf(rates.baseFee);
  return smaller(cost, LARGEST);
}
