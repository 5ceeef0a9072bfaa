/**
 * config.toml → one frozen `Config`, or everything that is wrong with it. Pure but for `readFile`:
 * the environment is passed in, so that a reload sees the same one.
 */
import { parse, TomlError } from 'smol-toml';
import type { ConfigFile } from './config-file.ts';
import { type Env, expandEnv } from './expand-env.ts';
import { byLine, type Finding, Findings } from './findings.ts';
import { deepFreeze } from './freeze.ts';
import { indexLines } from './line-index.ts';
import {
  conventionVariable,
  type ProviderReading,
  type ReadProvider,
  readProvider,
} from './read-provider.ts';
import { readPolicies, readRouting, readVirtualModels } from './read-routing.ts';
import {
  type LiteralSecret,
  readBreaker,
  readDatabase,
  readLogging,
  readPricing,
  readRetry,
  readServer,
  readVault,
  warnOfOpenProxy,
} from './read-server.ts';
import { TableReader } from './read-table.ts';
import { refuseRenamedKeys } from './renamed-keys.ts';
import type { Config } from './types.ts';

export interface ConfigSource {
  readonly path: string;
  readonly env: Env;
  /** Throws where the file cannot be read. */
  readonly readFile: (path: string) => ConfigFile;
}

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Finding[] }
  | { readonly ok: false; readonly problems: readonly Finding[] };

/** Inline tables nested deeper than this are refused. */
const NESTING_MAX = 32;

export function loadConfig({ path, env, readFile }: ConfigSource): LoadResult {
  let file: ConfigFile;
  try {
    file = readFile(path);
  } catch (error) {
    return { ok: false, problems: [{ line: 0, message: (error as Error).message }] };
  }
  let document: unknown;
  try {
    document = parse(file.text, { maxDepth: NESTING_MAX });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, problems: [syntaxProblem(error)] };
  }
  const findings = new Findings(indexLines(file.text));
  const literals: LiteralSecret[] = [];
  const config = readDocument(document, env, findings, literals);
  if (findings.problems.length > 0) return { ok: false, problems: byLine(findings.problems) };
  const warnings = [...findings.warnings, ...readableByOthers(file, literals)];
  return { ok: true, config: deepFreeze(config), warnings: byLine(warnings) };
}

/** Only the first line of the parser's message: what follows quotes the file, secrets included. */
function syntaxProblem(error: TomlError): Finding {
  const [first = ''] = error.message.split('\n');
  const message = first.replace(/^Invalid TOML document: /, '');
  const fix = message.includes('invalid value') ? '; text needs quotes' : '; correct the syntax';
  return { line: error.line, message: `not valid TOML: ${message}${fix}` };
}

function readDocument(
  raw: unknown,
  env: Env,
  findings: Findings,
  literals: LiteralSecret[],
): Config {
  const { document, fromEnv } = expandEnv(raw, env, findings);
  const refused = refuseRenamedKeys(document, findings);
  const root = new TableReader(document, [], { findings, fromEnv, refused });
  const serverTable = root.table('server');
  const server = readServer(serverTable, literals);
  const vault = readVault(root, root.table('vault'), literals);
  warnOfOpenProxy(serverTable, server, root.has('vault'));
  const pricing = readPricing(root.table('pricing'));
  const providers = readProviders(root, { env, markupPpm: pricing.markupPpm, literals });
  warnOfUnknownUsd(root, providers, pricing.msatPerUsd);
  const known = { providers, discovers: providers.some(({ discovery }) => discovery !== null) };
  const config: Config = {
    server,
    database: readDatabase(root.table('database')),
    vault,
    providers,
    ...pricing,
    breaker: readBreaker(root.table('breaker')),
    retry: readRetry(root.table('retry')),
    policies: readPolicies(root.table('policies'), known),
    virtualModels: readVirtualModels(root, known),
    routing: readRouting(root.table('routing')),
    logging: readLogging(root.table('logging')),
  };
  root.end();
  return config;
}

function readProviders(root: TableReader, reading: ProviderReading): Config['providers'] {
  const read = root.tables('providers').map((table) => readProvider(table, reading));
  if (read.length === 0 && !root.has('providers')) {
    root.warn('providers', 'there are no providers, so every request will fail; add [[providers]]');
  }
  refuseSharedNames(read);
  refuseSharedKeys(read);
  warnOfOldUnits(read);
  return read.map(({ config }) => config);
}

function warnOfUnknownUsd(
  root: TableReader,
  providers: Config['providers'],
  msatPerUsd: Config['msatPerUsd'],
): void {
  const discovering = providers.filter(({ discovery }) => discovery !== null);
  const inUsd = discovering.find(({ kind }) => kind === 'openrouter');
  if (inUsd === undefined) return;
  const isImplied = msatPerUsd === 'feed' && discovering.some(({ kind }) => kind === 'routstr');
  if (typeof msatPerUsd === 'number' || isImplied) return;
  const why =
    msatPerUsd === 'feed'
      ? 'sats_per_usd = "feed" needs a provider of kind "routstr" with auto_discover'
      : 'nothing says what a USD costs';
  root.warn(
    'pricing',
    `the prices of "${inUsd.name}" are in USD, and ${why}, so they are unknown and not routable; set pricing.sats_per_usd to a number of sats`,
  );
}

function refuseSharedNames(providers: readonly ReadProvider[]): void {
  const first = new Map<string, TableReader>();
  for (const { config, table } of providers) {
    const other = first.get(config.name);
    if (config.name === '') continue;
    if (other === undefined) first.set(config.name, table);
    else {
      const line = other.lineOf('name');
      table.problem('name', `name "${config.name}" is taken in line ${line}; choose another`);
    }
  }
}

/** "a-b" and "a_b" have the same variable by convention, and a key must only reach its own origin. */
function refuseSharedKeys(providers: readonly ReadProvider[]): void {
  const owners = new Map<string, string>();
  for (const { config, table } of providers) {
    if (config.keySource !== 'convention') continue;
    const variable = conventionVariable(config.name);
    const owner = owners.get(variable);
    if (owner === undefined) owners.set(variable, config.name);
    else if (owner !== config.name) {
      table.problem(
        'name',
        `"${config.name}" and "${owner}" would both take their key from ${variable}; give one an api_key`,
      );
    }
  }
}

/** Below this every rate looks like sats per 1k tokens, the unit of old files. */
const OLD_UNIT_RATE_MSAT = 100 * 1000;

function warnOfOldUnits(providers: readonly ReadProvider[]): void {
  const offers = providers.flatMap(({ config }) => [...config.offers.values()]);
  const rates = offers.flatMap(({ providerRates: r }) => [r.inputMsatPerMtok, r.outputMsatPerMtok]);
  const dearest = Math.max(0, ...rates);
  if (dearest === 0 || dearest >= OLD_UNIT_RATE_MSAT) return;
  providers[0]!.table.warn(
    'input_rate',
    'all rates are below 100: they are sats per 1M tokens (per 1k until 2026); ' +
      'if these are per 1k, multiply them by 1000',
  );
}

function readableByOthers(file: ConfigFile, literals: readonly LiteralSecret[]): Finding[] {
  const [first] = literals;
  if (first === undefined || file.mode === null || (file.mode & 0o077) === 0) return [];
  const mode = (file.mode & 0o777).toString(8);
  return [
    {
      line: first.line,
      message: `secrets stand in this file and its mode is ${mode}: others can read them; chmod 600 it`,
    },
  ];
}
