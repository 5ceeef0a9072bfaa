/** Starts and ends one core: recovers, listens, keeps house, drains. */
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { buildApp } from './app.ts';
import type { Call } from './call.ts';
import { CONFIG_UNCHANGED, type ConfigState, createReload } from './catalogue/reload.ts';
import type { ConfigFile } from './config/config-file.ts';
import type { LoadResult } from './config/load.ts';
import type { Config } from './config/types.ts';
import { type ConfigWatch, watchConfig } from './config/watch.ts';
import { createCallerLimits } from './http/caller-limits.ts';
import { createMetrics, type Metrics } from './http/metrics.ts';
import type { Outcome } from './outcome.ts';
import { type Billing, buildParts, type Parts } from './parts.ts';
import { requestLine, requestRow } from './record.ts';
import { followLedger } from './settle/ledger-epoch.ts';
import { recoverJournal, releaseOrphans } from './settle/recover.ts';
import { bindStages, routeWith } from './stages.ts';
import { pruneRegularly } from './store/pruning.ts';
import { warmTokenizer } from './tokens/count.ts';

export interface RunningCore {
  readonly url: string;
  /** Reads the configuration file now and takes it if it is valid; nothing where there is none. */
  reload(): Promise<void>;
  /** Drains and ends everything; idempotent. */
  close(): Promise<void>;
}

/** The file that the configuration came from; its changes are followed. */
export interface ConfigOrigin {
  readonly path: string;
  /** As it was read for the start. */
  readonly text: string;
  readonly load: (file: ConfigFile) => LoadResult;
}

/** After live requests were cut off: for their ends to be journaled. */
const CUT_OFF_MS = 5_000;
/** After the drain: for settlements to reach the vault. What does not is in the journal. */
const DELIVER_AT_END_MS = 5_000;
const POLL_MS = 20;
const ORPHANS_RETRY_MS = 5_000;
/** A restored vault is in recovery mode at first, for much longer than this. */
const FOLLOW_LEDGER_MS = 10_000;
/** Delivered rows stay as long as a vault's backup may be old. */
const KEEP_DELIVERED_MS = 7 * 24 * 3_600_000;

/** What a start waits for feeds, so that it can route at once; a slow one comes in later. */
const FIRST_READING_MS = 3_000;

/** Nothing here should ever be logged; this catches the line that forgets it. */
const REDACTED = ['authorization', 'agent_token', 'api_key', 'body'];

export function createLog(level: string): Logger {
  // Not synchronous: a slow terminal or log collector must not stop the event loop.
  const destination = pino.destination({ dest: 1, sync: false });
  return pino({ level, base: { service: 'core' }, redact: REDACTED }, destination);
}

/**
 * Throws StorageError, NewerDatabaseError, or node's EADDRINUSE where the port is taken. Without an
 * `origin` the configuration stays as it is.
 */
export async function startCore(
  config: Config,
  log = createLog(config.logging.level),
  origin: ConfigOrigin | null = null,
): Promise<RunningCore> {
  const parts = await buildParts(config, log);
  const follow = origin === null ? null : followConfig(parts, origin);
  const app = appOf(parts, follow?.state ?? (() => CONFIG_UNCHANGED));
  try {
    warmTokenizer();
    if (parts.billing !== null) await recoverJournal({ ...parts, ...parts.billing });
    await parts.feeds.ready(FIRST_READING_MS);
    const url = await app.listen({ host: config.server.host, port: config.server.port });
    const stopHousekeeping = keepHouse(parts);
    log.info(
      { url, providers: config.providers.length, mode: parts.billing === null ? 'free' : 'billed' },
      'core listens',
    );
    let closing: Promise<void> | null = null;
    return {
      url,
      reload: () => follow?.watch.reload() ?? Promise.resolve(),
      close() {
        stopHousekeeping();
        follow?.watch.stop();
        closing ??= drain(parts, app);
        return closing;
      },
    };
  } catch (error) {
    follow?.watch.stop();
    await end(parts, app);
    throw error;
  }
}

function followConfig(
  parts: Parts,
  origin: ConfigOrigin,
): { watch: ConfigWatch; state: () => ConfigState } {
  const { catalogue, log, nowMs } = parts;
  const { path, text } = origin;
  const reload = createReload({
    path,
    catalogue,
    log,
    nowMs,
    onAdopted({ logging }) {
      log.level = logging.level;
    },
  });
  const watch = watchConfig({
    path,
    text,
    onChange: (file) => reload.take(origin.load(file)),
    onUnreadable: (reason) => reload.refuse([`${path}: ${reason}`]),
  });
  return { watch, state: reload.state };
}

function appOf(parts: Parts, configState: () => ConfigState): FastifyInstance {
  const { activity, billing, catalogue, log, nowMs } = parts;
  const { server } = catalogue.current().config;
  const auth = {
    authenticator: billing?.authenticator ?? null,
    authToken: () => catalogue.current().config.server.authToken,
  };
  const gate = {
    activity,
    bodyLimitBytes: server.bodyLimitBytes,
    limits: createCallerLimits(() => catalogue.current().config.server, nowMs),
  };
  const operator = { authToken: auth.authToken, host: server.host };
  const metrics = createMetrics({
    ...parts,
    current: catalogue.current,
    deliveries: billing?.deliveries ?? null,
  });
  return buildApp({
    log,
    nowMs,
    bodyLimitBytes: server.bodyLimitBytes,
    chat: {
      ...auth,
      ...gate,
      stages: bindStages(parts),
      clientStallMs: () => catalogue.current().config.server.clientStallMs,
      free: billing === null,
      record: (outcome, call) => record(parts, metrics, outcome, call),
    },
    cost: {
      ...auth,
      ...gate,
      nowMs,
      dryRoute: (request, prompt, asked) =>
        routeWith(parts, parts.observed.dry, request, prompt, asked),
    },
    models: {
      ...auth,
      current: catalogue.current,
      createdSecs: Math.floor(nowMs() / 1000),
    },
    requests: { ...auth, log: parts.requestLog, queries: parts.queries, nowMs },
    stats: { ...auth, queries: parts.queries, nowMs },
    providers: {
      ...operator,
      current: catalogue.current,
      breakers: parts.breakers,
      feeds: parts.feeds,
      nowMs,
    },
    metrics: { ...operator, metrics },
    health: {
      current: catalogue.current,
      configState,
      breakers: parts.breakers,
      feeds: parts.feeds,
      journal: parts.journal,
      nowMs,
      activity,
      billing,
    },
  });
}

function record(parts: Parts, metrics: Metrics, outcome: Outcome, call: Call): void {
  const { activity, log } = parts;
  const { bill, reportedCost } = outcome.facts;
  const row = requestRow(outcome, call, parts.nowMs());
  metrics.observe(row, outcome);
  if (row.requestedModel !== '') parts.requestLog.append(row);
  if (bill !== null && row.provider !== null) {
    parts.expectations.observe(
      row.model ?? row.requestedModel,
      outcome.facts.policy,
      bill.usage.outputTokens / outcome.facts.choices,
    );
    if (bill.disbelieved) {
      activity.disbelieved.set(row.provider, (activity.disbelieved.get(row.provider) ?? 0) + 1);
    }
    if (bill.capped) {
      log.warn(
        { correlation_id: row.correlationId, provider: row.provider, held_msats: row.heldMsat },
        'request cost more than was held; the operator bears the rest: see usage_tolerance and image_tokens',
      );
    }
  }
  if (parts.catalogue.current().config.logging.logRequests) {
    log.info(
      { ...requestLine(row), ...(reportedCost && { reported_cost: reportedCost }) },
      'request',
    );
  }
}

/** Releases holds that only the vault knows of, once it answers; forgets what is long over. */
function keepHouse(parts: Parts): () => void {
  const { billing, catalogue, claimStore, journal, log, memory, nowMs, requestLog } = parts;
  let stopped = false;
  let retry: NodeJS.Timeout | null = null;
  const sweep = async (billing: Billing): Promise<void> => {
    const done = await releaseOrphans({ ...parts, ...billing }, billing.live);
    if (!done && !stopped) retry = setTimeout(() => void sweep(billing), ORPHANS_RETRY_MS);
  };
  const follow = (billing: Billing): void => {
    followLedger({ ...billing, journal, log }).catch((error) =>
      log.warn({ err: error }, 'the ledger of the vault could not be compared; tried again'),
    );
  };
  let following: NodeJS.Timeout | null = null;
  if (billing !== null) {
    void sweep(billing);
    follow(billing);
    following = setInterval(() => follow(billing), FOLLOW_LEDGER_MS);
  }
  const prune = (): boolean => {
    memory.prune();
    const { retentionMs } = catalogue.current().config.logging;
    return [
      journal.prune(nowMs() - KEEP_DELIVERED_MS),
      claimStore.prune(nowMs()),
      requestLog.prune(nowMs() - retentionMs),
    ].includes(true);
  };
  const stopPruning = pruneRegularly(prune, (error) =>
    log.warn({ err: error }, 'rows that are over could not be removed; tried again in a minute'),
  );
  return () => {
    stopped = true;
    stopPruning();
    if (following !== null) clearInterval(following);
    if (retry !== null) clearTimeout(retry);
  };
}

/** No new requests; live ones get the drain time; every end is journaled; then delivered or left on disk. */
async function drain(parts: Parts, app: FastifyInstance): Promise<void> {
  const { activity, billing, log } = parts;
  const { drainMs } = parts.catalogue.current().config.server;
  activity.draining = true;
  log.info({ under_way: activity.open, drain_ms: drainMs }, 'core drains');
  if (!(await idle(parts, drainMs))) {
    log.warn(
      { under_way: activity.open },
      'drain time is over; live requests are cut off and billed for what they delivered',
    );
    parts.shutdown.abort();
    await idle(parts, CUT_OFF_MS);
  }
  if (billing !== null && !(await billing.deliveries.drained(DELIVER_AT_END_MS))) {
    log.warn(
      { undelivered: billing.deliveries.undelivered },
      'vault does not answer; settlements stay in the journal and are delivered at the next start',
    );
  }
  await end(parts, app);
  log.info('core has ended');
}

async function idle({ activity }: Parts, timeoutMs: number): Promise<boolean> {
  const untilMs = Date.now() + timeoutMs;
  while (activity.open > 0 || activity.running > 0) {
    if (Date.now() >= untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}

async function end(parts: Parts, app: FastifyInstance): Promise<void> {
  const { billing } = parts;
  app.server.closeAllConnections();
  await app.close();
  parts.catalogue.stop();
  parts.feeds.stop();
  billing?.deliveries.stop();
  billing?.live.stop();
  parts.checkpoints.stop();
  await Promise.all([parts.upstream.close(), parts.feedSource.close(), billing?.vault.close()]);
  await parts.mocks.close();
  await parts.queries.stop();
  parts.writer.close();
  parts.store.close();
}
