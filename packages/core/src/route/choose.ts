/**
 * Which candidates serve a request, in which order, and what it can cost at most. Pure: what moves
 * (breakers, latencies, turns) is asked through ports, so that a dry run shares this code.
 *
 *   models of the name ▸ sellers ▸ eligible ▸ floor ▸ rank ▸ ceiling
 */
import type { Msat } from '@arbstr/shared';
import type { Rescue, Strategy, Tier, VirtualModel } from '../config/types.ts';
import type { Refusal } from '../errors.ts';
import { rankOfTier } from '../policy/floor.ts';
import { ceilingOf } from '../pricing/ceiling.ts';
import { type Candidate, type EligibleInput, type Exclusion, judge } from './eligible.ts';
import { type Ranking, rank } from './rank.ts';
import { refuseNobody } from './refuse-nobody.ts';
import type { Sellers } from './sellers.ts';

export type { Availability, Candidate, Exclusion } from './eligible.ts';

export interface Choice {
  readonly kind: 'chosen';
  /** Best first; at most as many as may be tried. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
  /** Everybody who could have served it, for what it would have cost there. */
  readonly qualified: readonly Candidate[];
  readonly excluded: readonly Excluded[];
  /** Worst case over `candidates`, each of which may serve: what is reserved. */
  readonly ceilingMsat: Msat;
  readonly rescue: Rescue;
}

export interface Excluded {
  readonly provider: string;
  readonly model: string;
  readonly exclusion: Exclusion;
}

export interface ChooseInput extends EligibleInput {
  readonly sellers: Sellers;
  /** Where the model that was asked for is virtual. */
  readonly virtual: VirtualModel | null;
  /** The lowest tier that may serve; null = any. */
  readonly floor: Tier | null;
  readonly strategy: Strategy;
  readonly maxAttempts: number;
  readonly rescue: Rescue;
  readonly ranking: Ranking;
  readonly nowMs: number;
}

export function choose(input: ChooseInput): Choice | Refusal {
  const { eligible, excluded } = judgeAll(input);
  const { qualified, below } = byFloor(input, eligible, excluded);
  if (qualified.length === 0) return refuseNobody(input, excluded);
  const ranked = rank(qualified, input.strategy, rankName(input), input.ranking);
  // An answer from below the floor is better than none: the highest of them first.
  const fallbacks = rank(below, 'cheapest', '', input.ranking).toSorted(
    (a, b) => rankOfTier(b.tier) - rankOfTier(a.tier),
  );
  const candidates = [...ranked, ...fallbacks].slice(0, input.maxAttempts);
  const unused = below.filter((candidate) => !candidates.includes(candidate));
  const [best] = candidates;
  return {
    kind: 'chosen',
    candidates: [best!, ...candidates.slice(1)],
    qualified,
    excluded: [...excluded, ...unused.map((each) => excludedBy({ reason: 'below_floor' }, each))],
    rescue: input.rule?.rescue ?? input.rescue,
    ceilingMsat: ceilingOf(
      candidates.map((candidate) => ({
        rates: candidate.offer.rates,
        inputTokensMax: candidate.inputTokensMax,
        outputTokensMax: (candidate.outputBound ?? 0) * input.request.n,
      })),
    ),
  };
}

function judgeAll(input: ChooseInput): { eligible: Candidate[]; excluded: Excluded[] } {
  const eligible: Candidate[] = [];
  const excluded: Excluded[] = [];
  const { virtual, request } = input;
  const models: Iterable<readonly [string, Tier | null]> =
    virtual === null ? [[request.model, null]] : virtual.models;
  for (const [model, listed] of models) {
    for (const seller of input.sellers.get(model) ?? []) {
      const judged = judge(input, seller, listed ?? seller.provider.tier);
      if ('offer' in judged) eligible.push(judged);
      else excluded.push({ provider: seller.provider.name, model, exclusion: judged });
    }
  }
  return { eligible, excluded };
}

interface Tiers {
  /** At or above the floor; where there are none, those of the highest tier below it. */
  readonly qualified: readonly Candidate[];
  /** The others, whom the policy lets serve where all of these fail. */
  readonly below: readonly Candidate[];
}

function byFloor(
  { floor, rule }: ChooseInput,
  eligible: readonly Candidate[],
  excluded: Excluded[],
): Tiers {
  if (floor === null) return { qualified: eligible, below: [] };
  const isStrict = rule?.strictTier === true;
  const highest = Math.max(...eligible.map(({ tier }) => rankOfTier(tier)));
  const lowest = isStrict ? rankOfTier(floor) : Math.min(rankOfTier(floor), highest);
  const reaches = ({ tier }: Candidate): boolean => rankOfTier(tier) >= lowest;
  const below = eligible.filter((candidate) => !reaches(candidate));
  if (!isStrict) return { qualified: eligible.filter(reaches), below };
  excluded.push(...below.map((candidate) => excludedBy(STRICT, candidate)));
  return { qualified: eligible.filter(reaches), below: [] };
}

const STRICT: Exclusion = { reason: 'policy', rule: 'strict_tier' };

const excludedBy = (exclusion: Exclusion, { provider, offer }: Candidate): Excluded => ({
  provider: provider.name,
  model: offer.model,
  exclusion,
});

const rankName = ({ request, rule }: ChooseInput): string => `${rule?.name ?? ''} ${request.model}`;
