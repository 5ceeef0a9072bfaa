/** Tokens × rates: the one place where a price becomes an amount. */
import { ceilDiv, MSAT_MAX, type Msat, msat } from '@arbstr/shared';
import type { Rates } from './rate.ts';

/** Tokens of one request: integers ≥ 0, which as bounds (`max_tokens` × `n`) may exceed 2^53. */
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
 * Throws RangeError for a count that is none, because that is a bug and not a price.
 */
export function costOf(rates: Rates, usage: TokenUsage): Msat {
  assertCounts(usage);
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

function assertCounts({ inputTokens, cachedInputTokens, outputTokens }: TokenUsage): void {
  for (const count of [inputTokens, cachedInputTokens, outputTokens]) {
    if (!Number.isInteger(count) || count < 0) {
      throw new RangeError(`not a number of tokens (integer, not negative): ${String(count)}`);
    }
  }
}
