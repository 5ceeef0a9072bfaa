import { policyFields } from '../policy/policy-fields.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';

export function policyBody(policy: PolicyVersion) {
  return {
    id: policy.id,
    version: policy.version,
    ...policyFields(policy),
    effective_from: policy.effectiveFrom,
    updated_at: policy.effectiveFrom,
  };
}
