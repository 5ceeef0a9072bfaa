/** The stream through core's own routing, and what the chosen sellers would have charged. */
import type { Config, Offer, Strategy } from '../../packages/core/src/config/types.ts';
import { costOf, type TokenUsage } from '../../packages/core/src/pricing/cost.ts';
import { createExpectations } from '../../packages/core/src/pricing/expectation.ts';
import type { Choice } from '../../packages/core/src/route/choose.ts';
import { createObserved } from '../../packages/core/src/route/observed.ts';
import { route } from '../../packages/core/src/route/route.ts';
import { sellersOf } from '../../packages/core/src/route/sellers.ts';
import { createRandom } from '../../test/crash/support/random.ts';
import type { Replayed } from './requests.ts';

export interface ReplayOrder {
  readonly config: Config;
  readonly requests: readonly Replayed[];
  /** Concrete, or `auto`. */
  readonly model: string;
  readonly strategy: Strategy;
  readonly seed: number;
}

export interface Served {
  readonly replayed: Replayed;
  readonly choice: Choice;
  readonly costMsat: number;
  /** Where what a conversation repeats is in the cache of the seller that answered it before. */
  readonly cachedCostMsat: number;
}

/** Between two requests. */
const STEP_MS = 2_000;
/** Times to the first token are made up: each seller has one between these, and each answer is within ± 40 % of it. */
const FIRST_TOKEN_MS = [200, 1_200] as const;
const JITTER = 0.4;
/** Core's default where the caller does not bound its answer. */
const BILLING = { defaultReserveTokens: 4_096 };

/** The first candidate answers: nobody fails here, and no seller is full. */
const ALWAYS = {
  allows: () => true,
  inFlight: () => 0,
  balanceMsat: () => null,
  nextTryMs: () => 0,
};

export function replay(order: ReplayOrder): Served[] {
  const { config, requests, model, strategy, seed } = order;
  const random = createRandom(seed).fork(`${model} ${strategy}`);
  let nowMs = 0;
  const observed = createObserved(() => nowMs, random.next);
  const ranking = observed.ranking(true);
  const expectations = createExpectations();
  const policies = { ...config.policies, defaultStrategy: strategy };
  /** Conversation → who answered last. */
  const answeredBy = new Map<number, string>();
  return requests.map((replayed) => {
    nowMs += STEP_MS;
    const { choice } = route({
      request: { ...replayed.request, model },
      wish: { policy: null, complexity: null },
      config: { ...config, policies },
      sellers: sellersOf(config.providers),
      prompt: replayed.prompt,
      expectation: expectations.of,
      agentModels: null,
      ranking,
      billing: BILLING,
      maxAttempts: config.retry.maxAttempts,
      rescue: 'off',
      availability: ALWAYS,
      nowMs,
    });
    if (choice.kind === 'refused') throw new Error(`${model}: ${choice.message}`);
    const [{ provider, offer }] = choice.candidates;
    const isWarm = answeredBy.get(replayed.conversation) === provider.name;
    answeredBy.set(replayed.conversation, provider.name);
    const ms = firstTokenMs(provider.name, seed, random.next());
    observed.observe(provider.name, offer.model, true, ms);
    expectations.observe(offer.model, null, replayed.outputTokens);
    return {
      replayed,
      choice,
      costMsat: costAt(offer, replayed, false),
      cachedCostMsat: costAt(offer, replayed, isWarm),
    };
  });
}

export function costAt(offer: Offer, replayed: Replayed, isWarm: boolean): number {
  const usage: TokenUsage = {
    inputTokens: replayed.prompt.textTokens,
    cachedInputTokens: isWarm ? replayed.repeatedTokens : 0,
    outputTokens: replayed.outputTokens,
  };
  return costOf(offer.rates, usage);
}

function firstTokenMs(seller: string, seed: number, random: number): number {
  const usual = createRandom(seed)
    .fork(`latency of ${seller}`)
    .int(...FIRST_TOKEN_MS);
  return usual * (1 + JITTER * (2 * random - 1));
}
