import { describe, expect, it } from 'vitest';
import { createCallerLimits, type Place } from '../../src/http/caller-limits.ts';

let nowMs = 0;
const limits = (rateLimitRps: number, maxConcurrencyPerCaller = 1_000) =>
  createCallerLimits(
    () => ({ rateLimitRps, maxConcurrencyPerCaller }),
    () => nowMs,
  );

describe('the rate of a caller', () => {
  it('allows a burst of one second, then as many as flow in', () => {
    const { enter } = limits(2);
    const kinds = () => [1, 2, 3].map(() => enter('a').kind);
    expect(kinds()).toEqual(['place', 'place', 'refused']);
    nowMs += 500;
    expect(kinds()).toEqual(['place', 'refused', 'refused']);
    nowMs += 3_600_000;
    expect(kinds()).toEqual(['place', 'place', 'refused']);
  });

  it('says when to come again, in whole seconds', () => {
    const { enter } = limits(0.1);
    expect(enter('a').kind).toBe('place');
    expect(enter('a')).toMatchObject({ code: 'rate_limited', status: 429, retryAfterSecs: 10 });
    nowMs += 9_500;
    expect(enter('a')).toMatchObject({ retryAfterSecs: 1, shouldRetry: true });
    nowMs += 500;
    expect(enter('a').kind).toBe('place');
  });

  it("is each caller's own, and 0 is none", () => {
    const { enter } = limits(1);
    expect([enter('a').kind, enter('b').kind, enter('a').kind]).toEqual([
      'place',
      'place',
      'refused',
    ]);
    const free = limits(0);
    expect(Array.from({ length: 100 }, () => free.enter('a').kind)).not.toContain('refused');
  });
});

describe('requests of a caller under way', () => {
  it('are bounded, and a place that is left twice is left once', () => {
    const { enter } = limits(0, 2);
    const first = enter('a') as Place;
    enter('a');
    expect(enter('a')).toMatchObject({ code: 'rate_limited', retryAfterSecs: 1 });
    expect(enter('b').kind).toBe('place');
    first.leave();
    first.leave();
    expect(enter('a').kind).toBe('place');
    expect(enter('a').kind).toBe('refused');
  });
});
