import {
  allows,
  type Breaker,
  type BreakerLimits,
  CLOSED,
  type Report,
  report,
  take,
} from './state.ts';

/** A granted attempt. `done` must be called exactly once; later calls do nothing. */
export interface Permit {
  done(what: Report): void;
}

/**
 * Breakers and in-flight counts, per provider. A permit is released by `done` (called in `finally`)
 * and has a deadline of its own besides, so that it cannot leak.
 */
export interface BreakerRegistry {
  allows(provider: string): boolean;
  /** Null where the breaker or the concurrency limit refuses. */
  take(provider: string, maxConcurrency: number): Permit | null;
  inFlight(provider: string): number;
  stateOf(provider: string): Breaker['state'];
  /** When the earliest of these may be tried again, Unix ms. */
  nextTryMs(providers: readonly string[]): number;
}

export function createBreakers(limits: BreakerLimits, nowMs: () => number): BreakerRegistry {
  const breakers = new Map<string, Breaker>();
  const flying = new Map<string, number>();
  const get = (provider: string) => breakers.get(provider) ?? CLOSED;

  return {
    allows: (provider) => allows(get(provider), nowMs()),
    inFlight: (provider) => flying.get(provider) ?? 0,
    stateOf(provider) {
      const breaker = get(provider);
      // An open breaker whose time has passed lets the next request probe: say so.
      return breaker.state === 'open' && allows(breaker, nowMs()) ? 'half_open' : breaker.state;
    },
    nextTryMs(providers) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const provider of providers) {
        const breaker = get(provider);
        const at =
          breaker.state === 'closed'
            ? nowMs()
            : breaker.state === 'open'
              ? breaker.untilMs
              : breaker.probeUntilMs;
        earliest = Math.min(earliest, at);
      }
      return earliest;
    },
    take(provider, maxConcurrency) {
      const current = flying.get(provider) ?? 0;
      if (current >= maxConcurrency) return null;
      const taken = take(get(provider), nowMs(), limits);
      if (!taken.granted) return null;
      breakers.set(provider, taken.breaker);
      flying.set(provider, current + 1);
      let open = true;
      return {
        done(what) {
          if (!open) return;
          open = false;
          flying.set(provider, (flying.get(provider) ?? 1) - 1);
          breakers.set(provider, report(get(provider), what, taken.probe, nowMs(), limits));
        },
      };
    },
  };
}
