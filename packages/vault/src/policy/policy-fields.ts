/** A policy's limits under the names that the wire, the tables and the audit trail have for them. */
import { type Msat, msat, type SpendPolicy } from '@arbstr/shared';
import {
  type PolicyChange,
  type PolicyVersion,
  type SpendLimits,
  TIGHTEST_LIMITS,
} from './spend-policy.ts';

export function policyFields(limits: SpendLimits) {
  return {
    max_transaction_msat: limits.maxTransactionMsat,
    daily_limit_msat: limits.dailyLimitMsat,
    max_fee_msat: limits.maxFeeMsat,
    approval_timeout_ms: limits.approvalTimeoutMs,
    alert_floor_msat: limits.alertFloorMsat,
    alert_cooldown_ms: limits.alertCooldownMs,
    allowed_models: limits.allowedModels,
    allowed_destinations: limits.allowedDestinations,
  };
}

export function policyChange(policy: SpendPolicy): PolicyChange {
  return {
    maxTransactionMsat: policy.max_transaction_msat,
    dailyLimitMsat: policy.daily_limit_msat,
    maxFeeMsat: policy.max_fee_msat,
    approvalTimeoutMs: policy.approval_timeout_ms,
    alertFloorMsat: policy.alert_floor_msat,
    alertCooldownMs: policy.alert_cooldown_ms,
    allowedModels: policy.allowed_models,
    allowedDestinations: policy.allowed_destinations,
  };
}

/** A row of `policy_versions`; lists are JSON. */
export interface PolicyRow {
  id: string;
  version: number;
  max_transaction_msat: number | null;
  daily_limit_msat: number | null;
  max_fee_msat: number | null;
  approval_timeout_ms: number | null;
  alert_floor_msat: number | null;
  alert_cooldown_ms: number | null;
  allowed_models: string | null;
  allowed_destinations: string | null;
  effective_from: number;
}

export function policyRow(policy: PolicyVersion): PolicyRow {
  const fields = policyFields(policy);
  return {
    id: policy.id,
    version: policy.version,
    ...fields,
    allowed_models: listText(fields.allowed_models),
    allowed_destinations: listText(fields.allowed_destinations),
    effective_from: policy.effectiveFrom,
  };
}

/** Never throws: what cannot be understood is a policy that allows nothing. */
export function policyOfRow(row: PolicyRow): PolicyVersion {
  const identity = { id: row.id, version: row.version, effectiveFrom: row.effective_from };
  try {
    return {
      ...identity,
      maxTransactionMsat: amountOf(row.max_transaction_msat),
      dailyLimitMsat: amountOf(row.daily_limit_msat),
      maxFeeMsat: amountOf(row.max_fee_msat),
      approvalTimeoutMs: amountOf(row.approval_timeout_ms),
      alertFloorMsat: amountOf(row.alert_floor_msat),
      alertCooldownMs: amountOf(row.alert_cooldown_ms),
      allowedModels: listOf(row.allowed_models),
      allowedDestinations: listOf(row.allowed_destinations),
      unreadable: false,
    };
  } catch {
    return { ...identity, ...TIGHTEST_LIMITS, unreadable: true };
  }
}

const listText = (list: readonly string[] | null): string | null =>
  list === null ? null : JSON.stringify(list);

function amountOf(value: number | null): Msat | null {
  if (value === null) return null;
  if (typeof value !== 'number') throw new TypeError('not a number');
  return msat(value);
}

function listOf(text: string | null): string[] | null {
  if (text === null) return null;
  const list: unknown = JSON.parse(text);
  if (Array.isArray(list) && list.every((name) => typeof name === 'string')) return list;
  throw new TypeError('not a list of texts');
}
