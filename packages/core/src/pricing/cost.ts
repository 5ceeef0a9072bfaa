/** Tokens × rates: the one place where a price becomes an amount. */
import { ceilDiv, MSAT_MAX, type Msat, msat } from '@arbstr/shared';
import type { Rates } from './rate.ts';

/** Tokens of one request. Integers from 0 to 2^53 − 1. */
export interface TokenUsage {
  /** All prompt tokens, those from the cache among them. */
  readonly inputTokens: number;
  /** Part of `inputTokens`; what exceeds it does not count. */
  readonly cachedInputTokens: number;
  /** All answer tokens, reasoning among them. */
  readonly outputTokens: number;
}

/** Rates are per so many tokens. */
const TOKENS_PER_RATE = 1_000_000;

/**
 * ⌈(uncached × input + cached × cached-input + output × output rate) ÷ 10^6⌉ + base fee, in msat:
 * exact, rounded once, up. More than MSAT_MAX is MSAT_MAX (a bill is never above its hold anyway).
 * Throws RangeError where a count is no integer; negative ones are bugs of the caller.
 */
export function costOf(rates: Rates, usage: TokenUsage): Msat {
  const cached = Math.min(usage.cachedInputTokens, usage.inputTokens);
  const uncached = usage.inputTokens - cached;
  const cachedRate = rates.cachedInputMsatPerMtok ?? rates.inputMsatPerMtok;
  const micro =
    uncached * rates.inputMsatPerMtok +
    cached * cachedRate +
    usage.outputTokens * rates.outputMsatPerMtok;
  // Rounding is monotonic: a float result below 2^53 proves that each product and sum was exact.
  if (micro <= Number.MAX_SAFE_INTEGER) {
    const rest = micro % TOKENS_PER_RATE;
    const whole = (micro - rest) / TOKENS_PER_RATE + (rest > 0 ? 1 : 0);
    return msat(Math.min(whole + rates.baseFeeMsat, MSAT_MAX));
  }
  const exact =
    BigInt(uncached) * BigInt(rates.inputMsatPerMtok) +
    BigInt(cached) * BigInt(cachedRate) +
    BigInt(usage.outputTokens) * BigInt(rates.outputMsatPerMtok);
  const cost = ceilDiv(exact, BigInt(TOKENS_PER_RATE)) + BigInt(rates.baseFeeMsat);
  return msat(cost > BigInt(MSAT_MAX) ? MSAT_MAX : cost);
}
