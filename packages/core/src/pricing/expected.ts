/** What a request will probably cost at a candidate: the number that candidates are ranked by. */
import type { Msat } from '@arbstr/shared';
import { costOf } from './cost.ts';
import type { Rates } from './rate.ts';

/** Tokens that a request will probably take. */
export interface ExpectedTokens {
  readonly inputTokens: number;
  /** Of the input, what the provider probably has in its cache; none unless given. */
  readonly cachedInputTokens?: number;
  /** All choices together. */
  readonly outputTokens: number;
}

/** Expected cost in msat. An order of candidates, never an amount that is held or billed. */
export function expectedCost(rates: Rates, expected: ExpectedTokens): Msat {
  return costOf(rates, { ...expected, cachedInputTokens: expected.cachedInputTokens ?? 0 });
}
