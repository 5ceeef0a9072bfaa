import { describe, expect, it } from 'vitest';
import { createBreakers } from '../../src/route/breaker/registry.ts';
import {
  allows,
  type Breaker,
  type BreakerLimits,
  CLOSED,
  type Report,
  report,
  take,
} from '../../src/route/breaker/state.ts';

const limits: BreakerLimits = { failures: 3, openMs: 30_000, probeMs: 10_000 };
const NOW = 1_000_000;
const closed = (failures: number): Breaker => ({ state: 'closed', failures });
const open: Breaker = { state: 'open', untilMs: NOW + 5_000 };
const halfOpen: Breaker = { state: 'half_open', probeUntilMs: NOW + 5_000 };

describe('breaker edges', () => {
  it.each<[string, Breaker, Report, boolean, Breaker]>([
    ['a failure counts', closed(0), 'failing', false, closed(1)],
    [
      'the last allowed failure opens',
      closed(2),
      'failing',
      false,
      { state: 'open', untilMs: NOW + 30_000 },
    ],
    ['a success forgets failures', closed(2), 'healthy', false, CLOSED],
    ['nothing said changes nothing', closed(2), 'nothing', false, closed(2)],
    ['a probe that succeeds closes', halfOpen, 'healthy', true, CLOSED],
    [
      'a probe that fails opens again',
      halfOpen,
      'failing',
      true,
      { state: 'open', untilMs: NOW + 30_000 },
    ],
    [
      'a probe that says nothing gives its permit back',
      halfOpen,
      'nothing',
      true,
      { state: 'open', untilMs: NOW },
    ],
    // Forbidden edges: these must change nothing.
    ['a straggler cannot close an open breaker', open, 'healthy', false, open],
    ['a straggler cannot prolong an open breaker', open, 'failing', false, open],
    ['a straggler cannot close a half-open breaker', halfOpen, 'healthy', false, halfOpen],
    ['a straggler cannot fail somebody else’s probe', halfOpen, 'failing', false, halfOpen],
    ['a probe whose deadline passed and was replaced cannot close', open, 'healthy', true, open],
  ])('%s', (_what, before, what, probe, after) => {
    expect(report(before, what, probe, NOW, limits)).toEqual(after);
  });

  it('gives one probe after the open time, and none before', () => {
    expect(take(open, NOW, limits).granted).toBe(false);
    const first = take(open, NOW + 5_000, limits);
    expect(first).toMatchObject({ granted: true, probe: true, breaker: { state: 'half_open' } });
    expect(take(first.breaker, NOW + 5_001, limits).granted).toBe(false);
  });

  it('does not leak the permit of a probe that never reports', () => {
    expect(allows(halfOpen, NOW + 4_999)).toBe(false);
    expect(take(halfOpen, NOW + 5_000, limits)).toMatchObject({ granted: true, probe: true });
  });
});

describe('breaker registry', () => {
  it('keeps providers apart and counts what is in flight', () => {
    const breakers = createBreakers({ ...limits, failures: 1 }, () => NOW);
    const alpha = breakers.take('alpha', 1)!;
    expect(breakers.take('alpha', 1)).toBeNull();
    expect(breakers.take('beta', 1)).not.toBeNull();
    alpha.done('failing');
    alpha.done('healthy');
    expect(breakers.stateOf('alpha')).toBe('open');
    expect(breakers.inFlight('alpha')).toBe(0);
    expect(breakers.take('alpha', 1)).toBeNull();
    expect(breakers.nextTryMs(['alpha'])).toBe(NOW + 30_000);
  });

  it('closes again after a probe, and shows half_open while it may be tried', () => {
    let now = NOW;
    const breakers = createBreakers({ ...limits, failures: 1 }, () => now);
    breakers.take('alpha', 9)!.done('failing');
    now += 30_000;
    expect(breakers.stateOf('alpha')).toBe('half_open');
    breakers.take('alpha', 9)!.done('healthy');
    expect(breakers.stateOf('alpha')).toBe('closed');
  });
});
