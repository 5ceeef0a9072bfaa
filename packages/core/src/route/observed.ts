/** What ranking knows of the past: latencies and turns. Bounded; forgotten with the process. */
import type { Ranking } from './rank.ts';

export interface Observed extends Ranking {
  /** Of an answer that came from the first attempt, ms. */
  observe(provider: string, model: string, firstTokenMs: number): void;
  /** For a dry run: the same knowledge, and no turn is taken. */
  readonly dry: Ranking;
}

/** Weight of the newest observation. */
const ALPHA = 0.2;
/** An observation that is older says nothing of now. */
const FRESH_MS = 600_000;
const ENTRIES_MAX = 20_000;

export function createObserved(nowMs: () => number, random: () => number): Observed {
  /** By provider and model: a joined key would be made anew at each look. */
  const latencies = new Map<string, Map<string, { ms: number; atMs: number }>>();
  let entries = 0;
  const turns = new Map<string, number>();
  const latencyMs: Ranking['latencyMs'] = (provider, model) => {
    const known = latencies.get(provider)?.get(model);
    return known === undefined || nowMs() - known.atMs > FRESH_MS ? null : known.ms;
  };
  return {
    latencyMs,
    random,
    turn(name) {
      const turn = turns.get(name) ?? 0;
      if (turns.size >= ENTRIES_MAX) turns.clear();
      turns.set(name, (turn + 1) % Number.MAX_SAFE_INTEGER);
      return turn;
    },
    observe(provider, model, firstTokenMs) {
      const before = latencyMs(provider, model);
      const ms = before === null ? firstTokenMs : before + ALPHA * (firstTokenMs - before);
      if (latencies.get(provider)?.has(model) !== true) {
        if (entries >= ENTRIES_MAX) {
          latencies.clear();
          entries = 0;
        }
        entries++;
      }
      let ofProvider = latencies.get(provider);
      if (ofProvider === undefined) {
        ofProvider = new Map();
        latencies.set(provider, ofProvider);
      }
      ofProvider.set(model, { ms, atMs: nowMs() });
    },
    dry: { latencyMs, turn: (name) => turns.get(name) ?? 0, random: () => 0.5 },
  };
}
