/** In which order candidates are tried. Pure: what was observed and what is drawn is passed in. */
import type { Strategy } from '../config/types.ts';
import type { Candidate } from './eligible.ts';

export interface Ranking {
  /** Moving average of the time to the first token (not streamed: to the whole answer), ms; null = not observed lately. */
  latencyMs(provider: string, model: string): number | null;
  /** Counts up with every request under this name: whose turn it is. */
  turn(name: string): number;
  /** In [0, 1). */
  random(): number;
}

/** Share of the requests under `lowest_latency` that go to somebody whose latency is not known. */
const EXPLORE_SHARE = 0.05;

/** Who is tried first, and behind it the others: by cost, by latency, or as their turns come. */
export function rank(
  candidates: readonly Candidate[],
  strategy: Strategy,
  name: string,
  ranking: Ranking,
): Candidate[] {
  const byCost = (): Candidate[] => candidates.toSorted(byExpectedCost(ranking));
  switch (strategy) {
    case 'cheapest':
      return byCost();
    case 'lowest_latency':
      return byLatency(byCost(), ranking);
    case 'round_robin': {
      const inTurn = candidates.toSorted(byName);
      const next = ranking.turn(name) % inTurn.length;
      return [...inTurn.slice(next), ...inTurn.slice(0, next)];
    }
    case 'weighted': {
      const ordered = byCost();
      return first(drawn(ordered, ranking.random()), ordered);
    }
  }
}

/** A total order: cheapest for this request, then who answered fastest, then name. */
function byExpectedCost(ranking: Ranking) {
  const latency = ({ provider, offer }: Candidate): number =>
    ranking.latencyMs(provider.name, offer.model) ?? Number.MAX_SAFE_INTEGER;
  return (a: Candidate, b: Candidate): number =>
    a.expectedMsat - b.expectedMsat || latency(a) - latency(b) || byName(a, b);
}

/** By provider, and where one sells several of the models, by model. */
const byName = (a: Candidate, b: Candidate): number =>
  ascending(a.provider.name, b.provider.name) || ascending(a.offer.model, b.offer.model);

const ascending = (left: string, right: string): number =>
  left < right ? -1 : left > right ? 1 : 0;

function byLatency(byCost: readonly Candidate[], ranking: Ranking): Candidate[] {
  const unknown: Candidate[] = [];
  const timed: { readonly candidate: Candidate; readonly ms: number }[] = [];
  for (const candidate of byCost) {
    const ms = ranking.latencyMs(candidate.provider.name, candidate.offer.model);
    if (ms === null) unknown.push(candidate);
    else timed.push({ candidate, ms });
  }
  const known = timed.toSorted((a, b) => a.ms - b.ms).map(({ candidate }) => candidate);
  // Where nothing is known yet they stand by cost: exploring is bounded then, too.
  const explores = unknown.length > 0 && ranking.random() < EXPLORE_SHARE;
  if (!explores) return [...known, ...unknown];
  const chosen = unknown[Math.floor(ranking.random() * unknown.length)]!;
  return first(chosen, [...known, ...unknown]);
}

/** By weight; where all weights are 0, the cheapest. */
function drawn(candidates: readonly Candidate[], random: number): Candidate {
  const total = candidates.reduce((sum, { provider }) => sum + provider.weight, 0);
  let left = random * total;
  for (const candidate of candidates) {
    left -= candidate.provider.weight;
    if (left < 0) return candidate;
  }
  return candidates[0]!;
}

const first = (chosen: Candidate, all: readonly Candidate[]): Candidate[] => [
  chosen,
  ...all.filter((candidate) => candidate !== chosen),
];
