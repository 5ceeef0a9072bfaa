import { describe, expect, it } from 'vitest';
import { createLossBudget, createRetryBudget, LOSSES } from '../../src/route/budget.ts';
import type { Candidate } from '../../src/route/choose.ts';
import type { Failure, FailureKind } from '../../src/route/failure.ts';
import { refuseAll } from '../../src/route/refuse-all.ts';
import { nextRound, type RetryLimits } from '../../src/route/retry.ts';

const limits: RetryLimits = { maxAttempts: 4, backoffMs: 100, backoffMsMax: 1_000 };
const failure = (kind: FailureKind, more: Partial<Failure> = {}): Failure => ({
  kind,
  status: kind === 'rate_limited' ? 429 : null,
  message: kind,
  retryAfterMs: null,
  ...more,
});
const named = (name: string) => ({ provider: { name } }) as unknown as Candidate;
const [alpha, beta] = [named('alpha'), named('beta')];
const last = (...failures: [Candidate, Failure][]) => new Map(failures);

describe('the next round', () => {
  it.each<FailureKind>(['not_connected', 'rate_limited', 'server_error', 'model_overloaded'])(
    'asks again after %s',
    (kind) => {
      const next = nextRound(last([alpha, failure(kind)]), 1, 1, limits, 0.5);
      expect(next).toEqual({ waitMs: 75, candidates: [alpha] });
    },
  );

  it.each<FailureKind>([
    'timeout',
    'broken',
    'damaged_event',
    'not_a_completion',
    'error_in_answer',
    'redirect',
    'credentials',
    'payment',
    'model_missing',
    'context_too_small',
  ])('does not after %s', (kind) => {
    expect(nextRound(last([alpha, failure(kind)]), 1, 1, limits, 0.5)).toBeNull();
  });

  it('asks only those that may answer this time, in their order', () => {
    const failures = last([alpha, failure('timeout')], [beta, failure('server_error')]);
    expect(nextRound(failures, 2, 1, limits, 0)?.candidates).toEqual([beta]);
  });

  it('ends with the attempts', () => {
    const failures = last([alpha, failure('server_error')], [beta, failure('server_error')]);
    expect(nextRound(failures, 4, 2, limits, 0)).toBeNull();
    expect(nextRound(failures, 3, 2, limits, 0)?.candidates).toEqual([alpha]);
  });

  it('waits as long as the provider asks, and not at all where that is too long', () => {
    const asks = (retryAfterMs: number) => last([alpha, failure('rate_limited', { retryAfterMs })]);
    expect(nextRound(asks(1_000), 1, 1, limits, 0)?.waitMs).toBe(1_050);
    expect(nextRound(asks(1_001), 1, 1, limits, 0)).toBeNull();
  });

  it('does not exist where the operator wants none', () => {
    const failures = last([alpha, failure('server_error')]);
    expect(nextRound(failures, 1, 1, { ...limits, backoffMs: 0 }, 0)).toBeNull();
  });

  it('doubles its wait, jitters it by half, and caps it', () => {
    const waits = (random: number) =>
      [1, 2, 3, 4, 5, 99].map(
        (round) =>
          nextRound(last([alpha, failure('server_error')]), 1, round, limits, random)!.waitMs,
      );
    expect(waits(0)).toEqual([50, 100, 200, 400, 500, 500]);
    expect(waits(0.999)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });
});

describe('the retry budget of a process', () => {
  it('allows a burst, then an eighth of the requests, then one per second', () => {
    let now = 0;
    const budget = createRetryBudget(() => now);
    const spent = () => {
      let count = 0;
      while (budget.spend()) count++;
      return count;
    };
    expect(spent()).toBe(20);
    for (let i = 0; i < 40; i++) budget.earn();
    expect(spent()).toBe(5);
    now += 3_000;
    expect(spent()).toBe(3);
    now += 3_600_000;
    expect(spent()).toBe(20);
  });
});

describe('the losses that an agent may cause', () => {
  it('are bounded, per agent, and come back with time', () => {
    let now = 0;
    const losses = createLossBudget(() => now);
    for (let i = 0; i < LOSSES.capacity; i++) {
      expect(losses.waitMs('a')).toBe(0);
      losses.lose('a');
    }
    expect(losses.waitMs('a')).toBe(2_000);
    expect(losses.waitMs('b')).toBe(0);
    now += 2_000;
    expect(losses.waitMs('a')).toBe(0);
  });

  it('do not fill the memory with agents', () => {
    const losses = createLossBudget(() => 0);
    for (let i = 0; i < LOSSES.capacity; i++) losses.lose('first');
    for (let i = 0; i < 10_001; i++) losses.lose(`agent ${i}`);
    expect(losses.waitMs('first')).toBe(0);
  });
});

describe('what the caller hears when everybody failed', () => {
  const failed = (...failures: Failure[]) =>
    failures.map((one, nth) => ({ provider: ['alpha', 'beta'][nth % 2]!, failure: one }));

  it('is 429 with the shortest wait where everybody answered 429', () => {
    const refusal = refuseAll(
      'm',
      failed(
        failure('rate_limited', { retryAfterMs: 9_000 }),
        failure('model_overloaded', { status: 429, retryAfterMs: 2_500 }),
      ),
    );
    expect(refusal).toMatchObject({ status: 429, code: 'rate_limited', shouldRetry: true });
    expect(refusal.retryAfterSecs).toBe(3);
  });

  it.each<[string, Failure[], number, string, boolean]>([
    ['only timeouts', [failure('timeout'), failure('timeout')], 504, 'provider_timeout', false],
    ['nobody connected', [failure('not_connected')], 502, 'provider_error', true],
    [
      'limits and no line',
      [failure('not_connected'), failure('rate_limited')],
      502,
      'provider_error',
      true,
    ],
    ['a server error', [failure('server_error', { status: 503 })], 502, 'provider_error', false],
    [
      'one that may be billed',
      [failure('not_connected'), failure('broken')],
      502,
      'provider_error',
      false,
    ],
    ['nobody asked', [], 503, 'overloaded', true],
  ])('after %s', (_what, failures, status, code, shouldRetry) => {
    expect(refuseAll('m', failed(...failures))).toMatchObject({ status, code, shouldRetry });
  });

  it('names each provider once, however often it failed', () => {
    const all = Array.from({ length: 4 }, () => failure('server_error'));
    const { message } = refuseAll('m', failed(...all));
    expect(message.match(/alpha/g)).toHaveLength(1);
  });
});
