/**
 * Lists with prices, in the shape of OpenRouter (USD per token, decimal strings) and of Routstr nodes
 * (the same in JSON numbers, with `sats_pricing` beside it in sats per token).
 *   https://openrouter.ai/docs/api-reference/list-available-models
 *   Routstr/routstr-core: routstr/payment/models.py
 */
import { CAPABILITIES, type Capability } from '../config/types.ts';
import { isObject, type JsonObject } from '../openai/json-object.ts';
import { ceilRatio } from '../pricing/decimal.ts';
import { type EntryReading, tokensOf } from './entry.ts';
import { type FeedPrice, isKnown, type UnknownPrice } from './feed.ts';
import { readExtra, readPrice } from './read-prices.ts';

/** An image that costs more than so many tokens of input is priced by something else. */
const IMAGE_TOKENS_MAX = 1_000_000;

export function readPriced(entry: JsonObject, kind: 'routstr' | 'openrouter'): EntryReading {
  const architecture = isObject(entry.architecture) ? entry.architecture : {};
  const best = isObject(entry.top_provider) ? entry.top_provider : {};
  const price = kind === 'routstr' ? priceOfNode(entry) : readPrice(entry.pricing, 'usd');
  const imageTokens = imageTokensOf(entry, price);
  return {
    aliases: [...(Array.isArray(entry.alias_ids) ? entry.alias_ids : []), entry.canonical_slug],
    price,
    contextWindow: least(tokensOf(entry.context_length), tokensOf(best.context_length)),
    maxOutputTokens: tokensOf(best.max_completion_tokens),
    supports: supportsOf(architecture, entry.supported_parameters, imageTokens),
    reasoning: reasoningOf(entry),
    imageTokens: imageTokens === 'unknown' ? null : imageTokens,
    unfit: unfitOf(architecture),
  };
}

/** A node bills by its prices in sats; those in USD are what it made them from. */
function priceOfNode(entry: JsonObject): FeedPrice | UnknownPrice {
  const usd = readPrice(entry.pricing, 'usd');
  if (!isObject(entry.sats_pricing)) return usd;
  const sats = readPrice(entry.sats_pricing, 'sat');
  return isKnown(sats) && isKnown(usd) ? { ...sats, inUsd: usd } : sats;
}

/** A price per image, as tokens of input: that is what images are reserved and billed as. */
function imageTokensOf(entry: JsonObject, price: EntryReading['price']): number | 'unknown' | null {
  if (!isKnown(price)) return null;
  const table = price.currency === 'sat' ? entry.sats_pricing : entry.pricing;
  const image = readExtra((table as JsonObject).image, 'price of an image');
  if (image === null) return null;
  if ('unknown' in image) return 'unknown';
  const tokens = ceilRatio(image, price.input, 1n);
  return tokens > BigInt(IMAGE_TOKENS_MAX) ? 'unknown' : Number(tokens);
}

/** What a feed does not speak of is left to the provider to refuse. */
function supportsOf(
  architecture: JsonObject,
  parameters: unknown,
  imageTokens: number | 'unknown' | null,
): ReadonlySet<Capability> | null {
  const inputs = architecture.input_modalities;
  const isSilent = !Array.isArray(inputs) && !Array.isArray(parameters);
  if (isSilent && imageTokens !== 'unknown') return null;
  const supports = new Set<Capability>(CAPABILITIES);
  const takesImages = !Array.isArray(inputs) || inputs.includes('image');
  if (!takesImages || imageTokens === 'unknown') supports.delete('images');
  if (Array.isArray(parameters)) {
    if (!parameters.includes('tools')) supports.delete('tools');
    const takesJson =
      parameters.includes('response_format') || parameters.includes('structured_outputs');
    if (!takesJson) supports.delete('json');
  }
  return supports;
}

/** OpenRouter has it among the parameters, and lately as an object of its own, which Routstr has too. */
function reasoningOf({ supported_parameters: parameters, reasoning }: JsonObject): boolean | null {
  if (isObject(reasoning)) return true;
  if (!Array.isArray(parameters)) return null;
  return parameters.includes('reasoning') || parameters.includes('include_reasoning');
}

function unfitOf({ output_modalities: outputs }: JsonObject): string | null {
  return Array.isArray(outputs) && !outputs.includes('text') ? 'it does not answer in text' : null;
}

const least = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);
