/**
 * May this agent spend this amount now? Pure; evaluated inside the transaction that holds the
 * money. An agent without a policy may do nothing; once it has one, an absent limit is none.
 */
import type { Msat } from '@arbstr/shared';

export interface PolicyVersion {
  readonly id: string;
  readonly version: number;
  readonly maxTransactionMsat: Msat | null;
  /** Over the last 24 h: charges, and holds whatever their age. */
  readonly dailyLimitMsat: Msat | null;
  readonly effectiveFrom: number;
}

export type PolicyRule = 'no_policy' | 'max_transaction_msat' | 'daily_limit_msat';

export interface Denial {
  readonly rule: PolicyRule;
  readonly limit: Msat | null;
}

/** The limits in force after a merge (PATCH) of what was named; absent keeps, null lifts. */
export interface PolicyChange {
  readonly maxTransactionMsat?: Msat | null | undefined;
  readonly dailyLimitMsat?: Msat | null | undefined;
}

/** The first rule that forbids `amount`, or null. `spent` and `held` in msat, without `amount`. */
export function denialOf(
  policy: PolicyVersion | null,
  amount: Msat,
  spent: number,
  held: number,
): Denial | null {
  if (policy === null) return { rule: 'no_policy', limit: null };
  const { maxTransactionMsat, dailyLimitMsat } = policy;
  if (maxTransactionMsat !== null && amount > maxTransactionMsat) {
    return { rule: 'max_transaction_msat', limit: maxTransactionMsat };
  }
  // Three safe integers: their sum may leave the exact range only far above any limit.
  if (dailyLimitMsat !== null && spent + held + amount > dailyLimitMsat) {
    return { rule: 'daily_limit_msat', limit: dailyLimitMsat };
  }
  return null;
}

export function mergedPolicy(
  current: PolicyVersion | null,
  change: PolicyChange,
): Pick<PolicyVersion, 'maxTransactionMsat' | 'dailyLimitMsat'> {
  const keep = (named: Msat | null | undefined, before: Msat | null | undefined) =>
    named === undefined ? (before ?? null) : named;
  return {
    maxTransactionMsat: keep(change.maxTransactionMsat, current?.maxTransactionMsat),
    dailyLimitMsat: keep(change.dailyLimitMsat, current?.dailyLimitMsat),
  };
}
