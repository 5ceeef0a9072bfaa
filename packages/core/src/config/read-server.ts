/** Everything but the providers: one function per table of CONTRACT's config.toml, with its defaults. */
import { ceilTimes, parseDecimal } from '../pricing/decimal.ts';
import { MARKUP_PPM_MAX } from '../pricing/rate.ts';
import { isLoopback, parseBaseUrl, parseListen } from './address.ts';
import type { TableReader } from './read-table.ts';
import type { Secret } from './secret.ts';
import {
  BREAKER_DEFAULT,
  type BreakerConfig,
  type Config,
  LOG_LEVELS,
  RESCUES,
  RETRY_DEFAULT,
  type RetryConfig,
  type ServerConfig,
  TOKENS_MAX,
  type VaultConfig,
} from './types.ts';

const DAY_MS = 86_400_000;
const MEBIBYTE = 1024 * 1024;
/** The longest delay that a timer of Node takes is 2^31−1 ms; a day is the longest that makes sense. */
export const DELAY_MS_MAX = 86_400_000;

/** Where a secret stands in the file itself, for the warning about its permissions. */
export interface LiteralSecret {
  readonly line: number;
}

export function readSecret(
  table: TableReader,
  key: string,
  literals: LiteralSecret[],
): Secret | null {
  const found = table.secret(key);
  if (found === undefined) return null;
  if (!found.fromEnv) literals.push({ line: table.lineOf(key) });
  return found.secret;
}

export function readServer(server: TableReader, literals: LiteralSecret[]): ServerConfig {
  const listen = server.text('listen') ?? '127.0.0.1:8080';
  const address = parseListen(listen);
  if (address === null) {
    server.problem('listen', 'listen must be host:port, such as "127.0.0.1:8080" or "[::1]:8080"');
  }
  const megabytes = server.number('body_limit_mb', { min: 0.001, max: 256, unit: 'MiB' }) ?? 20;
  const drainSecs = server.number('drain_secs', { min: 0, max: 3600, unit: 's' }) ?? 30;
  const stall = { min: 1, max: DELAY_MS_MAX, unit: 'ms' };
  const config: ServerConfig = {
    host: address?.host ?? '127.0.0.1',
    port: address?.port ?? 8080,
    authToken: readSecret(server, 'auth_token', literals),
    bodyLimitBytes: Math.floor(megabytes * MEBIBYTE),
    drainMs: Math.round(drainSecs * 1000),
    clientStallMs: server.integer('client_stall_ms', stall) ?? 60_000,
    rateLimitRps: server.number('rate_limit_rps', { min: 0, max: 1e6, unit: 'requests/s' }) ?? 0,
    maxConcurrencyPerCaller:
      server.integer('max_concurrency_per_caller', { min: 1, max: 1e6, unit: 'requests' }) ?? 64,
  };
  server.end();
  return config;
}

/** In free mode the operator's token is the only lock on the providers' keys. */
export function warnOfOpenProxy(server: TableReader, config: ServerConfig, billed: boolean): void {
  if (billed || server.has('auth_token') || isLoopback(config.host)) return;
  server.warn(
    'listen',
    'other machines can reach this and there is neither auth_token nor [vault]: whoever reaches it ' +
      "uses the providers' keys; set server.auth_token",
  );
}

export function readDatabase(database: TableReader): Config['database'] {
  const path = database.text('path') ?? './data/arbstr.db';
  if (path === ':memory:' || path.startsWith('file:')) {
    database.problem('path', 'path must be a file; what is owed must survive a restart');
  }
  database.end();
  return { path };
}

export function readVault(
  root: TableReader,
  vault: TableReader,
  literals: LiteralSecret[],
): VaultConfig | null {
  if (!root.has('vault')) return null;
  const url = vault.text('url');
  if (!vault.has('url')) vault.problem('url', 'url is missing; add url = "http://localhost:3010"');
  const base = url === undefined ? undefined : parseBaseUrl(url);
  if (base !== undefined && 'wrong' in base) vault.problem('url', `url ${base.wrong}`);
  const internalToken = readSecret(vault, 'internal_token', literals);
  if (!vault.has('internal_token')) {
    vault.problem(
      'internal_token',
      `internal_token is missing; add internal_token = "\${VAULT_INTERNAL_TOKEN}", the vault's own`,
    );
  }
  const reserve = { min: 1, max: TOKENS_MAX, unit: 'tokens' };
  const defaultReserveTokens = vault.integer('default_reserve_tokens', reserve) ?? 4096;
  const threshold = { min: 1, max: 1_000_000, unit: 'settlements' };
  const pendingThreshold = vault.integer('pending_threshold', threshold) ?? 100;
  vault.end();
  if (base === undefined || 'wrong' in base || internalToken === null) return null;
  return { url: base.url, internalToken, defaultReserveTokens, pendingThreshold };
}

/** A USD has never cost more than a bitcoin. */
const SATS_PER_USD_MAX = 100_000_000;

export function readPricing(pricing: TableReader): Pick<Config, 'markupPpm' | 'msatPerUsd'> {
  const markupPpm =
    pricing.integer('markup_ppm', { min: 0, max: MARKUP_PPM_MAX, unit: 'ppm' }) ?? 0;
  const msatPerUsd = readUsd(pricing);
  pricing.end();
  return { markupPpm, msatPerUsd };
}

function readUsd(pricing: TableReader): Config['msatPerUsd'] {
  const key = 'sats_per_usd';
  if (pricing.isText(key)) {
    if (pricing.text(key) === 'feed') return 'feed';
    pricing.problem(key, `${key} must be a number of sats without quotes, or "feed"`);
    return null;
  }
  const sats = pricing.number(key, { min: 0.001, max: SATS_PER_USD_MAX, unit: 'sats' });
  return sats === undefined ? null : Number(ceilTimes(parseDecimal(sats)!, 1000n));
}

export function readBreaker(breaker: TableReader): BreakerConfig {
  const span = { min: 0.001, max: 86_400, unit: 's' };
  const ms = (key: string, otherwise: number): number => {
    const secs = breaker.number(key, span);
    return secs === undefined ? otherwise : Math.ceil(secs * 1000);
  };
  const config: BreakerConfig = {
    failures: breaker.integer('failures', { min: 1, max: 1000 }) ?? BREAKER_DEFAULT.failures,
    openMs: ms('open_secs', BREAKER_DEFAULT.openMs),
    credentialsMs: ms('credentials_secs', BREAKER_DEFAULT.credentialsMs),
    paymentMs: ms('payment_secs', BREAKER_DEFAULT.paymentMs),
  };
  breaker.end();
  return config;
}

export function readRetry(retry: TableReader): RetryConfig {
  const wait = { min: 0, max: 60_000, unit: 'ms' };
  const maxAttempts = retry.integer('max_attempts', { min: 1, max: 100 });
  const backoffMs = retry.integer('backoff_ms', wait) ?? RETRY_DEFAULT.backoffMs;
  const backoffMsMax = retry.integer('backoff_max_ms', wait) ?? RETRY_DEFAULT.backoffMsMax;
  const pauseSecs = retry.number('retry_after_max_secs', { min: 0, max: 3600, unit: 's' });
  const rescue = retry.oneOf('rescue', RESCUES) ?? RETRY_DEFAULT.rescue;
  const rescueKb = retry.integer('rescue_kb', { min: 1, max: 65_536, unit: 'KiB' });
  if ((retry.integer('hedge_ms', { min: 0, max: 600_000, unit: 'ms' }) ?? 0) !== 0) {
    retry.problem(
      'hedge_ms',
      'hedge_ms must be 0: a second provider asked at the same time bills the same prompt again, which nobody pays for; lower first_token_ms instead',
    );
  }
  retry.end();
  return {
    maxAttempts: maxAttempts ?? RETRY_DEFAULT.maxAttempts,
    backoffMs,
    backoffMsMax: Math.max(backoffMs, backoffMsMax),
    pauseMsMax: pauseSecs === undefined ? RETRY_DEFAULT.pauseMsMax : Math.ceil(pauseSecs * 1000),
    rescue,
    rescueBytesMax: rescueKb === undefined ? RETRY_DEFAULT.rescueBytesMax : rescueKb * 1024,
  };
}

export function readLogging(logging: TableReader): Config['logging'] {
  const level = logging.oneOf('level', LOG_LEVELS) ?? 'info';
  const logRequests = logging.flag('log_requests') ?? true;
  const days = logging.number('retention_days', { min: 1, max: 3650, unit: 'days' }) ?? 30;
  logging.end();
  return { level, logRequests, retentionMs: days * DAY_MS };
}
