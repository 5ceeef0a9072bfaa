/** In which order candidates are tried. Pure: what was observed and what is drawn is passed in. */
import type { Strategy } from '../config/types.ts';
import type { Candidate } from './eligible.ts';

export interface Ranking {
  /** Moving average of the time to the first token, ms; null = not observed lately. */
  latencyMs(provider: string, model: string): number | null;
  /** Counts up with every request under this name: whose turn it is. */
  turn(name: string): number;
  /** In [0, 1). */
  random(): number;
}

/** Share of the requests under `lowest_latency` that go to somebody whose latency is not known. */
const EXPLORE_SHARE = 0.05;

/** Every strategy puts one candidate first; behind it the others stand by cost. */
export function rank(
  candidates: readonly Candidate[],
  strategy: Strategy,
  name: string,
  ranking: Ranking,
): Candidate[] {
  const byCost = candidates.toSorted(byExpectedCost(ranking));
  switch (strategy) {
    case 'cheapest':
      return byCost;
    case 'lowest_latency':
      return byLatency(byCost, ranking);
    case 'round_robin': {
      const inTurn = byCost.toSorted(byName);
      const next = ranking.turn(name) % inTurn.length;
      return [...inTurn.slice(next), ...inTurn.slice(0, next)];
    }
    case 'weighted':
      return first(drawn(byCost, ranking.random()), byCost);
  }
}

/** A total order: cheapest for this request, then who answered fastest, then name. */
function byExpectedCost(ranking: Ranking) {
  const latency = ({ provider, offer }: Candidate): number =>
    ranking.latencyMs(provider.name, offer.model) ?? Number.MAX_SAFE_INTEGER;
  return (a: Candidate, b: Candidate): number =>
    a.expectedMsat - b.expectedMsat || latency(a) - latency(b) || byName(a, b);
}

function byName(a: Candidate, b: Candidate): number {
  const [left, right] = [a, b].map(({ provider, offer }) => `${provider.name} ${offer.model}`);
  return left! < right! ? -1 : left! > right! ? 1 : 0;
}

function byLatency(byCost: readonly Candidate[], ranking: Ranking): Candidate[] {
  const latency = ({ provider, offer }: Candidate): number | null =>
    ranking.latencyMs(provider.name, offer.model);
  const unknown = byCost.filter((candidate) => latency(candidate) === null);
  const known = byCost
    .filter((candidate) => latency(candidate) !== null)
    .toSorted((a, b) => latency(a)! - latency(b)!);
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
