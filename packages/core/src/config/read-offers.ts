/** What each model of a provider costs and can do: one `Offer` per listed model. */
import { isOpenAiReasoningModel } from '../openai/model-family.ts';
import {
  BASE_FEE_MSAT_MAX,
  msatFromSats,
  RATE_MSAT_PER_MTOK_MAX,
  type Rates,
  rateFromSats,
  withMarkup,
} from '../pricing/rate.ts';
import { IMAGE_TOKENS_DEFAULT } from '../tokens/prompt.ts';
import { nearest } from './nearest.ts';
import { TOKENS_MAX } from './read-server.ts';
import type { TableReader } from './read-table.ts';
import { CAPABILITIES, type Capability, type Offer } from './types.ts';

export const RATE_SATS_MAX = RATE_MSAT_PER_MTOK_MAX / 1000;
export const SATS_MAX = BASE_FEE_MSAT_MAX / 1000;

/** As far as the file says; null = it does not. */
interface PartialRates {
  readonly input: number | null;
  readonly output: number | null;
  readonly cachedInput: number | null;
  readonly baseFee: Rates['baseFeeMsat'] | null;
}

export function readOffers(
  provider: TableReader,
  models: readonly string[],
  markupPpm: number,
): Map<string, Offer> {
  const defaults = readRates(provider);
  const overrides = readPerModel(provider, 'model_rates', models, (table) => {
    const rates = readRates(table);
    table.end();
    return rates;
  });
  const infos = readPerModel(provider, 'model_info', models, readInfo);
  const offers = new Map<string, Offer>();
  const unpriced = { input_rate: [] as string[], output_rate: [] as string[] };
  for (const model of models) {
    const rates = inherit(overrides.get(model), defaults);
    if (rates.input === null) unpriced.input_rate.push(model);
    if (rates.output === null) unpriced.output_rate.push(model);
    const providerRates: Rates = {
      inputMsatPerMtok: rates.input ?? 0,
      outputMsatPerMtok: rates.output ?? 0,
      cachedInputMsatPerMtok: rates.cachedInput,
      baseFeeMsat: rates.baseFee ?? msatFromSats(0),
    };
    const info = infos.get(model) ?? UNKNOWN_INFO;
    const reasoning = info.reasoning ?? isOpenAiReasoningModel(model);
    offers.set(model, {
      model,
      rates: withMarkup(providerRates, markupPpm),
      providerRates,
      ...info,
      reasoning,
    });
  }
  for (const [key, without] of Object.entries(unpriced)) refuseUnpriced(provider, key, without);
  return offers;
}

/** A price that nobody wrote down is unknown, and unknown is not zero. */
function refuseUnpriced(provider: TableReader, key: string, models: readonly string[]): void {
  // Written but wrong is already reported.
  if (models.length === 0 || provider.has(key)) return;
  provider.problem(
    key,
    `no ${key} for ${models.map((model) => `"${model}"`).join(', ')}: a missing price is unknown, ` +
      `never free; add ${key} in sats per 1M tokens (0 = free)`,
  );
}

function readRates(table: TableReader): PartialRates {
  const input = exact(table, 'input_rate', RATE_SATS_MAX, 'sats per 1M tokens', rateFromSats);
  const output = exact(table, 'output_rate', RATE_SATS_MAX, 'sats per 1M tokens', rateFromSats);
  const key = 'cached_input_rate';
  const cachedInput = exact(table, key, RATE_SATS_MAX, 'sats per 1M tokens', rateFromSats);
  const baseFee = exact(table, 'base_fee', SATS_MAX, 'sats per request', msatFromSats);
  if (cachedInput !== null && input !== null && cachedInput > input) {
    table.warn(key, `${key} is above input_rate; cached prompts will cost more than new ones`);
  }
  return { input, output, cachedInput, baseFee };
}

/** An amount of sats that is exact to the msat; null where there is none, or a wrong one. */
export function exact<T>(
  table: TableReader,
  key: string,
  max: number,
  unit: string,
  convert: (sats: number) => T,
): T | null {
  const sats = table.number(key, { min: 0, max, unit });
  if (sats === undefined) return null;
  try {
    return convert(sats);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    table.problem(key, `${key} must have at most three decimals: 0.001 sat is the smallest unit`);
    return null;
  }
}

/** A cached rate belongs to the input rate beside it: where that is overridden, it does not carry over. */
function inherit(own: PartialRates | undefined, defaults: PartialRates): PartialRates {
  if (own === undefined) return defaults;
  const inheritedCached = own.input === null ? defaults.cachedInput : null;
  return {
    input: own.input ?? defaults.input,
    output: own.output ?? defaults.output,
    cachedInput: own.cachedInput ?? inheritedCached,
    baseFee: own.baseFee ?? defaults.baseFee,
  };
}

type Info = Pick<Offer, 'contextWindow' | 'maxOutputTokens' | 'supports' | 'imageTokens'> & {
  /** null = as the model's name says. */
  readonly reasoning: boolean | null;
};

const UNKNOWN_INFO: Info = {
  contextWindow: null,
  maxOutputTokens: null,
  supports: null,
  reasoning: null,
  imageTokens: IMAGE_TOKENS_DEFAULT,
};

function readInfo(table: TableReader): Info {
  const tokens = { min: 1, max: TOKENS_MAX, unit: 'tokens' };
  const info: Info = {
    contextWindow: table.integer('context_window', tokens) ?? null,
    maxOutputTokens: table.integer('max_output_tokens', tokens) ?? null,
    supports: readSupports(table),
    reasoning: table.flag('reasoning') ?? null,
    imageTokens: table.integer('image_tokens', { ...tokens, min: 0 }) ?? IMAGE_TOKENS_DEFAULT,
  };
  table.end();
  return info;
}

function readSupports(table: TableReader): ReadonlySet<Capability> | null {
  const listed = table.texts('supports');
  if (listed === undefined) return null;
  const known = CAPABILITIES.filter((capability) => listed.includes(capability));
  if (known.length < listed.length) {
    table.problem('supports', `supports may hold ${CAPABILITIES.map((c) => `"${c}"`).join(', ')}`);
  }
  return new Set(known);
}

/** `[providers.<key>."<model>"]`, for models that the provider lists: a typo here would bill the wrong price. */
function readPerModel<T>(
  provider: TableReader,
  key: string,
  models: readonly string[],
  read: (table: TableReader) => T,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const [model, table] of provider.namedTables(key)) {
    found.set(model, read(table));
    if (models.includes(model)) continue;
    const guess = nearest(model, models);
    const fix = guess === null ? 'add it there' : `did you mean "${guess}"?`;
    provider.problemAt(table.path, `${key} names "${model}", which is not in models; ${fix}`);
  }
  return found;
}
