import {
  allows,
  type Breaker,
  type BreakerLimits,
  CLOSED,
  opensAtMs,
  type Probe,
  type Report,
  report,
  take,
} from './state.ts';

/** What an attempt says, before it is known how long things last. */
export type Verdict =
  | { readonly heard: 'healthy' | 'nothing' }
  | {
      readonly heard: 'failing';
      /** Whom it is about: all that the provider serves, or this model there. */
      readonly scope: 'provider' | 'model';
      readonly coolDown: CoolDown;
      readonly pauseMs: number;
      readonly repeated: boolean;
    };

/** A refused key or an empty account is not mended within seconds, so it is asked less often. */
export type CoolDown = 'usual' | 'credentials' | 'payment';

/** Of one model at one endpoint of one provider. */
export interface Seat {
  readonly provider: string;
  /** As `seatOf` names it. */
  readonly seat: string;
}

/** A granted attempt. `done` must be called at least once; later calls do nothing. */
export interface Permit {
  done(what: Verdict): void;
}

export interface BreakerTimes extends BreakerLimits {
  readonly openMs: number;
  readonly credentialsMs: number;
  readonly paymentMs: number;
}

/**
 * Breakers per provider and per model at it, and in-flight counts per provider. A permit is released
 * by `done` (called in `finally`) and has a deadline of its own besides, so that it cannot leak.
 */
export interface BreakerRegistry {
  allows(provider: string, model: string): boolean;
  /** Null where a breaker or the concurrency limit refuses. */
  take(provider: string, model: string, maxConcurrency: number): Permit | null;
  inFlight(provider: string): number;
  stateOf(provider: string): Breaker['state'];
  /** When a paused provider may be used again, Unix ms; null = it is not paused. */
  pausedUntilMs(provider: string): number | null;
  /** Models of this provider whose own breaker is not closed. */
  modelsOf(provider: string): Readonly<Record<string, Breaker['state']>>;
  /** The name stands for another provider now: its failures say nothing. What is in flight still counts. */
  forget(provider: string): void;
  /** When the earliest of these may be tried again, Unix ms. */
  nextTryMs(seats: readonly Seat[]): number;
}

/** Breakers by key; a closed one without a past takes no room. */
class Breakers {
  readonly #byKey = new Map<string, Breaker>();

  get(key: string): Breaker {
    return this.#byKey.get(key) ?? CLOSED;
  }

  set(key: string, breaker: Breaker, nowMs: number): void {
    const isClean =
      breaker.state === 'closed' && breaker.failures === 0 && breaker.pausedUntilMs <= nowMs;
    if (isClean) this.#byKey.delete(key);
    else this.#byKey.set(key, breaker);
  }

  entries(): Iterable<[string, Breaker]> {
    return this.#byKey;
  }
}

export function createBreakers(times: BreakerTimes, nowMs: () => number): BreakerRegistry {
  const providers = new Breakers();
  const models = new Map<string, Breakers>();
  const flying = new Map<string, number>();
  const modelsAt = (provider: string): Breakers => {
    let at = models.get(provider);
    if (at === undefined) {
      at = new Breakers();
      models.set(provider, at);
    }
    return at;
  };
  const modelBreaker = (provider: string, model: string): Breaker =>
    models.get(provider)?.get(model) ?? CLOSED;

  /** An open breaker whose time has passed lets the next request probe: say so. */
  const shown = (breaker: Breaker): Breaker['state'] =>
    breaker.state === 'open' && allows(breaker, nowMs()) ? 'half_open' : breaker.state;

  function mayPass(provider: string, model: string): boolean {
    const now = nowMs();
    return allows(providers.get(provider), now) && allows(modelBreaker(provider, model), now);
  }

  function hear(provider: string, model: string, what: Verdict, probes: Probes): void {
    const now = nowMs();
    const isAboutModel = what.heard === 'failing' && what.scope === 'model';
    const said = reportOf(what, times);
    const ofProvider = isAboutModel ? NOTHING : said;
    // What the provider did says nothing of the model alone, but an answer speaks for both.
    const ofModel = what.heard === 'failing' && !isAboutModel ? NOTHING : said;
    const provided = report(providers.get(provider), ofProvider, probes.provider, now, times);
    providers.set(provider, provided, now);
    const at = modelsAt(provider);
    at.set(model, report(at.get(model), ofModel, probes.model, now, times), now);
  }

  return {
    allows: mayPass,
    inFlight: (provider) => flying.get(provider) ?? 0,
    stateOf: (provider) => shown(providers.get(provider)),
    pausedUntilMs(provider) {
      const breaker = providers.get(provider);
      return breaker.state === 'closed' && !allows(breaker, nowMs()) ? breaker.pausedUntilMs : null;
    },
    modelsOf(provider) {
      const states: Record<string, Breaker['state']> = {};
      for (const [model, breaker] of models.get(provider)?.entries() ?? []) {
        if (breaker.state !== 'closed') states[model] = shown(breaker);
      }
      return states;
    },
    nextTryMs(seats) {
      let earliest = Number.POSITIVE_INFINITY;
      for (const { provider, seat } of seats) {
        const atMs = Math.max(
          opensAtMs(providers.get(provider)),
          opensAtMs(modelBreaker(provider, seat)),
          nowMs(),
        );
        earliest = Math.min(earliest, atMs);
      }
      return earliest;
    },
    forget(provider) {
      providers.set(provider, CLOSED, nowMs());
      models.delete(provider);
      if (flying.get(provider) === 0) flying.delete(provider);
    },
    take(provider, model, maxConcurrency) {
      const current = flying.get(provider) ?? 0;
      if (current >= maxConcurrency || !mayPass(provider, model)) return null;
      const now = nowMs();
      const ofProvider = take(providers.get(provider), now, times);
      const ofModel = take(modelBreaker(provider, model), now, times);
      providers.set(provider, ofProvider.breaker, now);
      if (ofModel.probe !== null) modelsAt(provider).set(model, ofModel.breaker, now);
      flying.set(provider, current + 1);
      let open = true;
      return {
        done(what) {
          if (!open) return;
          open = false;
          flying.set(provider, (flying.get(provider) ?? 1) - 1);
          hear(provider, model, what, { provider: ofProvider.probe, model: ofModel.probe });
        },
      };
    },
  };
}

interface Probes {
  readonly provider: Probe;
  readonly model: Probe;
}

const NOTHING: Report = { heard: 'nothing' };

function reportOf(what: Verdict, times: BreakerTimes): Report {
  if (what.heard !== 'failing') return { heard: what.heard };
  const { pauseMs, repeated } = what;
  return { heard: 'failing', openMs: openMsOf(what.coolDown, times), pauseMs, repeated };
}

function openMsOf(coolDown: CoolDown, times: BreakerTimes): number {
  switch (coolDown) {
    case 'usual':
      return times.openMs;
    case 'credentials':
      return times.credentialsMs;
    case 'payment':
      return times.paymentMs;
  }
}
