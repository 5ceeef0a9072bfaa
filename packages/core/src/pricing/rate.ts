/**
 * Rates: what one model costs at one provider, as integers. People write decimal sats per 1M tokens;
 * here that becomes integer msat per 1M tokens, by its decimal digits and never by a float product.
 */
import { ceilDiv, MSAT_MAX, type Msat, msat } from '@arbstr/shared';
import { ceilTimes, floorTimes, parseDecimal } from './decimal.ts';

/** What one model costs at one provider. Integers only; tokens are LLM tokens. */
export interface Rates {
  readonly inputMsatPerMtok: number;
  readonly outputMsatPerMtok: number;
  /** Rate of prompt tokens that the provider read from its cache; null = the input rate. */
  readonly cachedInputMsatPerMtok: number | null;
  /** Per request, added after the one rounding. */
  readonly baseFeeMsat: Msat;
}

/** 10^15 msat per 1M tokens is a bitcoin for a hundred tokens, with room for a ninefold markup. */
export const RATE_MSAT_PER_MTOK_MAX = 1_000_000_000_000_000;
/** 10^12 msat: ten bitcoin per request. */
export const BASE_FEE_MSAT_MAX = 1_000_000_000_000;
/** Ten times the price on top of the price. */
export const MARKUP_PPM_MAX = 10_000_000;

/** Integer msat per 1M tokens of decimal sats per 1M tokens, exact. Throws RangeError. */
export function rateFromSats(satsPerMtok: number): number {
  return milliFrom(satsPerMtok, RATE_MSAT_PER_MTOK_MAX, 'a rate in sats per 1M tokens');
}

/** Integer msat of decimal sats (a base fee), exact. Throws RangeError. */
export function msatFromSats(sats: number): Msat {
  return msat(milliFrom(sats, BASE_FEE_MSAT_MAX, 'an amount in sats'));
}

/**
 * `value` × 1,000, taken from the shortest decimal that names the number (`String(value)`, which is
 * what somebody wrote, unless with more than 17 digits). Throws RangeError where that has more than
 * three decimals, is negative, not finite, or above `max` thousandths.
 */
function milliFrom(value: number, max: number, what: string): number {
  const decimal = parseDecimal(value);
  if (decimal === null) {
    throw new RangeError(`${what} must be a number that is not negative: ${String(value)}`);
  }
  const milli = ceilTimes(decimal, 1000n);
  if (milli !== floorTimes(decimal, 1000n)) {
    throw new RangeError(
      `${what} must have at most 3 decimals, because 0.001 sat is the smallest amount: ${String(value)}`,
    );
  }
  if (milli > BigInt(max)) {
    throw new RangeError(`${what} must be at most ${max / 1000}: ${String(value)}`);
  }
  return Number(milli);
}

/**
 * The rates with the operator's margin in each of them, so that what is shown, reserved and billed is
 * one number. Each is rounded up to the next msat, by which a rate of 0 stays 0; none exceeds
 * MSAT_MAX. `markupPpm`: parts per million, an integer from 0 to MARKUP_PPM_MAX, else RangeError.
 */
export function withMarkup(rates: Rates, markupPpm: number): Rates {
  if (!Number.isInteger(markupPpm) || markupPpm < 0 || markupPpm > MARKUP_PPM_MAX) {
    throw new RangeError(
      `markup must be an integer from 0 to ${MARKUP_PPM_MAX} parts per million: ${String(markupPpm)}`,
    );
  }
  const marked = (rate: number): number => {
    const raised = ceilDiv(BigInt(rate) * BigInt(1_000_000 + markupPpm), 1_000_000n);
    return raised > BigInt(MSAT_MAX) ? MSAT_MAX : Number(raised);
  };
  return {
    inputMsatPerMtok: marked(rates.inputMsatPerMtok),
    outputMsatPerMtok: marked(rates.outputMsatPerMtok),
    cachedInputMsatPerMtok:
      rates.cachedInputMsatPerMtok === null ? null : marked(rates.cachedInputMsatPerMtok),
    baseFeeMsat: msat(marked(rates.baseFeeMsat)),
  };
}
