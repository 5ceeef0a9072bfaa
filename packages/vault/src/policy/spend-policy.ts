/**
 * May this agent spend this amount now, on this? Pure; evaluated inside the transaction that holds
 * the money. An agent without a policy may do nothing; once it has one, an absent limit is none.
 * A policy that cannot be read forbids everything.
 */
import { type Msat, maxMsat, msat } from '@arbstr/shared';

/** Null is no limit. */
export interface SpendLimits {
  /** Largest single amount, without fees. */
  readonly maxTransactionMsat: Msat | null;
  /** Over the last 24 h: charges with fees, and holds whatever their age. */
  readonly dailyLimitMsat: Msat | null;
  /** Most that the fees of one payment may take; null is the default of `feeLimitOf`. */
  readonly maxFeeMsat: Msat | null;
  /** How long what is over a limit waits for a human; null refuses it at once. */
  readonly approvalTimeoutMs: number | null;
  /** Below this much available the operator is told. */
  readonly alertFloorMsat: Msat | null;
  readonly alertCooldownMs: number | null;
  /** Exact names. An empty list allows none. */
  readonly allowedModels: readonly string[] | null;
  readonly allowedDestinations: readonly string[] | null;
}

export interface PolicyVersion extends SpendLimits {
  readonly id: string;
  readonly version: number;
  readonly effectiveFrom: number;
  /** What is stored is no policy. Its limits are then the tightest, for whoever does not look. */
  readonly unreadable: boolean;
}

export const NO_LIMITS: SpendLimits = {
  maxTransactionMsat: null,
  dailyLimitMsat: null,
  maxFeeMsat: null,
  approvalTimeoutMs: null,
  alertFloorMsat: null,
  alertCooldownMs: null,
  allowedModels: null,
  allowedDestinations: null,
};

export const TIGHTEST_LIMITS: SpendLimits = {
  ...NO_LIMITS,
  maxTransactionMsat: msat(0),
  dailyLimitMsat: msat(0),
  maxFeeMsat: msat(0),
  allowedModels: [],
  allowedDestinations: [],
};

/** A limit on an amount: a human may let one spend pass it. */
export type LimitRule = 'max_transaction_msat' | 'daily_limit_msat';
/** What nobody can grant for one spend; only another policy can. */
export type ForbiddingRule =
  | 'no_policy'
  | 'unreadable_policy'
  | 'allowed_models'
  | 'allowed_destinations';

export interface Forbidden {
  readonly rule: ForbiddingRule;
}
export interface OverLimit {
  readonly rule: LimitRule;
  readonly limit: Msat;
}

/** What the money is for, under every name that a list may know it by. */
export type Target =
  | { readonly kind: 'model'; readonly names: readonly (string | null)[] }
  | { readonly kind: 'destination'; readonly names: readonly (string | null)[] };

/** What is about to be held, and what counts already. `spent` and `held` without it, msat. */
export interface Spend {
  readonly amount: Msat;
  /** The most that fees can take; 0 for inference. */
  readonly fee: Msat;
  readonly spent: number;
  readonly held: number;
}

/** The policy whose limits hold for this target, or the rule that forbids any amount for it. */
export function policyFor(policy: PolicyVersion | null, target: Target): PolicyVersion | Forbidden {
  if (policy === null) return { rule: 'no_policy' };
  if (policy.unreadable) return { rule: 'unreadable_policy' };
  const isModel = target.kind === 'model';
  const allowed = isModel ? policy.allowedModels : policy.allowedDestinations;
  if (allowed === null) return policy;
  if (target.names.some((name) => name !== null && allowed.includes(name))) return policy;
  return { rule: isModel ? 'allowed_models' : 'allowed_destinations' };
}

export const isForbidden = (found: PolicyVersion | Forbidden): found is Forbidden =>
  'rule' in found;

/** The first limit that this spend would exceed, or null. */
export function overLimit(limits: SpendLimits, spend: Spend): OverLimit | null {
  const { maxTransactionMsat, dailyLimitMsat } = limits;
  const { amount, fee, spent, held } = spend;
  if (maxTransactionMsat !== null && amount > maxTransactionMsat) {
    return { rule: 'max_transaction_msat', limit: maxTransactionMsat };
  }
  // Four safe integers: their sum may leave the exact range only far above any limit.
  if (dailyLimitMsat !== null && spent + held + amount + fee > dailyLimitMsat) {
    return { rule: 'daily_limit_msat', limit: dailyLimitMsat };
  }
  return null;
}

/** The limits without this one, for a spend that a human has let pass it. */
export function liftLimit(limits: SpendLimits, rule: LimitRule): SpendLimits {
  switch (rule) {
    case 'max_transaction_msat':
      return { ...limits, maxTransactionMsat: null };
    case 'daily_limit_msat':
      return { ...limits, dailyLimitMsat: null };
  }
}

/** Fees of the Lightning network are small and not proportional for small amounts. */
const FEE_LIMIT_FLOOR = msat(5_000);
const FEE_LIMIT_DIVISOR = 100;

/** The most that the fees of paying `amount` may take: the policy's, else max(1 %, 5 sats). */
export function feeLimitOf(limits: SpendLimits, amount: Msat): Msat {
  return (
    limits.maxFeeMsat ?? maxMsat(FEE_LIMIT_FLOOR, msat(Math.floor(amount / FEE_LIMIT_DIVISOR)))
  );
}

/** A change of a policy; what it does not name (or names as undefined) is as it was. */
export type PolicyChange = { readonly [F in keyof SpendLimits]?: SpendLimits[F] | undefined };

/** The limits in force after a merge of what was named; absent keeps, null lifts. */
export function mergedLimits(current: SpendLimits | null, change: PolicyChange): SpendLimits {
  const base = current ?? NO_LIMITS;
  const keep = <F extends keyof SpendLimits>(field: F): SpendLimits[F] => {
    const named = change[field];
    return named === undefined ? base[field] : (named as SpendLimits[F]);
  };
  return {
    maxTransactionMsat: keep('maxTransactionMsat'),
    dailyLimitMsat: keep('dailyLimitMsat'),
    maxFeeMsat: keep('maxFeeMsat'),
    approvalTimeoutMs: keep('approvalTimeoutMs'),
    alertFloorMsat: keep('alertFloorMsat'),
    alertCooldownMs: keep('alertCooldownMs'),
    allowedModels: keep('allowedModels'),
    allowedDestinations: keep('allowedDestinations'),
  };
}
