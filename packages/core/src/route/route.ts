/** ROUTE: policy ▸ complexity ▸ floor ▸ choose. One function for requests and for dry runs. Pure. */
import { scoreComplexity } from '../complexity/score.ts';
import type { Config, Tier } from '../config/types.ts';
import type { Refusal } from '../errors.ts';
import { floorOf, readComplexity } from '../policy/floor.ts';
import { lastUserText } from '../policy/keywords.ts';
import { selectPolicy } from '../policy/select.ts';
import { type Choice, type ChooseInput, choose } from './choose.ts';

/** What a caller says about the route. */
export interface Wish {
  /** Of `X-Arbstr-Policy`; null = not said. */
  readonly policy: string | null;
  /** Of `X-Arbstr-Complexity`. */
  readonly complexity: string | null;
}

export interface Routed {
  /** Name of the policy that was applied. */
  readonly policy: string | null;
  /** 0…1; null where the request did not get so far. */
  readonly score: number | null;
  readonly floor: Tier | null;
  readonly choice: Choice | Refusal;
}

export type RouteInput = Omit<
  ChooseInput,
  'rule' | 'virtual' | 'floor' | 'strategy' | 'outputExpectation'
> & {
  readonly wish: Wish;
  readonly config: Pick<Config, 'policies' | 'virtualModels' | 'routing'>;
  /** Output tokens per choice that a model is expected to produce under a policy. */
  readonly expectation: (model: string, policy: string | null) => number;
};

export function route(input: RouteInput): Routed {
  const { request, wish, config } = input;
  const complexity = readComplexity(wish.complexity);
  if (typeof complexity === 'object' && complexity !== null) return unrouted(complexity);
  const selected = selectPolicy(config.policies, wish.policy, () => lastUserText(request.messages));
  if (selected.kind === 'refused') return unrouted(selected);

  const virtual = config.virtualModels.get(request.model) ?? null;
  // An embedding asks nothing, so nothing about it is hard.
  const asks = request.messages.length > 0;
  const score = asks ? scoreComplexity(request, config.routing.weights) : 0;
  const under = (rule: typeof selected.rule): Routed => {
    const policy = rule?.name ?? null;
    const floor = floorOf({
      complexity,
      score,
      isVirtual: virtual !== null,
      rule,
      routing: config.routing,
    });
    const choice = choose({
      ...input,
      rule,
      virtual,
      floor,
      strategy: rule?.strategy ?? config.policies.defaultStrategy,
      outputExpectation: (model) => input.expectation(model, policy),
    });
    return { policy, score, floor, choice };
  };
  const routed = under(selected.rule);
  // A guess may narrow the choice; one that would leave nothing was wrong.
  const wasGuess = selected.rule !== null && !selected.named;
  return routed.choice.kind === 'refused' && wasGuess ? under(null) : routed;
}

const unrouted = (refusal: Refusal): Routed => ({
  policy: null,
  score: null,
  floor: null,
  choice: refusal,
});
