/** Everything that one running core is made of, built once from its configuration. */
import { randomBytes } from 'node:crypto';
import { createIdSource, type IdKind } from '@arbstr/shared';
import type { Logger } from 'pino';
import { type Authenticator, createAuthenticator } from './auth/caller.ts';
import { type Catalogue, createCatalogue } from './catalogue/catalogue.ts';
import { type Claims, createClaims } from './claim/claims.ts';
import type { Config, VaultConfig } from './config/types.ts';
import { createFeeds, type Feeds } from './feed/feeds.ts';
import type { Activity } from './http/gate.ts';
import type { ClaimStore, FeedSource, JournalStore, RequestLog, Upstream, Vault } from './ports.ts';
import { createExpectations, type Expectations } from './pricing/expectation.ts';
import { createMemory, type Memory } from './recall/memory.ts';
import { createLiveHolds, type LiveHolds } from './reserve/live.ts';
import { type BreakerRegistry, createBreakers } from './route/breaker/registry.ts';
import {
  createLossBudget,
  createRetryBudget,
  type LossBudget,
  type RetryBudget,
} from './route/budget.ts';
import type { Availability } from './route/eligible.ts';
import { createObserved, type Observed } from './route/observed.ts';
import { type Checkpoints, createCheckpoints } from './settle/checkpoints.ts';
import { createDeliveries, type Deliveries } from './settle/deliver.ts';
import { createClaimTable } from './store/claim-table.ts';
import { createJournalTable } from './store/journal-table.ts';
import { openStore, type Store } from './store/open.ts';
import { createQueryThread, type QueryThread } from './store/query-thread.ts';
import { createRequestLog } from './store/request-log.ts';
import { createWriter, type Writer } from './store/writer.ts';
import { createFeedClient } from './upstream/feed-client.ts';
import { createRunningMocks, type RunningMocks } from './upstream/mock/running.ts';
import { createUpstream } from './upstream/pool.ts';
import { createVaultClient } from './vault/client.ts';

/** What exists only where there is a vault. */
export interface Billing {
  readonly vault: Vault;
  readonly deliveries: Deliveries;
  readonly live: LiveHolds;
  readonly authenticator: Authenticator;
}

export interface Parts {
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly newId: (kind: IdKind) => string;
  readonly store: Store;
  readonly writer: Writer;
  readonly journal: JournalStore;
  readonly requestLog: RequestLog;
  readonly queries: QueryThread;
  readonly claimStore: ClaimStore;
  readonly claims: Claims;
  /** What was said in translated answers. */
  readonly memory: Memory;
  /** The configuration and the providers as they are now; `current()` is asked per request. */
  readonly catalogue: Catalogue;
  readonly feeds: Feeds;
  readonly feedSource: FeedSource;
  readonly mocks: RunningMocks;
  readonly breakers: BreakerRegistry;
  /** What keeps an offer from being chosen now. */
  readonly availability: Availability;
  readonly retries: RetryBudget;
  readonly losses: LossBudget;
  readonly upstream: Upstream;
  /** Fires when the drain is over: what still runs ends now. */
  readonly shutdown: AbortController;
  readonly checkpoints: Checkpoints;
  readonly expectations: Expectations;
  readonly observed: Observed;
  readonly activity: Activity;
  /** Null in free mode. */
  readonly billing: Billing | null;
}

/**
 * Unix ms that never jump: the wall clock of the start, and the time since. A clock that is set back
 * under us would make latencies negative and keep a breaker open for the difference.
 */
const monotonicNow = (): number => Math.floor(performance.timeOrigin + performance.now());

/** A probe that has not ended by then no longer blocks the next one. */
const PROBE_MS = 60_000;

/** Opens the database first: a second owner, a newer file or a read-only folder ends the start here. */
export async function buildParts(config: Config, log: Logger): Promise<Parts> {
  const nowMs = monotonicNow;
  const newId = createIdSource(nowMs, randomBytes);
  const store = openStore(config.database.path);
  const writer = createWriter(store.db, (error) => {
    log.error(
      { err: error },
      'journal refused a row; its money is being delivered from memory all the same',
    );
  });
  const journal = createJournalTable(store.db, writer, () => newId('core'));
  const claimStore = createClaimTable(store.db, writer);
  const upstream = createUpstream();
  const mocks = createRunningMocks();
  // A reload may change the limits; the breakers and what they have learned stay.
  const breakers = createBreakers(
    {
      get failures() {
        return catalogue.current().config.breaker.failures;
      },
      get openMs() {
        return catalogue.current().config.breaker.openMs;
      },
      get credentialsMs() {
        return catalogue.current().config.breaker.credentialsMs;
      },
      get paymentMs() {
        return catalogue.current().config.breaker.paymentMs;
      },
      probeMs: PROBE_MS,
    },
    nowMs,
  );
  const feedSource = createFeedClient();
  const feeds = createFeeds({
    source: feedSource,
    nowMs,
    random: Math.random,
    log,
    onChange: () => catalogue.refresh(),
  });
  const catalogue = await createCatalogue(config, {
    addressed: mocks.addressed,
    retain: async (providers) => {
      await Promise.all([mocks.retain(providers), upstream.retain(providers)]);
    },
    forget: (provider) => breakers.forget(provider),
    feeds,
    onError: (error, message) => log.warn({ err: error }, message),
  });
  return {
    log,
    nowMs,
    newId,
    store,
    writer,
    journal,
    requestLog: createRequestLog(store.db, writer),
    queries: createQueryThread({ path: store.db.name, flush: writer.flush }),
    claimStore,
    claims: createClaims(claimStore, nowMs),
    memory: createMemory(nowMs),
    catalogue,
    feeds,
    feedSource,
    mocks,
    breakers,
    availability: { ...breakers, balanceMsat: feeds.balanceMsat },
    retries: createRetryBudget(nowMs),
    losses: createLossBudget(nowMs),
    upstream,
    shutdown: new AbortController(),
    checkpoints: createCheckpoints(),
    expectations: createExpectations(),
    observed: createObserved(nowMs, Math.random),
    activity: { open: 0, running: 0, bodyBytes: 0, draining: false, disbelieved: new Map() },
    billing: config.vault === null ? null : buildBilling(config.vault, journal, log, nowMs),
  };
}

function buildBilling(
  config: VaultConfig,
  journal: JournalStore,
  log: Logger,
  nowMs: () => number,
): Billing {
  const vault = createVaultClient({
    url: config.url,
    internalToken: config.internalToken.reveal(),
    coreId: journal.coreId,
  });
  return {
    vault,
    deliveries: createDeliveries({ vault, journal, log, nowMs, random: Math.random }),
    live: createLiveHolds(vault, log, nowMs),
    authenticator: createAuthenticator(vault, nowMs),
  };
}
