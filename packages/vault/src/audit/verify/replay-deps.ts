import type { Lookups } from './lookups.ts';
import type { Report } from './report.ts';
import type { Totals } from './totals.ts';

export interface ReplayDeps {
  readonly lookups: Lookups;
  readonly report: Report;
  readonly totals: Totals;
  /** Answers to keys as old as this or younger must still be stored, Unix ms. */
  readonly answersSinceMs: number;
}
