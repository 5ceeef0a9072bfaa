import type { Msat, SpendPolicy } from '@arbstr/shared';
import type { PolicyChange } from '../policy/spend-policy.ts';

interface PolicyFields {
  readonly id: string;
  readonly version: number;
  readonly maxTransactionMsat: Msat | null;
  readonly dailyLimitMsat: Msat | null;
  readonly effectiveFrom: number;
}

export function policyBody(policy: PolicyFields) {
  return {
    id: policy.id,
    version: policy.version,
    max_transaction_msat: policy.maxTransactionMsat,
    daily_limit_msat: policy.dailyLimitMsat,
    effective_from: policy.effectiveFrom,
    updated_at: policy.effectiveFrom,
  };
}

export function policyChange(policy: SpendPolicy): PolicyChange {
  return {
    maxTransactionMsat: policy.max_transaction_msat,
    dailyLimitMsat: policy.daily_limit_msat,
  };
}
