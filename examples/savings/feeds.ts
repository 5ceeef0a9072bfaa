/**
 * The price table as the sellers' own lists would say it, each seller's in the two shapes that prices
 * come in: so that the way from a feed to a rate is part of the figure.
 */
import type { Config, OwnTerms, ProviderConfig } from '../../packages/core/src/config/types.ts';
import { listingOf } from '../../packages/core/src/feed/offers.ts';
import { readFeed } from '../../packages/core/src/feed/read-feed.ts';
import { type PricedOffer, type PriceTable, SATS_PER_USD, soldBy } from './price-table.ts';

export const FEED_KINDS = ['routstr', 'openrouter'] as const;
type FeedKind = (typeof FEED_KINDS)[number];

/** The prices of the lists, and none of the file. */
const NO_TERMS: OwnTerms = {
  rates: { input: null, output: null, cachedInput: null, baseFee: null },
  ratesByModel: new Map(),
  infoByModel: new Map(),
};

/** The same sellers with what their lists say. Throws where core would not offer something of them. */
export function configOfFeeds(table: PriceTable, config: Config, kind: FeedKind): Config {
  const offersOf = ({ name }: ProviderConfig): ProviderConfig['offers'] => {
    const list = kind === 'routstr' ? tableToRoutstrFeed : tableToOpenRouterFeed;
    // As it comes over the network.
    const feed = readFeed(kind, JSON.parse(JSON.stringify(list(table, name))));
    if ('wrong' in feed) throw new Error(`the list of ${name} ${feed.wrong}`);
    const { offers, unroutable } = listingOf({
      provider: { models: [], terms: NO_TERMS },
      feed,
      noPrices: null,
      msatPerUsd: SATS_PER_USD * 1_000,
      markupPpm: config.markupPpm,
      virtualModels: config.virtualModels,
    });
    for (const { model, reason } of unroutable) throw new Error(`${name}, ${model}: ${reason}`);
    return offers;
  };
  const providers = config.providers.map((provider) => ({
    ...provider,
    offers: offersOf(provider),
  }));
  return { ...config, providers };
}

/** Routstr's `GET /v1/models`: JSON numbers, USD and sats per token, 0 where there is no such price. */
export function tableToRoutstrFeed(table: PriceTable, seller: string): { data: object[] } {
  return {
    data: soldBy(table, seller).map(({ model, offer }) => ({
      id: model,
      name: offer.id,
      context_length: null,
      architecture: TEXT,
      pricing: routstrPricing(offer, 1),
      sats_pricing: routstrPricing(offer, SATS_PER_USD),
      per_request_limits: null,
      top_provider: null,
      enabled: true,
      alias_ids: [offer.id],
    })),
  };
}

/** OpenRouter's `GET /api/v1/models`: USD per token as decimal strings, without the prices that there are not. */
export function tableToOpenRouterFeed(table: PriceTable, seller: string): { data: object[] } {
  return {
    data: soldBy(table, seller).map(({ model, offer }) => ({
      id: model,
      canonical_slug: offer.id,
      name: offer.id,
      context_length: null,
      architecture: TEXT,
      pricing: {
        prompt: decimalPerToken(offer.input_usd_per_mtok),
        completion: decimalPerToken(offer.output_usd_per_mtok),
        request: '0',
        image: '0',
        ...(offer.cached_input_usd_per_mtok !== undefined && {
          input_cache_read: decimalPerToken(offer.cached_input_usd_per_mtok),
        }),
      },
      top_provider: null,
      per_request_limits: null,
      supported_parameters: ['max_tokens', 'temperature'],
    })),
  };
}

const TEXT = { modality: 'text->text', input_modalities: ['text'], output_modalities: ['text'] };

/** `unitsPerUsd`: 1 for USD. */
function routstrPricing(offer: PricedOffer, unitsPerUsd: number): object {
  const perToken = (usdPerMtok: number): number =>
    Number(decimalPerToken(usdPerMtok * unitsPerUsd));
  return {
    prompt: perToken(offer.input_usd_per_mtok),
    completion: perToken(offer.output_usd_per_mtok),
    request: 0,
    image: 0,
    web_search: 0,
    internal_reasoning: 0,
    input_cache_read: perToken(offer.cached_input_usd_per_mtok ?? 0),
    input_cache_write: 0,
  };
}

/** More decimals than any price has, and none of the dust of a binary product. */
const DECIMALS = 12;

/** A price per 1,000,000 tokens, per token. */
const decimalPerToken = (perMtok: number): string =>
  (perMtok / 1_000_000).toFixed(DECIMALS).replace(/0+$/, '').replace(/\.$/, '');
