/** What ranking knows of the past: latencies and turns. Bounded; forgotten with the process. */
import type { Ranking } from './rank.ts';

/**
 * Streams and whole answers are kept apart: the time to a first token and that to a whole answer
 * cannot be compared, and who begins first need not be done first.
 */
export interface Observed {
  /** Of an answer that came from the first attempt: ms to its first token, or until it was whole. */
  observe(provider: string, model: string, streaming: boolean, ms: number): void;
  ranking(streaming: boolean): Ranking;
  /** For a dry run: the same knowledge, and no turn is taken. */
  dry(streaming: boolean): Ranking;
}

/** Weight of the newest observation. */
const ALPHA = 0.2;
/** An observation that is older says nothing of now. */
const FRESH_MS = 600_000;
const ENTRIES_MAX = 20_000;

export function createObserved(nowMs: () => number, random: () => number): Observed {
  const streams = createLatencies(nowMs);
  const wholes = createLatencies(nowMs);
  const of = (streaming: boolean): Latencies => (streaming ? streams : wholes);
  const turns = new Map<string, number>();
  const turnOf = (name: string): number => turns.get(name) ?? 0;
  function turn(name: string): number {
    const mine = turnOf(name);
    if (turns.size >= ENTRIES_MAX) turns.clear();
    turns.set(name, (mine + 1) % Number.MAX_SAFE_INTEGER);
    return mine;
  }
  return {
    observe(provider, model, streaming, ms) {
      of(streaming).observe(provider, model, ms);
    },
    ranking: (streaming) => ({ latencyMs: of(streaming).of, turn, random }),
    dry: (streaming) => ({ latencyMs: of(streaming).of, turn: turnOf, random: () => 0.5 }),
  };
}

interface Latencies {
  readonly of: Ranking['latencyMs'];
  observe(provider: string, model: string, ms: number): void;
}

function createLatencies(nowMs: () => number): Latencies {
  /** By provider and model: a joined key would be made anew at each look. */
  const byProvider = new Map<string, Map<string, { ms: number; atMs: number }>>();
  let entries = 0;
  const latencyOf: Ranking['latencyMs'] = (provider, model) => {
    const known = byProvider.get(provider)?.get(model);
    return known === undefined || nowMs() - known.atMs > FRESH_MS ? null : known.ms;
  };
  function modelsOf(provider: string): Map<string, { ms: number; atMs: number }> {
    const known = byProvider.get(provider);
    if (known !== undefined) return known;
    const models = new Map<string, { ms: number; atMs: number }>();
    byProvider.set(provider, models);
    return models;
  }
  return {
    of: latencyOf,
    observe(provider, model, ms) {
      const before = latencyOf(provider, model);
      if (entries >= ENTRIES_MAX) {
        byProvider.clear();
        entries = 0;
      }
      const models = modelsOf(provider);
      if (!models.has(model)) entries++;
      const average = before === null ? ms : before + ALPHA * (ms - before);
      models.set(model, { ms: average, atMs: nowMs() });
    },
  };
}
