/** The most that a request can cost: what is reserved before it is sent. */
import { type Msat, maxMsat, ZERO_MSAT } from '@arbstr/shared';
import { costOf } from './cost.ts';
import type { Rates } from './rate.ts';

/** Upper bounds of one candidate's tokens, at its rates. */
export interface CeilingCandidate {
  readonly rates: Rates;
  readonly inputTokensMax: number;
  /** All choices together. */
  readonly outputTokensMax: number;
}

/**
 * The dearest of the candidates' worst cases, msat. The worst case of the prompt is at its dearer
 * rate: a cache that may miss lowers nothing, and one that costs more than a new prompt counts.
 * 0 for no candidates, because nothing is sent then.
 */
export function ceilingOf(candidates: readonly CeilingCandidate[]): Msat {
  return candidates.reduce((most, candidate) => maxMsat(most, worstCase(candidate)), ZERO_MSAT);
}

function worstCase({ rates, inputTokensMax, outputTokensMax }: CeilingCandidate): Msat {
  const cachedIsDearer = (rates.cachedInputMsatPerMtok ?? 0) > rates.inputMsatPerMtok;
  return costOf(rates, {
    inputTokens: inputTokensMax,
    cachedInputTokens: cachedIsDearer ? inputTokensMax : 0,
    outputTokens: outputTokensMax,
  });
}
