import type { Lookups } from './lookups.ts';
import type { Report } from './report.ts';
import type { SellerReplay } from './seller-replay.ts';
import type { Totals } from './totals.ts';

/** What every part of the replay works with. */
export interface BaseDeps {
  readonly lookups: Lookups;
  readonly report: Report;
  readonly totals: Totals;
  /** Answers to keys as old as this or younger must still be stored, Unix ms. */
  readonly answersSinceMs: number;
}

export interface ReplayDeps extends BaseDeps {
  readonly sellers: SellerReplay;
}
