/**
 * What a provider sells: the operator's own terms first, then what its feed says. What neither says is
 * unknown, and a model without a price is not offered. Pure.
 */
import { msat } from '@arbstr/shared';
import type {
  ModelInfo,
  Offer,
  OwnTerms,
  PartialRates,
  ProviderConfig,
  VirtualModel,
} from '../config/types.ts';
import { isOpenAiReasoningModel } from '../openai/model-family.ts';
import { type Rates, withMarkup } from '../pricing/rate.ts';
import { IMAGE_TOKENS_DEFAULT } from '../tokens/prompt.ts';
import type { Feed, FeedModel, Unroutable } from './feed.ts';
import { feedRates, type TokenRates } from './rates.ts';

export interface Listing {
  /** By every name that the seller takes for a model. */
  readonly offers: ReadonlyMap<string, Offer>;
  readonly unroutable: readonly Unroutable[];
}

export const NOT_READ_YET = 'its feed has not been read yet';

export interface ListingOrder {
  readonly provider: Pick<ProviderConfig, 'models' | 'terms'>;
  /** null = not known yet, or too old for its prices to hold. */
  readonly feed: Feed | null;
  /** Why there is no feed, for models that have no price without one. */
  readonly noFeed: string;
  readonly msatPerUsd: number | null;
  readonly markupPpm: number;
  readonly virtualModels: ReadonlyMap<string, VirtualModel>;
}

export function listingOf(order: ListingOrder): Listing {
  const { provider, feed } = order;
  const offers = new Map<string, Offer>();
  const unroutable: Unroutable[] = [];
  const wanted = provider.models.length === 0 ? null : new Set(provider.models);
  const add = (name: string, model: FeedModel | null): void => {
    if (wanted?.delete(name) === false) return;
    const offer = offerOf(name, model, order);
    if ('unknown' in offer) unroutable.push({ model: name, reason: offer.unknown });
    else offers.set(name, offer);
  };
  for (const model of feed?.models ?? []) {
    for (const name of [model.id, ...model.aliases]) add(name, model);
  }
  // What the operator lists and prices is sold, whatever the feed leaves out.
  for (const name of [...(wanted ?? [])]) add(name, null);
  return { offers, unroutable: [...unroutable, ...(feed?.refused ?? [])] };
}

function offerOf(
  name: string,
  model: FeedModel | null,
  order: ListingOrder,
): Offer | { readonly unknown: string } {
  const { terms } = order.provider;
  if (order.virtualModels.has(name)) {
    return { unknown: 'a virtual model has this name, which goes before a feed' };
  }
  if (model !== null && model.unfit !== null) return { unknown: model.unfit };
  const rates = ratesOf(ownRates(terms, name, model), model, order);
  return 'unknown' in rates
    ? rates
    : makeOffer(name, rates, ownInfo(terms, name, model), model, order);
}

interface OfferRates {
  readonly rates: Rates;
  readonly steps: readonly { readonly fromTokens: number; readonly rates: Rates }[];
}

/** Both of the operator's own rates replace the feed's price, fee included; one alone replaces that one. */
function ratesOf(
  own: PartialRates,
  model: FeedModel | null,
  order: ListingOrder,
): OfferRates | { readonly unknown: string } {
  if (own.input !== null && own.output !== null) {
    const { input, output, cachedInput, baseFee } = own;
    return { rates: ratesFrom({ input, output, cachedInput }, baseFee), steps: [] };
  }
  if (model === null) {
    return { unknown: order.feed === null ? order.noFeed : 'its feed does not list it' };
  }
  const said = feedRates(model.price, order.msatPerUsd);
  if ('unknown' in said) return said;
  const withOwn = (prices: TokenRates): Rates => {
    const cachedInput = own.cachedInput ?? (own.input === null ? prices.cachedInput : null);
    const input = own.input ?? prices.input;
    const output = own.output ?? prices.output;
    return ratesFrom({ input, output, cachedInput }, own.baseFee ?? msat(said.baseFee));
  };
  return {
    rates: withOwn(said),
    steps: said.steps.map((step) => ({ fromTokens: step.fromTokens, rates: withOwn(step) })),
  };
}

const ratesFrom = (
  { input, output, cachedInput }: TokenRates,
  baseFee: PartialRates['baseFee'],
): Rates => ({
  inputMsatPerMtok: input,
  outputMsatPerMtok: output,
  cachedInputMsatPerMtok: cachedInput,
  baseFeeMsat: baseFee ?? msat(0),
});

/** A cached rate belongs to the input rate beside it: where that is overridden, it does not carry over. */
export function ownRates(
  { rates, ratesByModel }: OwnTerms,
  name: string,
  model: FeedModel | null = null,
): PartialRates {
  const own = ratesByModel.get(name) ?? (model === null ? undefined : ratesByModel.get(model.id));
  if (own === undefined) return rates;
  const inheritedCached = own.input === null ? rates.cachedInput : null;
  return {
    input: own.input ?? rates.input,
    output: own.output ?? rates.output,
    cachedInput: own.cachedInput ?? inheritedCached,
    baseFee: own.baseFee ?? rates.baseFee,
  };
}

const ownInfo = (
  { infoByModel }: OwnTerms,
  name: string,
  model: FeedModel | null,
): ModelInfo | undefined =>
  infoByModel.get(name) ?? (model === null ? undefined : infoByModel.get(model.id));

function makeOffer(
  name: string,
  { rates, steps }: OfferRates,
  own: ModelInfo | undefined,
  said: FeedModel | null,
  { markupPpm }: ListingOrder,
): Offer {
  return {
    model: name,
    rates: withMarkup(rates, markupPpm),
    providerRates: rates,
    steps: steps.map((step) => ({
      fromTokens: step.fromTokens,
      rates: withMarkup(step.rates, markupPpm),
      providerRates: step.rates,
    })),
    contextWindow: own?.contextWindow ?? said?.contextWindow ?? null,
    maxOutputTokens: own?.maxOutputTokens ?? said?.maxOutputTokens ?? null,
    supports: own?.supports ?? said?.supports ?? null,
    reasoning: own?.reasoning ?? said?.reasoning ?? isOpenAiReasoningModel(name),
    imageTokens: own?.imageTokens ?? Math.max(IMAGE_TOKENS_DEFAULT, said?.imageTokens ?? 0),
  };
}
