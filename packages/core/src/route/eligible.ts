/** Whether an offer can and may serve a request, and what it would cost. Pure. */
import type { Msat } from '@arbstr/shared';
import type { Offer, PolicyRule, ProviderConfig, Tier } from '../config/types.ts';
import type { Dialect } from '../dialect/dialect.ts';
import { dialectFor, type NoDialect } from '../dialect/dialect-for.ts';
import type { ApiRequest } from '../openai/api-request.ts';
import { type Refused, refusedParam } from '../openai/refused-params.ts';
import type { BoundKey } from '../openai/rewrite-body.ts';
import { TOLERANCE_MARGIN_TOKENS } from '../pricing/bill.ts';
import { ceilingOf } from '../pricing/ceiling.ts';
import { expectedCost } from '../pricing/expected.ts';
import type { PromptEstimate } from '../tokens/prompt.ts';
import { seatOf } from './seat.ts';
import type { Seller } from './sellers.ts';

export interface Candidate {
  readonly provider: ProviderConfig;
  readonly offer: Offer;
  /** How it is spoken with. */
  readonly dialect: Dialect;
  /** Of its model's breaker. */
  readonly seat: string;
  /** The provider's, or where a virtual model was asked for the one that it lists the model under. */
  readonly tier: Tier;
  readonly expectedMsat: Msat;
  /** Output tokens that are expected of it, all choices together. */
  readonly expectedOutput: number;
  /** Output tokens per choice that bound the bill; null in free mode where the caller gave none. */
  readonly outputBound: number | null;
  /** Where core sends the bound itself, in the spelling that the model takes. */
  readonly sendBoundAs: BoundKey | null;
  readonly inputTokensMax: number;
  /** Of the prompt, at what an image costs here: what a crash after dispatch bills at least. */
  readonly estimatedInputTokens: number;
}

/** Why not. `rule`: the key of the policy that says so. */
export type Exclusion =
  | NoDialect
  | { reason: 'model_not_allowed' }
  | { reason: 'policy'; rule: PolicyKey }
  | ({ reason: 'unsupported_parameter' } & Refused)
  | { reason: 'no_capability'; capability: string }
  | { reason: 'context_too_small'; contextWindow: number }
  | { reason: 'below_floor' }
  | { reason: 'breaker_open'; seat: string }
  | { reason: 'balance_too_low' }
  | { reason: 'busy' };

export type PolicyKey =
  | 'allowed_models'
  | 'allowed_providers'
  | 'max_sats_per_1m_output'
  | 'max_sats_per_request'
  | 'strict_tier';

export interface Availability {
  allows(provider: string, seat: string): boolean;
  inFlight(provider: string): number;
  /** What our account there has left, msat; null = it has none, or does not say. */
  balanceMsat(provider: string): number | null;
  nextTryMs(seats: readonly { provider: string; seat: string }[]): number;
}

export interface EligibleInput {
  readonly request: ApiRequest;
  readonly prompt: PromptEstimate;
  /** Output tokens per choice that a model is expected to produce. */
  readonly outputExpectation: (model: string) => number;
  /** Null in free mode. */
  readonly billing: { readonly defaultReserveTokens: number } | null;
  readonly rule: PolicyRule | null;
  /** What the agent's spend policy allows; null = all. */
  readonly agentModels: ReadonlySet<string> | null;
  readonly availability: Availability;
}

/** A hold covers twice our own count at least, also where a provider's reports are trusted. */
const TOLERANCE_MIN = 2;

export function judge(input: EligibleInput, listed: Seller, tier: Tier): Candidate | Exclusion {
  const { availability, rule } = input;
  const seller = atPromptSize(listed, inputTokensAt(input, listed.offer));
  const { provider } = seller;
  const dialect = dialectFor(input.request, provider.endpoints);
  if ('reason' in dialect && dialect.reason === 'no_endpoint') return dialect;
  const exclusion = forbidden(input, seller);
  if (exclusion !== null) return exclusion;
  if ('reason' in dialect) return dialect;
  const misfit = unfit(input, seller);
  if (misfit !== null) return misfit;
  const candidate = candidateOf(input, seller, dialect, tier);
  const cap = rule?.maxRequestMsat ?? null;
  if (cap !== null && candidate.expectedMsat > cap) {
    return { reason: 'policy', rule: 'max_sats_per_request' };
  }
  const { seat } = candidate;
  if (!availability.allows(provider.name, seat)) return { reason: 'breaker_open', seat };
  if (availability.inFlight(provider.name) >= provider.maxConcurrency) return { reason: 'busy' };
  const balanceMsat = availability.balanceMsat(provider.name);
  if (balanceMsat !== null && atMostOwed(input, candidate) > balanceMsat) {
    return { reason: 'balance_too_low' };
  }
  return candidate;
}

/** Our estimate may be too low, and the dearer rates are for the whole request then. */
const STEP_MARGIN = 1.2;

/** A seller that charges more for long prompts, as what it is for this one. */
function atPromptSize(seller: Seller, estimatedInput: number): Seller {
  const { offer } = seller;
  if (offer.steps.length === 0) return seller;
  const step = offer.steps.findLast(({ fromTokens }) => estimatedInput * STEP_MARGIN >= fromTokens);
  if (step === undefined) return seller;
  const { rates, providerRates } = step;
  return { ...seller, offer: { ...offer, rates, providerRates } };
}

/**
 * The most that a provider may charge, msat. A seller with accounts holds that before it works, as we
 * do; where no bound is sent, for as much as the model can answer.
 */
function atMostOwed({ request }: EligibleInput, candidate: Candidate): Msat {
  const { offer, outputBound, inputTokensMax } = candidate;
  const perChoice = outputBound ?? offer.maxOutputTokens ?? offer.contextWindow ?? 0;
  const outputTokensMax = perChoice * request.n;
  return ceilingOf([{ rates: offer.providerRates, inputTokensMax, outputTokensMax }]);
}

function forbidden(input: EligibleInput, { provider, offer }: Seller): Exclusion | null {
  const { agentModels, request, rule } = input;
  // As the vault has it: a virtual model may be allowed by its own name.
  if (agentModels !== null && !agentModels.has(offer.model) && !agentModels.has(request.model)) {
    return { reason: 'model_not_allowed' };
  }
  if (rule === null) return null;
  const policy = (key: PolicyKey): Exclusion => ({ reason: 'policy', rule: key });
  if (rule.allowedModels?.has(offer.model) === false) return policy('allowed_models');
  if (rule.allowedProviders?.has(provider.name) === false) return policy('allowed_providers');
  const cap = rule.maxOutputMsatPerMtok;
  if (cap !== null && offer.rates.outputMsatPerMtok > cap) return policy('max_sats_per_1m_output');
  return null;
}

function unfit(input: EligibleInput, { provider, offer }: Seller): Exclusion | null {
  const { request } = input;
  if (input.billing !== null) {
    const refused = refusedAt(request, provider);
    if (refused !== null) return { reason: 'unsupported_parameter', ...refused };
  }
  const capability = missingCapability(request, offer);
  if (capability !== null) return { reason: 'no_capability', capability };
  const { contextWindow } = offer;
  if (contextWindow !== null && inputTokensAt(input, offer) > contextWindow * request.prompts) {
    return { reason: 'context_too_small', contextWindow };
  }
  return null;
}

/** By kind and what is allowed. It looks through all messages: for each seller anew that takes longest. */
const refusedParams = new WeakMap<ApiRequest, Map<string, Refused | null>>();

function refusedAt(request: ApiRequest, { kind, allowParams }: ProviderConfig): Refused | null {
  let known = refusedParams.get(request);
  if (known === undefined) {
    known = new Map();
    refusedParams.set(request, known);
  }
  const key = `${kind} ${allowParams.join(' ')}`;
  let refused = known.get(key);
  if (refused === undefined) {
    refused = refusedParam(request, kind, allowParams);
    known.set(key, refused);
  }
  return refused;
}

function missingCapability(request: ApiRequest, offer: Offer): string | null {
  if (offer.supports === null) return null;
  if (request.hasTools && !offer.supports.has('tools')) return 'tools';
  if (request.hasImages && !offer.supports.has('images')) return 'images';
  if (request.wantsJson && !offer.supports.has('json')) return 'json';
  return null;
}

const inputTokensAt = ({ prompt }: Pick<EligibleInput, 'prompt'>, offer: Offer): number =>
  prompt.textTokens + prompt.images * offer.imageTokens;

function candidateOf(
  input: EligibleInput,
  { provider, offer }: Seller,
  dialect: Dialect,
  tier: Tier,
): Candidate {
  const { request, billing } = input;
  const estimatedInput = inputTokensAt(input, offer);
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
  const expectedOutput =
    Math.min(input.outputExpectation(offer.model), outputBound ?? Number.MAX_SAFE_INTEGER) *
    request.n;
  return {
    provider,
    offer,
    dialect,
    seat: seatOf(offer.model, dialect.endpoint),
    tier,
    expectedMsat: expectedCost(offer.rates, {
      inputTokens: estimatedInput,
      outputTokens: expectedOutput,
    }),
    expectedOutput,
    outputBound,
    estimatedInputTokens: estimatedInput,
    sendBoundAs:
      billing !== null && request.maxTokens === null ? dialect.boundKey(offer.model) : null,
    // Whatever input the bill would believe (pricing/bill.ts) must be covered by the hold.
    inputTokensMax: Math.min(
      Math.ceil(tolerance * estimatedInput) + TOLERANCE_MARGIN_TOKENS,
      (offer.contextWindow ?? Number.MAX_SAFE_INTEGER) * request.prompts,
    ),
  };
}

/** The bound that core sends where the caller gave none; only a bill needs one. */
function ownBound(input: EligibleInput, offer: Offer, estimatedInput: number): number | null {
  if (input.billing === null) return null;
  const room =
    offer.contextWindow === null
      ? Number.MAX_SAFE_INTEGER
      : Math.max(1, offer.contextWindow - Math.ceil(estimatedInput / input.request.prompts));
  return Math.min(
    offer.maxOutputTokens ?? Number.MAX_SAFE_INTEGER,
    room,
    input.billing.defaultReserveTokens,
  );
}
