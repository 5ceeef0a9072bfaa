import { describe, expect, it } from 'vitest';
import {
  type BreakerTimes,
  createBreakers,
  type Verdict,
} from '../../src/route/breaker/registry.ts';
import {
  allows,
  type Breaker,
  CLOSED,
  type Probe,
  type Report,
  report,
  take,
} from '../../src/route/breaker/state.ts';

const limits = { failures: 3, probeMs: 10_000 };
const NOW = 1_000_000;
const closed = (failures: number, pausedUntilMs = 0): Breaker => ({
  state: 'closed',
  failures,
  pausedUntilMs,
});
const open: Breaker = { state: 'open', untilMs: NOW + 5_000 };
const PROBE = NOW + 5_000;
const halfOpen: Breaker = { state: 'half_open', probeUntilMs: PROBE };
const opened = (ms: number): Breaker => ({ state: 'open', untilMs: NOW + ms });

const healthy: Report = { heard: 'healthy' };
const nothing: Report = { heard: 'nothing' };
const failing: Report = { heard: 'failing', openMs: 30_000, pauseMs: 0, repeated: false };

describe('breaker edges', () => {
  it.each<[string, Breaker, Report, Probe, Breaker]>([
    ['a failure counts', closed(0), failing, null, closed(1)],
    ['the last allowed failure opens', closed(2), failing, null, opened(30_000)],
    ['a success forgets failures', closed(2), healthy, null, CLOSED],
    ['nothing said changes nothing', closed(2), nothing, null, closed(2)],
    ['one request alone does not open', closed(2), { ...failing, repeated: true }, null, closed(2)],
    ['a Retry-After pauses', closed(0), { ...failing, pauseMs: 7 }, null, closed(1, NOW + 7)],
    ['a shorter one does not end a pause', closed(0, PROBE), failing, null, closed(1, PROBE)],
    [
      'a longer one prolongs it',
      closed(0, NOW),
      { ...failing, pauseMs: 9 },
      null,
      closed(1, NOW + 9),
    ],
    ['a straggler’s success leaves a pause', closed(1, PROBE), healthy, null, closed(0, PROBE)],
    [
      'it stays open as long as the provider asked for',
      closed(2),
      { ...failing, pauseMs: 40_000 },
      null,
      opened(40_000),
    ],
    ['a probe that succeeds closes', halfOpen, healthy, PROBE, CLOSED],
    ['a probe that fails opens again', halfOpen, failing, PROBE, opened(30_000)],
    [
      'so does one of a request that has failed before',
      halfOpen,
      { ...failing, repeated: true },
      PROBE,
      opened(30_000),
    ],
    ['a probe that says nothing gives its permit back', halfOpen, nothing, PROBE, opened(0)],
    // Forbidden edges: these must change nothing.
    ['a straggler cannot close an open breaker', open, healthy, null, open],
    ['a straggler cannot prolong an open breaker', open, failing, null, open],
    ['a straggler’s Retry-After cannot either', open, { ...failing, pauseMs: 9e4 }, null, open],
    ['a straggler cannot close a half-open breaker', halfOpen, healthy, null, halfOpen],
    ['a straggler cannot fail somebody else’s probe', halfOpen, failing, null, halfOpen],
    ['a straggler cannot give back somebody else’s permit', halfOpen, nothing, null, halfOpen],
    ['a probe that was replaced cannot close', halfOpen, healthy, PROBE - 1, halfOpen],
    ['a probe that was replaced cannot fail the new one', halfOpen, failing, PROBE - 1, halfOpen],
    ['a probe cannot close what has opened since', open, healthy, PROBE, open],
    [
      'a probe that ends late counts where it is closed again',
      closed(0),
      failing,
      PROBE,
      closed(1),
    ],
  ])('%s', (_what, before, what, probe, after) => {
    expect(report(before, what, probe, NOW, limits)).toEqual(after);
  });

  it('gives one probe after the open time, and none before', () => {
    expect(take(open, NOW, limits).granted).toBe(false);
    const first = take(open, NOW + 5_000, limits);
    expect(first).toMatchObject({ granted: true, breaker: { state: 'half_open' } });
    expect(first.probe).toBe(NOW + 15_000);
    expect(take(first.breaker, NOW + 5_001, limits).granted).toBe(false);
  });

  it('does not leak the permit of a probe that never reports', () => {
    expect(allows(halfOpen, NOW + 4_999)).toBe(false);
    expect(take(halfOpen, NOW + 5_000, limits)).toMatchObject({
      granted: true,
      probe: NOW + 15_000,
    });
  });

  it('lets everybody through after a pause, and nobody before', () => {
    expect(allows(closed(1, NOW + 1), NOW)).toBe(false);
    expect(take(closed(1, NOW), NOW, limits)).toEqual({
      breaker: closed(1, NOW),
      granted: true,
      probe: null,
    });
  });
});

const times: BreakerTimes = {
  ...limits,
  openMs: 30_000,
  credentialsMs: 300_000,
  paymentMs: 60_000,
};
const fails = (more: Partial<Verdict & { heard: 'failing' }> = {}): Verdict => ({
  heard: 'failing',
  scope: 'provider',
  coolDown: 'usual',
  pauseMs: 0,
  repeated: false,
  ...more,
});

describe('breaker registry', () => {
  it('keeps providers apart and counts what is in flight', () => {
    const breakers = createBreakers({ ...times, failures: 1 }, () => NOW);
    const alpha = breakers.take('alpha', 'm', 1)!;
    expect(breakers.take('alpha', 'm', 1)).toBeNull();
    expect(breakers.take('beta', 'm', 1)).not.toBeNull();
    alpha.done(fails());
    alpha.done({ heard: 'healthy' });
    expect(breakers.stateOf('alpha')).toBe('open');
    expect(breakers.inFlight('alpha')).toBe(0);
    expect(breakers.take('alpha', 'other', 1)).toBeNull();
    expect(breakers.nextTryMs([{ provider: 'alpha', seat: 'm' }])).toBe(NOW + 30_000);
  });

  it('closes again after a probe, and shows half_open while it may be tried', () => {
    let now = NOW;
    const breakers = createBreakers({ ...times, failures: 1 }, () => now);
    breakers.take('alpha', 'm', 9)!.done(fails());
    now += 30_000;
    expect(breakers.stateOf('alpha')).toBe('half_open');
    const probe = breakers.take('alpha', 'm', 9)!;
    expect(breakers.take('alpha', 'm', 9)).toBeNull();
    probe.done({ heard: 'healthy' });
    expect(breakers.stateOf('alpha')).toBe('closed');
  });

  it('pauses one model where the failure is about it, and goes on with the others', () => {
    let now = NOW;
    const breakers = createBreakers({ ...times, failures: 1 }, () => now);
    breakers.take('alpha', 'gone', 9)!.done(fails({ scope: 'model' }));
    expect(breakers.stateOf('alpha')).toBe('closed');
    expect(breakers.modelsOf('alpha')).toEqual({ gone: 'open' });
    expect(breakers.allows('alpha', 'gone')).toBe(false);
    expect(breakers.take('alpha', 'gone', 9)).toBeNull();
    expect(breakers.allows('alpha', 'here')).toBe(true);
    expect(
      breakers.nextTryMs([
        { provider: 'alpha', seat: 'gone' },
        { provider: 'alpha', seat: 'here' },
      ]),
    ).toBe(NOW);
    now += 30_000;
    breakers.take('alpha', 'gone', 9)!.done({ heard: 'healthy' });
    expect(breakers.modelsOf('alpha')).toEqual({});
  });

  it('gives a model’s probe back where the provider failed instead', () => {
    let now = NOW;
    const breakers = createBreakers({ ...times, failures: 2 }, () => now);
    for (let i = 0; i < 2; i++) breakers.take('alpha', 'm', 9)!.done(fails({ scope: 'model' }));
    now += 30_000;
    breakers.take('alpha', 'm', 9)!.done(fails());
    expect(breakers.allows('alpha', 'm')).toBe(true);
  });

  it.each([
    ['usual', 30_000],
    ['payment', 60_000],
    ['credentials', 300_000],
  ] as const)('cools down for the time of its cause: %s', (coolDown, ms) => {
    const breakers = createBreakers(times, () => NOW);
    for (let i = 0; i < 3; i++) breakers.take('alpha', 'm', 9)!.done(fails({ coolDown }));
    expect(breakers.nextTryMs([{ provider: 'alpha', seat: 'm' }])).toBe(NOW + ms);
  });

  it('says how long a provider is paused, and for whom', () => {
    let now = NOW;
    const breakers = createBreakers(times, () => now);
    breakers.take('alpha', 'm', 9)!.done(fails({ pauseMs: 2_000 }));
    expect(breakers.stateOf('alpha')).toBe('closed');
    expect(breakers.pausedUntilMs('alpha')).toBe(NOW + 2_000);
    expect(breakers.allows('alpha', 'other')).toBe(false);
    now += 2_000;
    expect(breakers.pausedUntilMs('alpha')).toBeNull();
    expect(breakers.take('alpha', 'm', 9)).not.toBeNull();
  });
});
