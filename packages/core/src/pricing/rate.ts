import type { Msat } from '@arbstr/shared';

/** What one model costs at one provider. Integers only; tokens are LLM tokens. */
export interface Rates {
  readonly inputMsatPerMtok: number;
  readonly outputMsatPerMtok: number;
  /** Rate of prompt tokens that the provider read from its cache; null = the input rate. */
  readonly cachedInputMsatPerMtok: number | null;
  /** Per request, added after the one rounding. */
  readonly baseFeeMsat: Msat;
}
