/**
 * Lists with prices, in the shape of OpenRouter (USD per token, decimal strings) and of Routstr nodes
 * (the same in JSON numbers, with `sats_pricing` beside it in sats per token).
 *   https://openrouter.ai/docs/api-reference/list-available-models
 *   Routstr/routstr-core: routstr/payment/models.py
 */
import { CAPABILITIES, type Capability } from '../config/types.ts';
import {
  ceilRatio,
  ceilTimes,
  type Decimal,
  isAbove,
  isZero,
  parseDecimal,
} from '../pricing/decimal.ts';
import { type Entry, type EntryReading, isEntry, tokensOf } from './entry.ts';
import {
  type FeedPrice,
  type FeedStep,
  isKnown,
  type TokenPrices,
  type UnknownPrice,
} from './feed.ts';

/** An image that costs more than so many tokens of input is priced by something else. */
const IMAGE_TOKENS_MAX = 1_000_000;

export function readPriced(entry: Entry, kind: 'routstr' | 'openrouter'): EntryReading {
  const architecture = isEntry(entry.architecture) ? entry.architecture : {};
  const best = isEntry(entry.top_provider) ? entry.top_provider : {};
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
    unfit: unfitOf(entry, architecture),
  };
}

/** A node bills by its prices in sats; those in USD are what it made them from. */
function priceOfNode(entry: Entry): FeedPrice | UnknownPrice {
  const usd = readPrice(entry.pricing, 'usd');
  if (!isEntry(entry.sats_pricing)) return usd;
  const sats = readPrice(entry.sats_pricing, 'sat');
  return isKnown(sats) && isKnown(usd) ? { ...sats, inUsd: usd } : sats;
}

function readPrice(table: unknown, currency: FeedPrice['currency']): FeedPrice | UnknownPrice {
  if (!isEntry(table)) return { unknown: 'its feed names no price' };
  const base = readTokenPrices(table);
  if ('unknown' in base) return base;
  const fee = readExtra(table.request, 'fee per request');
  if (fee !== null && 'unknown' in fee) return fee;
  const stepped = withOverrides(base, table);
  if ('unknown' in stepped) return stepped;
  return {
    currency,
    ...stepped,
    fee: fee !== null && currency === 'sat' && isMinimum(fee) ? null : fee,
    inUsd: null,
  };
}

function readTokenPrices(table: Entry): TokenPrices | UnknownPrice {
  const input = readRate(table.prompt, 'price of input');
  if ('unknown' in input) return input;
  const output = readRate(table.completion, 'price of output');
  if ('unknown' in output) return output;
  for (const [rate, what] of [
    [input, 'input'],
    [output, 'output'],
  ] as const) {
    if (isZero(rate)) {
      return {
        unknown: `its feed says that ${what} costs 0, which is not taken for a price; write the rates yourself to use it for free`,
      };
    }
  }
  const hidden = readExtra(table.internal_reasoning, 'price of reasoning');
  if (hidden !== null && 'unknown' in hidden) return hidden;
  const cached = readExtra(table.input_cache_read, 'price of cached input');
  return {
    input,
    // What a model thinks is output to us, whatever it is called there.
    output: hidden === null ? output : dearer(hidden, output),
    // Without one that can be read, a cached prompt costs what a new one does.
    cachedInput: cached !== null && 'unknown' in cached ? null : cached,
  };
}

/**
 * Prices that hold for some requests only (OpenRouter's `overrides`): above so many tokens of prompt,
 * or at some times of the day. The former are steps; of all else the dearest counts always, since a
 * price must not depend on a clock that is not ours. Cheaper ones are not passed on.
 */
function withOverrides(
  base: TokenPrices,
  table: Entry,
): (TokenPrices & Pick<FeedPrice, 'steps'>) | UnknownPrice {
  const { overrides } = table;
  if (overrides === undefined || overrides === null) return { ...base, steps: [] };
  if (!Array.isArray(overrides) || overrides.length > OVERRIDES_MAX) return UNREADABLE_OVERRIDES;
  let always = base;
  const steps: FeedStep[] = [];
  for (const override of overrides) {
    if (!isEntry(override)) return UNREADABLE_OVERRIDES;
    const { min_prompt_tokens: from, ...rest } = override;
    const prices = readTokenPrices({ ...table, ...rest });
    if ('unknown' in prices) return prices;
    const fromTokens = tokensOf(from);
    const isStep = fromTokens !== null && Object.keys(rest).every((key) => PRICE_KEYS.has(key));
    if (isStep) steps.push({ fromTokens, ...prices });
    else always = dearest(always, prices);
  }
  steps.sort((a, b) => a.fromTokens - b.fromTokens);
  let last = always;
  const ascending = steps.map(({ fromTokens, ...prices }) => {
    last = dearest(last, prices);
    return { fromTokens, ...last };
  });
  return { ...always, steps: ascending };
}

const OVERRIDES_MAX = 16;
const UNREADABLE_OVERRIDES: UnknownPrice = {
  unknown: 'its feed names exceptions from its price that cannot be read',
};
/** What an override may change without making it depend on anything but the prompt. */
const PRICE_KEYS: ReadonlySet<string> = new Set([
  'prompt',
  'completion',
  'internal_reasoning',
  'input_cache_read',
  'input_cache_write',
  'input_cache_write_1h',
  'image',
  'audio',
]);

const dearer = (a: Decimal, b: Decimal): Decimal => (isAbove(a, b) ? a : b);

function dearest(a: TokenPrices, b: TokenPrices): TokenPrices {
  const cached = a.cachedInput !== null && b.cachedInput !== null;
  return {
    input: dearer(a.input, b.input),
    output: dearer(a.output, b.output),
    cachedInput: cached ? dearer(a.cachedInput!, b.cachedInput!) : null,
  };
}

/**
 * A node shows 0.001 sat where it has no fee: the least that it charges for a request at all, which
 * rounding up covers already.
 */
const isMinimum = (sats: Decimal): boolean => ceilTimes(sats, 1000n) <= 1n;

function readRate(value: unknown, what: string): Decimal | UnknownPrice {
  if (value === undefined || value === null) return { unknown: `its feed names no ${what}` };
  const isText = typeof value === 'string' || typeof value === 'number';
  const decimal = isText ? parseDecimal(value) : null;
  if (decimal !== null) return decimal;
  return isText && Number(value) < 0
    ? { unknown: `its ${what} is negative, by which a feed says that it is not fixed` }
    : { unknown: `its ${what} is not a number` };
}

/** What most models do not have, so that 0 and nothing are the same. */
function readExtra(value: unknown, what: string): Decimal | UnknownPrice | null {
  if (value === undefined || value === null) return null;
  const rate = readRate(value, what);
  return !('unknown' in rate) && isZero(rate) ? null : rate;
}

/** A price per image, as tokens of input: that is what images are reserved and billed as. */
function imageTokensOf(entry: Entry, price: EntryReading['price']): number | 'unknown' | null {
  if (!isKnown(price)) return null;
  const table = price.currency === 'sat' ? entry.sats_pricing : entry.pricing;
  const image = readExtra((table as Entry).image, 'price of an image');
  if (image === null) return null;
  if ('unknown' in image) return 'unknown';
  const tokens = ceilRatio(image, price.input, 1n);
  return tokens > BigInt(IMAGE_TOKENS_MAX) ? 'unknown' : Number(tokens);
}

/** What a feed does not speak of is left to the provider to refuse. */
function supportsOf(
  architecture: Entry,
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
function reasoningOf({ supported_parameters: parameters, reasoning }: Entry): boolean | null {
  if (isEntry(reasoning)) return true;
  if (!Array.isArray(parameters)) return null;
  return parameters.includes('reasoning') || parameters.includes('include_reasoning');
}

function unfitOf(entry: Entry, { output_modalities: outputs }: Entry): string | null {
  if (entry.enabled === false) return 'its seller has it disabled';
  return Array.isArray(outputs) && !outputs.includes('text') ? 'it does not answer in text' : null;
}

const least = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);
