/** What Prometheus scrapes; docs/metrics.md has names and units. No prompt, no key, no agent in a label. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Snapshot } from '../catalogue/snapshot.ts';
import { CORE_ERRORS } from '../errors.ts';
import type { Feeds } from '../feed/feeds.ts';
import type { Outcome } from '../outcome.ts';
import type { JournalStore, RequestLog, RequestRow } from '../ports.ts';
import type { BreakerRegistry } from '../route/breaker/registry.ts';
import type { Deliveries } from '../settle/deliver.ts';
import type { Activity } from './gate.ts';
import { writeRefusal } from './hardening.ts';
import { type OperatorAuth, refuseStranger } from './providers.ts';

export interface Metrics {
  readonly registry: Registry;
  /** One finished request. */
  observe(row: RequestRow, outcome: Outcome): void;
}

/** What is read when somebody scrapes. */
export interface MetricSources {
  readonly current: () => Snapshot;
  readonly breakers: BreakerRegistry;
  readonly feeds: Feeds;
  readonly nowMs: () => number;
  readonly journal: JournalStore;
  readonly requestLog: RequestLog;
  readonly activity: Activity;
  /** Null in free mode. */
  readonly deliveries: Deliveries | null;
}

const BREAKER_VALUES = { closed: 0, half_open: 1, open: 2 } as const;
/** From a local model's first token to the longest answers. */
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });

  const requests = counter('arbstr_requests_total', 'Requests by how they ended', [
    'ending',
    'code',
    'stream',
    'endpoint',
  ]);
  const attempts = counter('arbstr_attempts_failed_total', 'Failed attempts, and why', [
    'provider',
    'failure',
  ]);
  const served = counter('arbstr_served_total', 'Requests that a provider served', [
    'provider',
    'tier',
  ]);
  const tokens = counter('arbstr_tokens_total', 'Billed tokens', ['provider', 'direction']);
  const billed = counter('arbstr_billed_msat_total', 'Charged to agents, msat', ['provider']);
  const lost = counter(
    'arbstr_lost_msat_total',
    'What failed attempts may cost the operator, msat',
  );
  const histogram = (name: string, help: string) =>
    new Histogram({ name, help, buckets: SECONDS, labelNames: ['stream'], registers });
  const duration = histogram('arbstr_request_seconds', 'From the first byte to the last');
  const firstToken = histogram('arbstr_first_token_seconds', 'To the first byte of an answer');

  addGauges(sources, registers);
  return {
    registry,
    observe(row, { facts }) {
      const stream = String(row.streaming);
      const { ending, endpoint } = row;
      requests.inc({ ending, code: codeOf(row), stream, endpoint });
      for (const { provider, failure } of facts.failed) {
        attempts.inc({ provider, failure: failure.kind });
      }
      lost.inc(row.lostMsat);
      duration.observe({ stream }, row.latencyMs / 1000);
      if (row.firstByteMs !== null) firstToken.observe({ stream }, row.firstByteMs / 1000);
      if (row.provider === null || facts.bill === null) return;
      const { provider } = row;
      served.inc({ provider, tier: row.tier ?? 'unknown' });
      tokens.inc({ provider, direction: 'input' }, facts.bill.usage.inputTokens);
      tokens.inc({ provider, direction: 'output' }, facts.bill.usage.outputTokens);
      if (row.reservationId !== null) billed.inc({ provider }, facts.bill.costMsat);
    },
  };
}

/** A provider's own words would make as many series as it likes; it may also refuse without a code. */
function codeOf({ errorCode, ending }: RequestRow): string {
  if (errorCode === null) return ending === 'refused' ? 'of_provider' : 'none';
  return Object.hasOwn(CORE_ERRORS, errorCode) ? errorCode : 'of_provider';
}

function addGauges(sources: MetricSources, registers: Registry[]): void {
  const { current, breakers, feeds, journal, requestLog, activity, deliveries, nowMs } = sources;
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  /** `read`: null = it has none. */
  const perProvider = (name: string, help: string, read: (provider: string) => number | null) =>
    new Gauge({
      name,
      help,
      labelNames: ['provider'],
      registers,
      collect() {
        // A reload may have taken one away.
        this.reset();
        for (const provider of current().providers) {
          const value = read(provider.name);
          if (value !== null) this.set({ provider: provider.name }, value);
        }
      },
    });
  perProvider(
    'arbstr_breaker_state',
    '0 closed, 1 half open, 2 open',
    (provider) => BREAKER_VALUES[breakers.stateOf(provider)],
  );
  perProvider('arbstr_in_flight', 'Attempts under way', (provider) => breakers.inFlight(provider));
  perProvider(
    'arbstr_disbelieved_total',
    'Usage reports that were not borne out',
    (provider) => activity.disbelieved.get(provider) ?? 0,
  );
  perProvider('arbstr_feed_age_seconds', 'Since the feed was last read well', (provider) => {
    const readAtMs = feeds.stateOf(provider)?.readAtMs ?? null;
    return readAtMs === null ? null : Math.max(0, nowMs() - readAtMs) / 1000;
  });
  perProvider(
    'arbstr_feed_failures_total',
    'Readings of the feed that failed',
    (provider) => feeds.stateOf(provider)?.failures ?? null,
  );
  perProvider('arbstr_feed_unroutable', 'Models of the feed that are not sold', (provider) =>
    feeds.stateOf(provider) === null ? null : feeds.unroutableAt(provider).length,
  );
  perProvider('arbstr_balance_msat', 'Left in our account at the provider', (provider) =>
    feeds.balanceMsat(provider),
  );
  gauge('arbstr_requests_open', 'Requests under way', () => activity.open);
  gauge('arbstr_journal_ok', '1 while the journal takes writes', () =>
    journal.trouble === null ? 1 : 0,
  );
  gauge(
    'arbstr_request_rows_dropped_total',
    'Records of requests that were given up while the disk refused writes',
    () => requestLog.dropped,
  );
  gauge(
    'arbstr_settlements_undelivered',
    'Ends that the vault has not taken yet',
    () => deliveries?.undelivered ?? 0,
  );
  gauge('arbstr_settlements_overdue', 'Of them, tried before', () => deliveries?.overdue ?? 0);
  gauge(
    'arbstr_settlement_conflicts',
    'Ends that the vault has otherwise; needs a human',
    () => deliveries?.conflicts ?? 0,
  );
}

export interface MetricsRouteDeps extends OperatorAuth {
  readonly metrics: Metrics;
}

export function metricsRoute(app: FastifyInstance, deps: MetricsRouteDeps): void {
  const { registry } = deps.metrics;
  app.get('/metrics', async (request, reply): Promise<FastifyReply> => {
    const refused = refuseStranger(deps, request);
    if (refused !== null) return writeRefusal(reply, refused);
    return reply.type(registry.contentType).send(await registry.metrics());
  });
}
