/** Rates and usage of every size, for property tests. */
import fc from 'fast-check';
import { msatFromSats, type Rates, rateFromSats } from '../../src/pricing/rate.ts';
import type { DecimalRates, OracleUsage } from './oracle.ts';

/** Decimal sats with up to three decimals: zero, below one, usual, and up to the limit. */
const decimalSats = (wholeMax: bigint) =>
  fc
    .tuple(
      fc.oneof(
        fc.constant(0n),
        fc.bigInt(0n, 20n),
        fc.bigInt(0n, 100_000n),
        fc.bigInt(0n, wholeMax - 1n),
      ),
      fc.oneof(
        fc.constant(''),
        fc.integer({ min: 0, max: 999 }).map((n) => `.${String(n).padStart(3, '0')}`),
        fc.constantFrom('.1', '.5', '.25', '.001', '.999'),
      ),
    )
    .map(([whole, decimals]) => `${whole}${decimals}`);

const rate = decimalSats(1_000_000_000_000n);

export const decimalRates: fc.Arbitrary<DecimalRates> = fc.record({
  input: rate,
  output: rate,
  cachedInput: fc.option(rate),
  baseFee: decimalSats(1_000_000_000n),
});

const tokens = fc.oneof(
  fc.bigInt(0n, 3n),
  fc.bigInt(0n, 5_000n),
  fc.bigInt(0n, 10_000_000n),
  fc.bigInt(0n, 9007199254740991n),
  fc.constant(9007199254740991n),
);

export const usages: fc.Arbitrary<OracleUsage> = fc.record({
  input: tokens,
  cached: tokens,
  output: tokens,
});

export const markups = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 100_000 }),
  fc.constantFrom(1, 999_999, 1_000_000, 7_000_000),
);

/** The rates as the product takes them from a configuration file. */
export const ratesOf = (decimal: DecimalRates): Rates => ({
  inputMsatPerMtok: rateFromSats(Number(decimal.input)),
  outputMsatPerMtok: rateFromSats(Number(decimal.output)),
  cachedInputMsatPerMtok:
    decimal.cachedInput === null ? null : rateFromSats(Number(decimal.cachedInput)),
  baseFeeMsat: msatFromSats(Number(decimal.baseFee)),
});

/** Rates in sats per 1M tokens, and a base fee in sats. */
export const rates = (
  input: number,
  output: number,
  { cached = null, baseFee = 0 }: { cached?: number | null; baseFee?: number } = {},
): Rates => ({
  inputMsatPerMtok: rateFromSats(input),
  outputMsatPerMtok: rateFromSats(output),
  cachedInputMsatPerMtok: cached === null ? null : rateFromSats(cached),
  baseFeeMsat: msatFromSats(baseFee),
});
