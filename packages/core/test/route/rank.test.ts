import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../src/route/eligible.ts';
import { createObserved } from '../../src/route/observed.ts';
import { type Ranking, rank } from '../../src/route/rank.ts';

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
    const firsts = [1, 2, 3, 4].map(() => names(rank([A, B, C], 'round_robin', 'n', observed))[0]);
    expect(firsts.join('')).toBe('abca');
    expect(names(rank([A, B, C], 'round_robin', 'n', observed.dry))[0]).toBe('b');
    expect(names(rank([A, B, C], 'round_robin', 'n', observed))[0]).toBe('b');
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
    expect(observed.latencyMs('a', 'm')).toBeNull();
    observed.observe('a', 'm', 100);
    observed.observe('a', 'm', 200);
    expect(observed.latencyMs('a', 'm')).toBe(120);
    nowMs = 600_001;
    expect(observed.latencyMs('a', 'm')).toBeNull();
  });
});
