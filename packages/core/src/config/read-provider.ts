/** `[[providers]]`: who sells, where, for how much, and how long it is waited for. */
import { listingOf, NOT_READ_YET, ownRates } from '../feed/offers.ts';
import { parseBaseUrl } from './address.ts';
import type { Env } from './expand-env.ts';
import { MOCK_DEFAULTS, readMock } from './read-mock.ts';
import { readTerms } from './read-offers.ts';
import { DELAY_MS_MAX, type LiteralSecret } from './read-server.ts';
import type { TableReader } from './read-table.ts';
import { readAllowParams, readEndpoints } from './read-words.ts';
import { Secret } from './secret.ts';
import {
  DISCONNECT_ACTIONS,
  type Discovery,
  type KeySource,
  type MockSettings,
  type OwnTerms,
  PROVIDER_KINDS,
  type ProviderConfig,
  type ProviderKind,
  TIERS,
  TIMEOUTS_DEFAULT,
  type Timeouts,
} from './types.ts';

/** Fits a header value and a list of names in one ("2/alpha, 1/beta"). */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9 ._:-]{0,62}[A-Za-z0-9._:-])?$/;

/** Of a feed; Routstr nodes make theirs anew as often. */
const REFRESH_SECS = 120;
const REFRESH_SECS_MAX = 86_400;

/** A name and the table that it came from, for problems that concern two providers. */
export interface ReadProvider {
  readonly config: ProviderConfig;
  readonly table: TableReader;
}

export interface ProviderReading {
  readonly env: Env;
  readonly markupPpm: number;
  readonly literals: LiteralSecret[];
}

export function readProvider(table: TableReader, reading: ProviderReading): ReadProvider {
  const name = readName(table);
  const kind = readKind(table);
  const url = readUrl(table, kind);
  const key = readKey(table, name, reading);
  const models = table.texts('models') ?? [];
  const discovery = readDiscovery(table, kind);
  const terms = readTerms(table, models, discovery !== null);
  if (discovery !== null) warnOfTerms(table, kind, models, terms);
  else if (models.length === 0) {
    table.warn(
      'models',
      `provider "${name}" lists no models, so it serves nothing; add models, or auto_discover = true`,
    );
  }
  const config: ProviderConfig = {
    name,
    url,
    kind,
    ...key,
    models,
    endpoints: readEndpoints(table),
    discovery,
    terms,
    weight: table.number('weight', { min: 0, max: 1_000_000 }) ?? 1,
    tier: table.oneOf('tier', TIERS) ?? 'standard',
    maxConcurrency: table.integer('max_concurrency', { min: 1, max: 100_000 }) ?? 64,
    timeouts: readTimeouts(table.table('timeouts')),
    usageTolerance: readTolerance(table),
    allowParams: readAllowParams(table),
    onDisconnect: table.oneOf('on_disconnect', DISCONNECT_ACTIONS) ?? 'cancel',
    mock: readMockTable(table, kind),
    offers: listingOf({
      provider: { models, terms },
      feed: null,
      noPrices: NOT_READ_YET,
      msatPerUsd: null,
      markupPpm: reading.markupPpm,
      virtualModels: new Map(),
    }).offers,
  };
  table.end();
  return { config, table };
}

function readName(table: TableReader): string {
  if (!table.has('name')) table.problem('name', 'name is missing; add name = "alpha"');
  const name = table.text('name');
  if (name !== undefined && !NAME.test(name)) {
    table.problem(
      'name',
      'name stands in response headers: 1 to 64 letters, digits, spaces and . _ : - only, ' +
        'beginning with a letter or digit',
    );
  }
  return name ?? '';
}

function readKind(table: TableReader): ProviderKind {
  return table.oneOf('kind', PROVIDER_KINDS) ?? 'openai';
}

function readUrl(table: TableReader, kind: ProviderKind): string {
  const text = table.text('url');
  if (kind === 'mock') {
    if (text !== undefined) table.warn('url', 'a mock runs inside this process; url is not used');
    return '';
  }
  if (!table.has('url')) table.problem('url', 'url is missing; add url = "https://…/v1"');
  if (text === undefined) return '';
  const base = parseBaseUrl(text);
  if ('wrong' in base) {
    table.problem('url', `url ${base.wrong}`);
    return '';
  }
  if (/\/(chat\/completions|completions|responses|embeddings|models)$/.test(base.url)) {
    table.problem('url', 'url is the base; end it before "/chat/completions" or "/models"');
  }
  return base.url;
}

/** `ARBSTR_<NAME>_API_KEY`: upper case, '-' and ' ' as '_'. */
export function conventionVariable(name: string): string {
  return `ARBSTR_${name.toUpperCase().replace(/[- ]/g, '_')}_API_KEY`;
}

function readKey(
  table: TableReader,
  name: string,
  { env, literals }: ProviderReading,
): { apiKey: Secret | null; keySource: KeySource } {
  const found = table.secret('api_key');
  if (found !== undefined) {
    if (!found.fromEnv) literals.push({ line: table.lineOf('api_key') });
    return { apiKey: found.secret, keySource: found.fromEnv ? 'env' : 'literal' };
  }
  const byConvention = env[conventionVariable(name)];
  // Compose passes an unset variable on as an empty one.
  if (byConvention === undefined || byConvention === '') {
    return { apiKey: null, keySource: 'none' };
  }
  if (/[\r\n\0]/.test(byConvention)) {
    table.problem('name', `${conventionVariable(name)} holds a line break; clean the variable`);
  }
  return { apiKey: new Secret(byConvention), keySource: 'convention' };
}

function readDiscovery(table: TableReader, kind: ProviderKind): Discovery | null {
  const discovers = table.flag('auto_discover') ?? false;
  const secs = { min: 1, max: REFRESH_SECS_MAX, unit: 's' };
  const refreshSecs = table.number('refresh_secs', secs) ?? REFRESH_SECS;
  if (!discovers) {
    if (table.has('refresh_secs')) {
      table.warn('refresh_secs', 'refresh_secs does nothing without auto_discover = true');
    }
    return null;
  }
  if (kind === 'mock') {
    table.problem(
      'auto_discover',
      'a mock has no feed; list its models and leave auto_discover out',
    );
  }
  return { refreshMs: Math.ceil(refreshSecs * 1000) };
}

/** Feeds of these have prices. */
export const PRICED_KINDS: readonly ProviderKind[] = ['routstr', 'openrouter'];

function warnOfTerms(
  table: TableReader,
  kind: ProviderKind,
  models: readonly string[],
  terms: OwnTerms,
): void {
  const { input, output } = terms.rates;
  const isPriced = PRICED_KINDS.includes(kind);
  if (isPriced && input !== null && output !== null) {
    table.warn(
      'input_rate',
      'input_rate and output_rate hold for every model that is discovered, so the prices of the feed are not used; to use them, write rates in model_rates alone',
    );
  }
  const priced = (model: string): boolean => {
    const own = ownRates(terms, model);
    return own.input !== null && own.output !== null;
  };
  const listed = models.length === 0 ? [...terms.ratesByModel.keys()] : models;
  if (!isPriced && (input === null || output === null) && !listed.some(priced)) {
    table.warn(
      'auto_discover',
      `a feed of kind "${kind}" has no prices, and a missing price is unknown, never free: add input_rate and output_rate in sats per 1M tokens (0 = free)`,
    );
  }
}

function readTimeouts(table: TableReader): Timeouts {
  const ms = { min: 1, max: DELAY_MS_MAX, unit: 'ms' };
  const timeouts: Timeouts = {
    connectMs: table.integer('connect_ms', ms) ?? TIMEOUTS_DEFAULT.connectMs,
    firstTokenMs: table.integer('first_token_ms', ms) ?? TIMEOUTS_DEFAULT.firstTokenMs,
    answerMs: table.integer('answer_ms', ms) ?? TIMEOUTS_DEFAULT.answerMs,
    idleMs: table.integer('idle_ms', ms) ?? TIMEOUTS_DEFAULT.idleMs,
    totalMs: table.integer('total_ms', ms) ?? TIMEOUTS_DEFAULT.totalMs,
  };
  table.end();
  return timeouts;
}

/** Below 1 every honest answer above 64 tokens would be disbelieved. */
function readTolerance(table: TableReader): number {
  const tolerance = table.number('usage_tolerance', { min: 0, max: 1_000_000 }) ?? 2;
  if (tolerance > 0 && tolerance < 1) {
    table.problem(
      'usage_tolerance',
      'usage_tolerance must be at least 1, or 0 to trust the provider',
    );
  }
  return tolerance;
}

function readMockTable(table: TableReader, kind: ProviderKind): MockSettings | null {
  const mock = table.table('mock');
  if (kind === 'mock') return table.has('mock') ? readMock(mock) : MOCK_DEFAULTS;
  if (table.has('mock')) table.problem('mock', '[providers.mock] needs kind = "mock"');
  return null;
}
