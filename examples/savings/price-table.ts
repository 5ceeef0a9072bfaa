/** The price table as a configuration that core's own loader reads, as an operator would write it. */
import { readFileSync } from 'node:fs';
import { loadConfig } from '../../packages/core/src/config/load.ts';
import type { Config, Tier } from '../../packages/core/src/config/types.ts';

export interface PriceTable {
  readonly source: string;
  /** Of the snapshot, YYYY-MM-DD. */
  readonly date: string;
  readonly caveats: readonly string[];
  readonly models: readonly PricedModel[];
}

export interface PricedModel {
  readonly model: string;
  readonly offers: readonly PricedOffer[];
}

/** What one seller asks for one model, USD per 1,000,000 tokens. */
export interface PricedOffer {
  readonly provider: string;
  readonly id: string;
  readonly input_usd_per_mtok: number;
  readonly output_usd_per_mtok: number;
  readonly cached_input_usd_per_mtok?: number;
}

/** A round number and no market price: every share on the page is the same at any other. */
export const SATS_PER_USD = 1_000;

/** Models of `auto` by tier: our judgement, as an operator would make it. */
export const AUTO: Record<Tier, readonly string[]> = {
  local: ['gemma-2-9b-it', 'gpt-oss-20b', 'llama-3.1-8b-instruct'],
  standard: ['gpt-oss-120b', 'llama-3.3-70b-instruct', 'qwen2.5-72b-instruct', 'qwen3-32b'],
  frontier: ['deepseek-r1', 'deepseek-v3.1', 'glm-4.5', 'kimi-k2-instruct'],
};

export function readTable(): PriceTable {
  const file = new URL('open-models.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as PriceTable;
}

export const sellersIn = ({ models }: PriceTable): string[] => [
  ...new Set(models.flatMap(({ offers }) => offers.map(({ provider }) => provider))),
];

/** Every seller as a provider; throws where core would not start with it. */
export function configOf(table: PriceTable): Config {
  const text = [...sellersIn(table).map((seller) => providerText(table, seller)), autoText()].join(
    '\n',
  );
  const readFile = () => ({ text, mode: null });
  const loaded = loadConfig({ path: 'savings.toml', env: {}, readFile });
  if (loaded.ok) return loaded.config;
  throw new Error(loaded.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'));
}

export const soldBy = (
  { models }: PriceTable,
  seller: string,
): { model: string; offer: PricedOffer }[] =>
  models.flatMap(({ model, offers }) => {
    const offer = offers.find(({ provider }) => provider === seller);
    return offer === undefined ? [] : [{ model, offer }];
  });

function providerText(table: PriceTable, seller: string): string {
  const sold = soldBy(table, seller);
  const rates = sold.map(({ model, offer }) => {
    const cached = offer.cached_input_usd_per_mtok;
    return [
      `[providers.model_rates."${model}"]`,
      `input_rate = ${satsOf(offer.input_usd_per_mtok)}`,
      `output_rate = ${satsOf(offer.output_usd_per_mtok)}`,
      ...(cached === undefined ? [] : [`cached_input_rate = ${satsOf(cached)}`]),
    ].join('\n');
  });
  const names = sold.map(({ model }) => `"${model}"`).join(', ');
  return `[[providers]]
name = "${seller}"
url = "https://${seller}.example/v1"
models = [${names}]
${rates.join('\n')}
`;
}

/** Sats per 1M tokens: without the binary dust of the product, which the loader refuses. */
const satsOf = (usd: number): number => Number((usd * SATS_PER_USD).toFixed(3));

const autoText = (): string =>
  ['[[models]]', 'name = "auto"']
    .concat(Object.entries(AUTO).map(([tier, models]) => `${tier} = ${JSON.stringify(models)}`))
    .join('\n');
