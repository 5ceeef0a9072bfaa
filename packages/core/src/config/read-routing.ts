/** Policies, virtual models and tiers: which offers may serve what. */
import { CALIBRATED, type ComplexityWeights } from '../complexity/score.ts';
import { keywordPattern } from '../policy/keywords.ts';
import { msatFromSats, rateFromSats } from '../pricing/rate.ts';
import { exact, RATE_SATS_MAX, SATS_MAX } from './read-offers.ts';
import type { TableReader } from './read-table.ts';
import {
  type PoliciesConfig,
  type PolicyRule,
  type ProviderConfig,
  RESCUES,
  type RoutingConfig,
  STRATEGIES,
  type Strategy,
  TIERS,
  type Tier,
  type VirtualModel,
} from './types.ts';

/** The originals' name of the default strategy. */
const LOWEST_COST = 'lowest_cost';

/** What rules and virtual models may name. */
export interface Known {
  readonly providers: readonly ProviderConfig[];
  /** Some provider's models come from its feed, so that not all are known yet. */
  readonly discovers: boolean;
}

export function readPolicies(policies: TableReader, known: Known): PoliciesConfig {
  const defaultStrategy = readStrategy(policies, 'default_strategy') ?? 'cheapest';
  const rules: PolicyRule[] = [];
  const served = modelsOf(known);
  for (const table of policies.tables('rules')) {
    const rule = readRule(table, known, served);
    if (rules.some(({ name }) => name === rule.name)) {
      table.problem('name', `policy "${rule.name}" stands twice; give each its own name`);
    }
    rules.push(rule);
  }
  policies.end();
  return { defaultStrategy, rules };
}

function readRule(table: TableReader, known: Known, served: ReadonlySet<string>): PolicyRule {
  const rule: PolicyRule = {
    name: readName(table, 'policy'),
    allowedModels: readNames(table, 'allowed_models'),
    allowedProviders: readNames(table, 'allowed_providers'),
    strategy: readStrategy(table, 'strategy'),
    maxOutputMsatPerMtok: exact(
      table,
      'max_sats_per_1m_output',
      RATE_SATS_MAX,
      'sats per 1M tokens',
      rateFromSats,
    ),
    maxRequestMsat: exact(table, 'max_sats_per_request', SATS_MAX, 'sats', msatFromSats),
    minTier: table.oneOf('min_tier', TIERS) ?? null,
    strictTier: table.flag('strict_tier') ?? false,
    rescue: table.oneOf('rescue', RESCUES) ?? null,
    keywords: keywordPattern(table.texts('keywords') ?? []),
  };
  for (const provider of rule.allowedProviders ?? []) {
    if (known.providers.some(({ name }) => name === provider)) continue;
    table.problem(
      'allowed_providers',
      `there is no provider "${provider}"; there are ${quoted(known.providers.map(({ name }) => name))}`,
    );
  }
  if (!known.discovers) {
    const unserved = [...(rule.allowedModels ?? [])].filter((model) => !served.has(model));
    if (unserved.length > 0) {
      table.warn('allowed_models', `no provider serves ${quoted(unserved)}`);
    }
  }
  table.end();
  return rule;
}

export function readVirtualModels(root: TableReader, known: Known): Map<string, VirtualModel> {
  const virtual = new Map<string, VirtualModel>();
  const served = modelsOf(known);
  for (const table of root.tables('models')) {
    const name = readName(table, 'model');
    if (virtual.has(name)) {
      table.problem('name', `model "${name}" stands twice; give each its own name`);
    }
    if (served.has(name)) {
      table.problem(
        'name',
        `"${name}" is a model that a provider serves, and a concrete name always means that model; choose another name`,
      );
    }
    const models = new Map<string, Tier>();
    for (const tier of TIERS) {
      for (const model of table.texts(tier) ?? []) {
        if (models.has(model)) {
          table.problem(tier, `"${model}" stands in two tiers; remove one`);
        }
        if (!known.discovers && !served.has(model)) {
          table.warn(tier, `no provider serves "${model}"`);
        }
        models.set(model, tier);
      }
    }
    if (models.size === 0) {
      table.problem('name', `"${name}" names no models; add local, standard or frontier = ["…"]`);
    }
    table.end();
    virtual.set(name, { name, models });
  }
  return virtual;
}

export function readRouting(routing: TableReader): RoutingConfig {
  const share = { min: 0, max: 1 };
  const config: RoutingConfig = {
    floorConcreteModels: routing.flag('floor_concrete_models') ?? false,
    thresholdLow: routing.number('complexity_threshold_low', share) ?? CALIBRATED.thresholdLow,
    thresholdHigh: routing.number('complexity_threshold_high', share) ?? CALIBRATED.thresholdHigh,
    weights: readWeights(routing.table('complexity_weights')),
  };
  if (config.thresholdLow > config.thresholdHigh) {
    routing.problem(
      routing.has('complexity_threshold_low')
        ? 'complexity_threshold_low'
        : 'complexity_threshold_high',
      `complexity_threshold_low (${config.thresholdLow}) must not be above complexity_threshold_high (${config.thresholdHigh})`,
    );
  }
  routing.end();
  return config;
}

function readWeights(table: TableReader): ComplexityWeights {
  const weights: Record<string, number> = { ...CALIBRATED.weights };
  for (const group of Object.keys(CALIBRATED.weights)) {
    weights[group] = table.number(group, { min: 0, max: 100 }) ?? weights[group]!;
  }
  table.end();
  return weights as unknown as ComplexityWeights;
}

function readName(table: TableReader, what: string): string {
  const name = table.text('name');
  if (name === undefined) {
    if (!table.has('name')) table.problem('name', `each ${what} needs a name = "…"`);
    return '';
  }
  if (!/^[\x21-\x7e]{1,128}$/.test(name)) {
    table.problem('name', 'name must be 1 to 128 visible ASCII characters: it goes into headers');
  }
  return name;
}

/** An empty list means no restriction, as in the originals. */
function readNames(table: TableReader, key: string): Set<string> | null {
  const names = table.texts(key) ?? [];
  return names.length === 0 ? null : new Set(names);
}

function readStrategy(table: TableReader, key: string): Strategy | null {
  const found = table.oneOf(key, [...STRATEGIES, LOWEST_COST]);
  return found === undefined ? null : found === LOWEST_COST ? 'cheapest' : found;
}

const modelsOf = ({ providers }: Known): Set<string> =>
  new Set(providers.flatMap(({ models }) => models));

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
