/**
 * Which providers may serve a request, in which order, and what it can cost at most. Pure: breaker
 * and concurrency are asked through `availability`, so that `check`s and dry runs share this code.
 */
import type { Msat } from '@arbstr/shared';
import type { Offer, ProviderConfig, Rescue } from '../config/types.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { ChatRequest } from '../openai/chat-request.ts';
import { isOpenAiReasoningModel } from '../openai/model-family.ts';
import { refusedParam } from '../openai/refused-params.ts';
import { TOLERANCE_MARGIN_TOKENS } from '../pricing/bill.ts';
import { ceilingOf } from '../pricing/ceiling.ts';
import { expectedCost } from '../pricing/expected.ts';
import type { PromptEstimate } from '../tokens/prompt.ts';

export interface Candidate {
  readonly provider: ProviderConfig;
  readonly offer: Offer;
  readonly expectedMsat: Msat;
  /** Output tokens per choice that bound the bill; null in free mode where the caller gave none. */
  readonly outputBound: number | null;
  /** Where core sends the bound itself, in the spelling that the model takes. */
  readonly sendBoundAs: 'max_tokens' | 'max_completion_tokens' | null;
  readonly inputTokensMax: number;
}

export interface Choice {
  readonly kind: 'chosen';
  /** Cheapest first; at most as many as may be tried. */
  readonly candidates: readonly [Candidate, ...Candidate[]];
  /** Worst case over `candidates`: what is reserved. */
  readonly ceilingMsat: Msat;
  /** Of the prompt, images included, at the first candidate: what a crash after dispatch bills at least. */
  readonly estimatedInputTokens: number;
  readonly rescue: Rescue;
}

export type Exclusion =
  | { reason: 'unsupported_parameter'; param: string }
  | { reason: 'no_capability'; capability: string }
  | { reason: 'context_too_small'; contextWindow: number }
  | { reason: 'breaker_open' }
  | { reason: 'busy' };

export interface Availability {
  allows(provider: string, model: string): boolean;
  inFlight(provider: string): number;
  nextTryMs(seats: readonly { provider: string; model: string }[]): number;
}

export interface ChooseInput {
  readonly request: ChatRequest;
  readonly providers: readonly ProviderConfig[];
  readonly prompt: PromptEstimate;
  /** Output tokens that this model is expected to produce. */
  readonly outputExpectation: number;
  /** Null in free mode. */
  readonly billing: { readonly defaultReserveTokens: number } | null;
  readonly maxAttempts: number;
  readonly rescue: Rescue;
  readonly availability: Availability;
  readonly nowMs: number;
}

/** A hold covers twice our own count at least, also where a provider's reports are trusted. */
const TOLERANCE_MIN = 2;

export function choose(input: ChooseInput): Choice | Refusal {
  const { request } = input;
  const eligible: Candidate[] = [];
  const excluded: { provider: string; exclusion: Exclusion }[] = [];
  for (const provider of input.providers) {
    const offer = provider.offers.get(request.model);
    if (offer === undefined) continue;
    const exclusion = exclude(input, provider, offer);
    if (exclusion === null) eligible.push(candidateOf(input, provider, offer));
    else excluded.push({ provider: provider.name, exclusion });
  }
  if (eligible.length === 0) return refuseNobody(input, excluded);
  const candidates = eligible.sort(byExpectedCost).slice(0, input.maxAttempts);
  return {
    kind: 'chosen',
    candidates: [candidates[0]!, ...candidates.slice(1)],
    rescue: input.rescue,
    estimatedInputTokens: inputTokens(input, candidates[0]!.offer),
    ceilingMsat: ceilingOf(
      candidates.map((candidate) => ({
        rates: candidate.offer.rates,
        inputTokensMax: candidate.inputTokensMax,
        outputTokensMax: (candidate.outputBound ?? 0) * request.n,
      })),
    ),
  };
}

/** A total order: cheapest for this request, then name. */
function byExpectedCost(a: Candidate, b: Candidate): number {
  if (a.expectedMsat !== b.expectedMsat) return a.expectedMsat - b.expectedMsat;
  return a.provider.name < b.provider.name ? -1 : 1;
}

function exclude(input: ChooseInput, provider: ProviderConfig, offer: Offer): Exclusion | null {
  const { request, availability } = input;
  if (input.billing !== null) {
    const param = refusedParam(request, provider.kind, provider.allowParams);
    if (param !== null) return { reason: 'unsupported_parameter', param };
  }
  const capability = missingCapability(request, offer);
  if (capability !== null) return { reason: 'no_capability', capability };
  if (offer.contextWindow !== null && inputTokens(input, offer) > offer.contextWindow) {
    return { reason: 'context_too_small', contextWindow: offer.contextWindow };
  }
  if (!availability.allows(provider.name, offer.model)) return { reason: 'breaker_open' };
  if (availability.inFlight(provider.name) >= provider.maxConcurrency) return { reason: 'busy' };
  return null;
}

function missingCapability(request: ChatRequest, offer: Offer): string | null {
  if (offer.supports === null) return null;
  if (request.hasTools && !offer.supports.has('tools')) return 'tools';
  if (request.hasImages && !offer.supports.has('images')) return 'images';
  if (request.wantsJson && !offer.supports.has('json')) return 'json';
  return null;
}

const inputTokens = (input: ChooseInput, offer: Offer): number =>
  input.prompt.textTokens + input.prompt.images * offer.imageTokens;

function candidateOf(input: ChooseInput, provider: ProviderConfig, offer: Offer): Candidate {
  const { request, billing } = input;
  const estimatedInput = inputTokens(input, offer);
  const own = ownBound(input, offer, estimatedInput);
  const outputBound =
    request.maxTokens === null
      ? own
      : Math.min(
          request.maxTokens,
          offer.maxOutputTokens ?? Number.MAX_SAFE_INTEGER,
          offer.contextWindow ?? Number.MAX_SAFE_INTEGER,
        );
  const tolerance = Math.max(provider.usageTolerance, TOLERANCE_MIN);
  return {
    provider,
    offer,
    expectedMsat: expectedCost(offer.rates, {
      inputTokens: estimatedInput,
      outputTokens:
        Math.min(input.outputExpectation, outputBound ?? Number.MAX_SAFE_INTEGER) * request.n,
    }),
    outputBound,
    sendBoundAs: billing !== null && request.maxTokens === null ? boundKey(request.model) : null,
    // Whatever input the bill would believe (pricing/bill.ts) must be covered by the hold.
    inputTokensMax: Math.min(
      Math.ceil(tolerance * estimatedInput) + TOLERANCE_MARGIN_TOKENS,
      offer.contextWindow ?? Number.MAX_SAFE_INTEGER,
    ),
  };
}

/** The bound that core sends where the caller gave none; only a bill needs one. */
function ownBound(input: ChooseInput, offer: Offer, estimatedInput: number): number | null {
  if (input.billing === null) return null;
  const room =
    offer.contextWindow === null
      ? Number.MAX_SAFE_INTEGER
      : Math.max(1, offer.contextWindow - estimatedInput);
  return Math.min(
    offer.maxOutputTokens ?? Number.MAX_SAFE_INTEGER,
    room,
    input.billing.defaultReserveTokens,
  );
}

/** Everybody but OpenAI's reasoning models knows the older name. */
function boundKey(model: string): 'max_tokens' | 'max_completion_tokens' {
  return isOpenAiReasoningModel(model) ? 'max_completion_tokens' : 'max_tokens';
}

function refuseNobody(
  input: ChooseInput,
  excluded: readonly { provider: string; exclusion: Exclusion }[],
): Refusal {
  const model = JSON.stringify(input.request.model);
  if (excluded.length === 0) {
    return refuse(
      'model_not_found',
      `No provider serves the model ${model}. GET /v1/models lists what is served.`,
      { param: 'model' },
    );
  }
  const waiting = excluded.filter(({ exclusion }) => exclusion.reason === 'breaker_open');
  if (waiting.length > 0) {
    const atMs = input.availability.nextTryMs(
      waiting.map(({ provider }) => ({ provider, model: input.request.model })),
    );
    return refuse(
      'no_healthy_provider',
      `Every provider of ${model} rests, after failures or because it asked for a pause (${names(waiting)}). Try again later.`,
      { retryAfterSecs: Math.max(1, Math.ceil((atMs - input.nowMs) / 1000)) },
    );
  }
  if (excluded.some(({ exclusion }) => exclusion.reason === 'busy')) {
    return refuse(
      'overloaded',
      `Every provider of ${model} is at its concurrency limit. Try again shortly.`,
    );
  }
  return refuseUnfit(model, excluded[0]!.exclusion, input);
}

const names = (list: readonly { provider: string }[]): string =>
  list.map(({ provider }) => provider).join(', ');

function refuseUnfit(model: string, exclusion: Exclusion, input: ChooseInput): Refusal {
  switch (exclusion.reason) {
    case 'unsupported_parameter':
      return refuse(
        'unsupported_parameter',
        `${exclusion.param} can change the price or the model behind the bill and is refused. Leave it out, or have the operator add it to the provider's allow_params.`,
        { param: exclusion.param },
      );
    case 'context_too_small':
      return refuse(
        'context_length_exceeded',
        `The prompt has about ${input.prompt.textTokens} tokens; ${model} takes at most ${exclusion.contextWindow}. Shorten the messages.`,
        { param: 'messages' },
      );
    case 'no_capability':
      return refuse(
        'invalid_request',
        `No provider of ${model} takes ${exclusion.capability}. Choose another model, or leave them out.`,
        { param: exclusion.capability === 'tools' ? 'tools' : 'messages' },
      );
    case 'breaker_open':
    case 'busy':
      return refuse('no_healthy_provider', `No provider of ${model} can take a request now.`);
  }
}
