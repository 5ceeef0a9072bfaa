import { type Msat, msat, ZERO_MSAT } from '@arbstr/shared';
import { describe, expect, test } from 'vitest';
import { policyOfRow, policyRow } from '../../src/policy/policy-fields.ts';
import {
  feeLimitOf,
  isForbidden,
  mergedLimits,
  NO_LIMITS,
  overLimit,
  type PolicyVersion,
  policyFor,
  TIGHTEST_LIMITS,
} from '../../src/policy/spend-policy.ts';

const policy = (over: Partial<PolicyVersion> = {}): PolicyVersion => ({
  id: 'pv_1',
  version: 1,
  effectiveFrom: 0,
  unreadable: false,
  ...NO_LIMITS,
  ...over,
});
const spend = (amount: number, over: { fee?: number; spent?: number; held?: number } = {}) => ({
  amount: msat(amount),
  fee: msat(over.fee ?? 0),
  spent: over.spent ?? 0,
  held: over.held ?? 0,
});

describe('what a policy forbids', () => {
  const model = (...names: (string | null)[]) => ({ kind: 'model', names }) as const;

  test('everything, where there is none', () => {
    expect(policyFor(null, model('m'))).toEqual({ rule: 'no_policy' });
  });

  test('nothing, where it has no lists', () => {
    expect(policyFor(policy(), model('m'))).toEqual(policy());
  });

  test('what no name of stands in its list', () => {
    const only = policy({ allowedModels: ['auto', 'small'] });
    expect(isForbidden(policyFor(only, model('auto', 'large')))).toBe(false);
    expect(isForbidden(policyFor(only, model(null, 'small')))).toBe(false);
    expect(policyFor(only, model('large', 'larger'))).toEqual({ rule: 'allowed_models' });
    expect(policyFor(only, model(null, 'SMALL'))).toEqual({ rule: 'allowed_models' });
  });

  test('everything, where its list is empty', () => {
    const none = policy({ allowedDestinations: [] });
    expect(policyFor(none, { kind: 'destination', names: ['a@b.c'] })).toEqual({
      rule: 'allowed_destinations',
    });
    expect(isForbidden(policyFor(none, model('m')))).toBe(false);
  });
});

describe('limits', () => {
  test('the largest transaction does not see fees, the day does', () => {
    const limits = policy({ maxTransactionMsat: msat(100), dailyLimitMsat: msat(100) });
    expect(overLimit(limits, spend(100))).toBeNull();
    expect(overLimit(limits, spend(101))).toMatchObject({ rule: 'max_transaction_msat' });
    expect(overLimit(limits, spend(100, { fee: 1 }))).toMatchObject({ rule: 'daily_limit_msat' });
  });

  test('T33: the day sees what is held as what was charged', () => {
    const limits = policy({ dailyLimitMsat: msat(100) });
    expect(overLimit(limits, spend(10, { spent: 40, held: 50 }))).toBeNull();
    expect(overLimit(limits, spend(10, { spent: 40, held: 51 }))).toEqual({
      rule: 'daily_limit_msat',
      limit: 100,
    });
  });

  test('a limit of zero lets only what is free pass', () => {
    const limits = policy({ maxTransactionMsat: ZERO_MSAT, dailyLimitMsat: ZERO_MSAT });
    expect(overLimit(limits, spend(0))).toBeNull();
    expect(overLimit(limits, spend(1))).not.toBeNull();
  });

  test.each([
    [null, 0, 5_000],
    [null, 500_000, 5_000],
    [null, 500_100, 5_001],
    [null, 1_000_000, 10_000],
    [0, 1_000_000, 0],
    [7, 1_000_000, 7],
  ])('with %s as fee limit, paying %i msat may cost %i of fees', (limit, amount, fee) => {
    expect(feeLimitOf(policy({ maxFeeMsat: limit as Msat | null }), msat(amount))).toBe(fee);
  });
});

test('a merge keeps what is not named and lifts what is null', () => {
  const before = policy({ maxFeeMsat: msat(5), allowedModels: ['m'], approvalTimeoutMs: 1_000 });
  expect(mergedLimits(before, { maxFeeMsat: null, allowedModels: undefined })).toEqual({
    ...NO_LIMITS,
    allowedModels: ['m'],
    approvalTimeoutMs: 1_000,
  });
});

describe('a stored policy', () => {
  const full = policy({
    maxTransactionMsat: msat(1),
    dailyLimitMsat: msat(2),
    maxFeeMsat: msat(3),
    approvalTimeoutMs: 4_000,
    alertFloorMsat: msat(5),
    alertCooldownMs: 6_000,
    allowedModels: ['m', 'n'],
    allowedDestinations: [],
  });

  test('is read as it was written', () => {
    expect(policyOfRow(policyRow(full))).toEqual(full);
    expect(policyOfRow(policyRow(policy()))).toEqual(policy());
  });

  test.each([
    { max_transaction_msat: -1 },
    { daily_limit_msat: 1.5 },
    { max_fee_msat: '5' as unknown as number },
    { approval_timeout_ms: Number.NaN },
    { alert_floor_msat: 2 ** 53 },
    { allowed_models: 'm' },
    { allowed_models: '{"0":"m"}' },
    { allowed_destinations: '[1]' },
  ])('that cannot be understood (%o) allows nothing', (damage) => {
    const read = policyOfRow({ ...policyRow(full), ...damage });
    expect(read).toMatchObject({ ...TIGHTEST_LIMITS, unreadable: true });
    expect(policyFor(read, { kind: 'model', names: ['m'] })).toEqual({
      rule: 'unreadable_policy',
    });
    expect(overLimit(read, spend(1))).not.toBeNull();
  });
});
