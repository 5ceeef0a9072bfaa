import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../src/route/eligible.ts';
import type { Attempts, FailedAttempt, FirstAnswer } from '../../src/route/first-answer.ts';
import { createObserved } from '../../src/route/observed.ts';
import { type Ranking, rank } from '../../src/route/rank.ts';
import { learning } from '../../src/stages.ts';

const candidate = (name: string, cost: number, weight = 1): Candidate =>
  ({
    provider: { name, weight },
    offer: { model: 'm' },
    expectedMsat: msat(cost),
  }) as Candidate;
const A = candidate('a', 3);
const B = candidate('b', 1, 0);
const C = candidate('c', 2, 3);

const ranking = (latencies: Record<string, number> = {}, random = 0.5): Ranking => ({
  latencyMs: (provider) => latencies[provider] ?? null,
  turn: () => 0,
  random: () => random,
});
const names = (list: readonly Candidate[]) => list.map(({ provider }) => provider.name).join('');

describe('cheapest', () => {
  it('goes by cost, then by latency, then by name, whatever the order was', () => {
    expect(names(rank([A, B, C], 'cheapest', '', ranking()))).toBe('bca');
    const even = ['z', 'x', 'y'].map((name) => candidate(name, 5));
    expect(names(rank(even, 'cheapest', '', ranking()))).toBe('xyz');
    expect(names(rank(even, 'cheapest', '', ranking({ z: 10, y: 20 })))).toBe('zyx');
  });
});

describe('lowest_latency', () => {
  it('goes by what was observed, and tries the unknown with a bounded share', () => {
    const known = { a: 10, c: 5 };
    expect(names(rank([A, B, C], 'lowest_latency', '', ranking(known)))).toBe('cab');
    expect(names(rank([A, B, C], 'lowest_latency', '', ranking(known, 0.04)))).toBe('bca');
  });

  it('goes by cost where nothing is known, and explores no more than else', () => {
    expect(names(rank([A, B, C], 'lowest_latency', '', ranking()))).toBe('bca');
    expect(names(rank([A, B, C], 'lowest_latency', '', ranking({}, 0.04)))).toHaveLength(3);
  });
});

describe('round_robin', () => {
  it('gives each its turn', () => {
    const observed = createObserved(
      () => 0,
      () => 0,
    );
    const ranking = observed.ranking(true);
    const firsts = [1, 2, 3, 4].map(() => names(rank([A, B, C], 'round_robin', 'n', ranking))[0]);
    expect(firsts.join('')).toBe('abca');
    expect(names(rank([A, B, C], 'round_robin', 'n', observed.dry(true)))[0]).toBe('b');
    // One turn for all requests, streamed or not.
    expect(names(rank([A, B, C], 'round_robin', 'n', observed.ranking(false)))[0]).toBe('b');
  });
});

describe('weighted', () => {
  it('draws by weight, never one of weight 0, and keeps the others behind by cost', () => {
    const firsts = Array.from({ length: 100 }, (_, i) =>
      names(rank([A, B, C], 'weighted', '', ranking({}, i / 100))),
    );
    const count = (order: string) => firsts.filter((found) => found === order).length;
    expect([count('abc'), count('cba')]).toEqual([25, 75]);
  });

  it('is the cheapest where all weights are 0', () => {
    expect(names(rank([B], 'weighted', '', ranking()))).toBe('b');
  });
});

describe('what was observed', () => {
  it('moves with what comes, and is forgotten when it is old', () => {
    let nowMs = 0;
    const observed = createObserved(
      () => nowMs,
      () => 0,
    );
    const { latencyMs } = observed.ranking(true);
    expect(latencyMs('a', 'm')).toBeNull();
    observed.observe('a', 'm', true, 100);
    observed.observe('a', 'm', true, 200);
    expect(latencyMs('a', 'm')).toBe(120);
    nowMs = 600_001;
    expect(latencyMs('a', 'm')).toBeNull();
  });

  it('of whole answers says nothing of streams', async () => {
    const observed = createObserved(
      () => 0,
      () => 0,
    );
    observed.observe('a', 'm', false, 9_000);
    expect(observed.ranking(true).latencyMs('a', 'm')).toBeNull();
    expect(observed.ranking(false).latencyMs('a', 'm')).toBe(9_000);
    expect(observed.dry(false).latencyMs('a', 'm')).toBe(9_000);
  });

  it('is what first attempts took, streamed or whole', async () => {
    const observed = createObserved(
      () => 0,
      () => 0,
    );
    let nowMs = 0;
    const answered = (kind: 'whole' | 'streaming' | 'nobody', failed: number) => async () => {
      nowMs += 100;
      const answer = { kind, candidate: A } as unknown as FirstAnswer;
      return { answer, failed: Array.from({ length: failed }, () => ({}) as FailedAttempt) };
    };
    const learn = (answer: () => Promise<Attempts>) =>
      learning({ observed, nowMs: () => nowMs }, answer);
    await learn(answered('nobody', 0));
    await learn(answered('whole', 1));
    expect(observed.ranking(false).latencyMs('a', 'm')).toBeNull();
    await learn(answered('whole', 0));
    await learn(answered('streaming', 0));
    expect(observed.ranking(false).latencyMs('a', 'm')).toBe(100);
    expect(observed.ranking(true).latencyMs('a', 'm')).toBe(100);
  });
});
