/**
 * Circuit breaker of one provider, or of one model at one provider, as a pure state machine.
 *
 *            failures ≥ limit                 cool-down passed, permit taken
 *   closed ────────────────────▶ open ────────────────────────────────▶ half_open
 *     ▲                           ▲  ▲                                    │ │
 *     │                           │  └──────────── probe failed ──────────┘ │
 *     └───────────────────────────┼──────────────── probe succeeded ────────┘
 *                                 └── probe's deadline passed: the permit is free again, not leaked
 *
 * One probe at a time. Nobody waits for it: whoever gets no permit uses the next candidate.
 * A closed one may be paused for a while (the provider's Retry-After): nothing is sent, and afterwards
 * everybody may send again, since the provider has named the time itself and needs no probe.
 */
export type Breaker =
  | { readonly state: 'closed'; readonly failures: number; readonly pausedUntilMs: number }
  | { readonly state: 'open'; readonly untilMs: number }
  | { readonly state: 'half_open'; readonly probeUntilMs: number };

export interface BreakerLimits {
  /** Consecutive failures that open it, ≥ 1. */
  readonly failures: number;
  /** A probe that has not reported by then no longer blocks the next one. */
  readonly probeMs: number;
}

export const CLOSED: Breaker = { state: 'closed', failures: 0, pausedUntilMs: 0 };

/** When the next request may be sent, Unix ms; in the past = now. */
export function opensAtMs(breaker: Breaker): number {
  switch (breaker.state) {
    case 'closed':
      return breaker.pausedUntilMs;
    case 'open':
      return breaker.untilMs;
    case 'half_open':
      return breaker.probeUntilMs;
  }
}

/** Whether a request may be sent now; does not take the permit. */
export const allows = (breaker: Breaker, nowMs: number): boolean => nowMs >= opensAtMs(breaker);

/** A request that decides whether the breaker closes, by its deadline; null = an ordinary one. */
export type Probe = number | null;

/** Takes a permit. */
export function take(
  breaker: Breaker,
  nowMs: number,
  limits: BreakerLimits,
): { breaker: Breaker; granted: boolean; probe: Probe } {
  if (!allows(breaker, nowMs)) return { breaker, granted: false, probe: null };
  if (breaker.state === 'closed') return { breaker, granted: true, probe: null };
  const probeUntilMs = nowMs + limits.probeMs;
  return { breaker: { state: 'half_open', probeUntilMs }, granted: true, probe: probeUntilMs };
}

/**
 * What an attempt says. `nothing`: the client left, or its own request was wrong. Times are
 * durations from now.
 */
export type Report =
  | { readonly heard: 'healthy' | 'nothing' }
  | {
      readonly heard: 'failing';
      /** How long it stays open, if this opens it. */
      readonly openMs: number;
      /** What the provider asked for; 0 = nothing. */
      readonly pauseMs: number;
      /** Of a request that has failed here before: one request alone must not open a breaker. */
      readonly repeated: boolean;
    };

/**
 * A straggler (no probe) that ends while the breaker is open or half open says nothing new: it was
 * sent before the breaker opened, so it may neither close it nor prolong it. Nor may a probe whose
 * deadline has passed once another has taken its place.
 */
export function report(
  breaker: Breaker,
  what: Report,
  probe: Probe,
  nowMs: number,
  limits: BreakerLimits,
): Breaker {
  switch (breaker.state) {
    case 'closed':
      return reportClosed(breaker, what, nowMs, limits);
    case 'open':
      return breaker;
    case 'half_open':
      return breaker.probeUntilMs === probe ? reportProbe(what, nowMs) : breaker;
  }
}

function reportProbe(what: Report, nowMs: number): Breaker {
  switch (what.heard) {
    case 'healthy':
      return CLOSED;
    case 'failing':
      return { state: 'open', untilMs: nowMs + Math.max(what.openMs, what.pauseMs) };
    case 'nothing':
      // The permit goes back at once: the next request may probe.
      return { state: 'open', untilMs: nowMs };
  }
}

function reportClosed(
  breaker: Breaker & { state: 'closed' },
  what: Report,
  nowMs: number,
  limits: BreakerLimits,
): Breaker {
  const { pausedUntilMs } = breaker;
  if (what.heard !== 'failing') {
    // A pause that others were told of stays: an answer that was under way does not lift it.
    return what.heard === 'healthy' ? { state: 'closed', failures: 0, pausedUntilMs } : breaker;
  }
  const failures = breaker.failures + (what.repeated ? 0 : 1);
  if (failures >= limits.failures) {
    return { state: 'open', untilMs: nowMs + Math.max(what.openMs, what.pauseMs) };
  }
  const paused = what.pauseMs > 0 ? nowMs + what.pauseMs : 0;
  return { state: 'closed', failures, pausedUntilMs: Math.max(pausedUntilMs, paused) };
}
