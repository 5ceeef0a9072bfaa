/** A table of prices in a seller's list: what a token costs there, or why nobody knows. Pure. */
import { isObject, type JsonObject } from '../openai/json-object.ts';
import { ceilTimes, type Decimal, isAbove, isZero, parseDecimal } from '../pricing/decimal.ts';
import { tokensOf } from './entry.ts';
import type { FeedPrice, FeedStep, TokenPrices, UnknownPrice } from './feed.ts';

export function readPrice(
  table: unknown,
  currency: FeedPrice['currency'],
): FeedPrice | UnknownPrice {
  if (!isObject(table)) return { unknown: 'its feed names no price' };
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

function readTokenPrices(table: JsonObject): TokenPrices | UnknownPrice {
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
  table: JsonObject,
): (TokenPrices & Pick<FeedPrice, 'steps'>) | UnknownPrice {
  const { overrides } = table;
  if (overrides === undefined || overrides === null) return { ...base, steps: [] };
  if (!Array.isArray(overrides) || overrides.length > OVERRIDES_MAX) return UNREADABLE_OVERRIDES;
  let always = base;
  const steps: FeedStep[] = [];
  for (const override of overrides) {
    if (!isObject(override)) return UNREADABLE_OVERRIDES;
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
export function readExtra(value: unknown, what: string): Decimal | UnknownPrice | null {
  if (value === undefined || value === null) return null;
  const rate = readRate(value, what);
  return !('unknown' in rate) && isZero(rate) ? null : rate;
}
