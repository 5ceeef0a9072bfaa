/**
 * Circuit breaker of one provider, as a pure state machine.
 *
 *            failures ≥ limit                 openMs passed, permit taken
 *   closed ────────────────────▶ open ────────────────────────────────▶ half_open
 *     ▲                           ▲  ▲                                    │ │
 *     │                           │  └──────────── probe failed ──────────┘ │
 *     └───────────────────────────┼──────────────── probe succeeded ────────┘
 *                                 └── probe's deadline passed: the permit is free again, not leaked
 *
 * One probe at a time. Nobody waits for it: whoever gets no permit uses the next candidate.
 */
export type Breaker =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly untilMs: number }
  | { readonly state: 'half_open'; readonly probeUntilMs: number };

export interface BreakerLimits {
  /** Consecutive failures that open it, ≥ 1. */
  readonly failures: number;
  readonly openMs: number;
  /** A probe that has not reported by then no longer blocks the next one. */
  readonly probeMs: number;
}

export const CLOSED: Breaker = { state: 'closed', failures: 0 };

/** Whether a request may be sent now; does not take the permit. */
export function allows(breaker: Breaker, nowMs: number): boolean {
  switch (breaker.state) {
    case 'closed':
      return true;
    case 'open':
      return nowMs >= breaker.untilMs;
    case 'half_open':
      return nowMs >= breaker.probeUntilMs;
  }
}

/** Takes a permit: `probe` is true where this request decides whether the breaker closes. */
export function take(
  breaker: Breaker,
  nowMs: number,
  limits: BreakerLimits,
): { breaker: Breaker; granted: boolean; probe: boolean } {
  if (!allows(breaker, nowMs)) return { breaker, granted: false, probe: false };
  if (breaker.state === 'closed') return { breaker, granted: true, probe: false };
  return {
    breaker: { state: 'half_open', probeUntilMs: nowMs + limits.probeMs },
    granted: true,
    probe: true,
  };
}

/** What an attempt says of the provider. `nothing`: the client left, or its own request was wrong. */
export type Report = 'healthy' | 'failing' | 'nothing';

/**
 * A straggler (no probe) that ends while the breaker is open or half open says nothing new: it was
 * sent before the breaker opened, so it may neither close it nor prolong it.
 */
export function report(
  breaker: Breaker,
  what: Report,
  probe: boolean,
  nowMs: number,
  limits: BreakerLimits,
): Breaker {
  if (breaker.state === 'closed') return reportClosed(breaker.failures, what, nowMs, limits);
  if (!probe || breaker.state === 'open') return breaker;
  switch (what) {
    case 'healthy':
      return CLOSED;
    case 'failing':
      return { state: 'open', untilMs: nowMs + limits.openMs };
    case 'nothing':
      // The permit goes back at once: the next request may probe.
      return { state: 'open', untilMs: nowMs };
  }
}

function reportClosed(
  failures: number,
  what: Report,
  nowMs: number,
  limits: BreakerLimits,
): Breaker {
  if (what === 'nothing') return { state: 'closed', failures };
  if (what === 'healthy') return CLOSED;
  if (failures + 1 >= limits.failures) return { state: 'open', untilMs: nowMs + limits.openMs };
  return { state: 'closed', failures: failures + 1 };
}
