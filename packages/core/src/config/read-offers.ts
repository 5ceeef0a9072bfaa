/** What the operator says of prices and models: `input_rate` and its kin, `model_rates`, `model_info`. */
import { ownRates } from '../feed/offers.ts';
import {
  BASE_FEE_MSAT_MAX,
  msatFromSats,
  RATE_MSAT_PER_MTOK_MAX,
  rateFromSats,
} from '../pricing/rate.ts';
import { nearest } from './nearest.ts';
import type { TableReader } from './read-table.ts';
import {
  CAPABILITIES,
  type Capability,
  type ModelInfo,
  type OwnTerms,
  type PartialRates,
  TOKENS_MAX,
} from './types.ts';

export const RATE_SATS_MAX = RATE_MSAT_PER_MTOK_MAX / 1000;
export const SATS_MAX = BASE_FEE_MSAT_MAX / 1000;

/** `discovers`: prices and names that are not here may come from a feed. */
export function readTerms(
  provider: TableReader,
  models: readonly string[],
  discovers: boolean,
): OwnTerms {
  const rates = readRates(provider);
  const known = discovers && models.length === 0 ? null : models;
  const ratesByModel = readPerModel(provider, 'model_rates', known, (table) => {
    const found = readRates(table);
    table.end();
    return found;
  });
  const infoByModel = readPerModel(provider, 'model_info', known, readInfo);
  const terms = { rates, ratesByModel, infoByModel };
  if (!discovers) refuseUnpriced(provider, terms, models);
  return terms;
}

function refuseUnpriced(provider: TableReader, terms: OwnTerms, models: readonly string[]): void {
  for (const [key, kind] of [
    ['input_rate', 'input'],
    ['output_rate', 'output'],
  ] as const) {
    const without = models.filter((model) => ownRates(terms, model)[kind] === null);
    refuseWithout(provider, key, without);
  }
}

/** A price that nobody wrote down is unknown, and unknown is not zero. */
function refuseWithout(provider: TableReader, key: string, models: readonly string[]): void {
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

function readInfo(table: TableReader): ModelInfo {
  const tokens = { min: 1, max: TOKENS_MAX, unit: 'tokens' };
  const info: ModelInfo = {
    contextWindow: table.integer('context_window', tokens) ?? null,
    maxOutputTokens: table.integer('max_output_tokens', tokens) ?? null,
    supports: readSupports(table),
    reasoning: table.flag('reasoning') ?? null,
    imageTokens: table.integer('image_tokens', { ...tokens, min: 0 }) ?? null,
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

/** `[providers.<key>."<model>"]`, for models that the provider lists (null = any): a typo here would bill the wrong price. */
function readPerModel<T>(
  provider: TableReader,
  key: string,
  models: readonly string[] | null,
  read: (table: TableReader) => T,
): Map<string, T> {
  const found = new Map<string, T>();
  for (const [model, table] of provider.namedTables(key)) {
    found.set(model, read(table));
    if (models === null || models.includes(model)) continue;
    const guess = nearest(model, models);
    const fix = guess === null ? 'add it there' : `did you mean "${guess}"?`;
    provider.problemAt(table.path, `${key} names "${model}", which is not in models; ${fix}`);
  }
  return found;
}
