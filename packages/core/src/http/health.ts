import type { FastifyInstance } from 'fastify';
import type { ConfigState } from '../catalogue/reload.ts';
import type { Snapshot } from '../catalogue/snapshot.ts';
import type { Feeds } from '../feed/feeds.ts';
import type { FeedStanding } from '../feed/standing.ts';
import type { JournalStore, Vault } from '../ports.ts';
import type { BreakerRegistry } from '../route/breaker/registry.ts';
import type { Deliveries } from '../settle/deliver.ts';
import type { Activity } from './gate.ts';

export interface HealthDeps {
  readonly current: () => Snapshot;
  /** What became of the last change of the configuration's file. */
  readonly configState: () => ConfigState;
  readonly breakers: BreakerRegistry;
  readonly feeds: Feeds;
  /** Null in free mode. */
  readonly billing: {
    readonly vault: Vault;
    readonly deliveries: Deliveries;
  } | null;
  readonly journal: JournalStore;
  readonly activity: Activity;
  readonly nowMs: () => number;
}

/** Of a feed: what it said is old, or nothing. */
const OUT_OF_DATE: ReadonlySet<FeedStanding> = new Set(['failed', 'stale', 'expired']);

/** The vault is asked at most this often, whoever polls. */
const VAULT_CHECK_MS = 1_000;

/** ok · degraded: serves, with something to look at · unhealthy (503): cannot serve. No secrets. */
export function healthRoute(app: FastifyInstance, deps: HealthDeps): void {
  let checked: { atMs: number; answer: Promise<{ ok: boolean; reason: string | null }> } | null =
    null;

  function vaultHealth(vault: Vault): Promise<{ ok: boolean; reason: string | null }> {
    const nowMs = deps.nowMs();
    if (checked === null || nowMs - checked.atMs >= VAULT_CHECK_MS) {
      checked = { atMs: nowMs, answer: vault.health() };
    }
    return checked.answer;
  }

  app.get('/health', async (_request, reply) => {
    const { billing } = deps;
    const { config, providers: configured } = deps.current();
    const file = deps.configState();
    const pendingThreshold = config.vault?.pendingThreshold ?? 0;
    const vault = billing === null ? null : await vaultHealth(billing.vault);
    const providers = providerStates(deps);
    const open = Object.values(providers).filter(({ state }) => state === 'open').length;
    const reasons = {
      every_provider_open: open > 0 && open === configured.length,
      vault_unavailable: vault !== null && !vault.ok,
      settlements_overdue: billing !== null && billing.deliveries.overdue >= pendingThreshold,
      storage: deps.journal.trouble !== null,
      draining: deps.activity.draining,
    };
    const unable = Object.values(reasons).includes(true);
    const degraded =
      open > 0 ||
      configured.length === 0 ||
      Object.values(providers).some(({ feed }) => feed !== null && OUT_OF_DATE.has(feed)) ||
      file.refused !== null ||
      (billing?.deliveries.overdue ?? 0) > 0 ||
      (billing?.deliveries.conflicts ?? 0) > 0;
    const oldestMs = billing?.deliveries.oldestMs() ?? null;
    return reply.code(unable ? 503 : 200).send({
      status: unable ? 'unhealthy' : degraded ? 'degraded' : 'ok',
      mode: billing === null ? 'free' : 'billed',
      providers,
      vault: vault === null ? 'off' : vault.ok ? 'ok' : 'unavailable',
      vault_reason: vault?.reason ?? null,
      undelivered_settlements: billing?.deliveries.undelivered ?? 0,
      overdue_settlements: billing?.deliveries.overdue ?? 0,
      oldest_undelivered_secs:
        oldestMs === null ? null : Math.max(0, Math.round((deps.nowMs() - oldestMs) / 1000)),
      settlement_conflicts: billing?.deliveries.conflicts ?? 0,
      journal: deps.journal.trouble ?? 'ok',
      draining: deps.activity.draining,
      config: {
        refused: file.refused,
        needs_restart: file.needsRestart,
      },
    });
  });
}

function providerStates({ current, breakers, feeds, activity, nowMs }: HealthDeps) {
  return Object.fromEntries(
    current().providers.map(({ name, tier }) => [
      name,
      {
        state: breakers.stateOf(name),
        paused_secs: secsUntil(breakers.pausedUntilMs(name), nowMs()),
        models: breakers.modelsOf(name),
        tier,
        feed: feeds.stateOf(name)?.standing ?? null,
        in_flight: breakers.inFlight(name),
        usage_disbelieved: activity.disbelieved.get(name) ?? 0,
      },
    ]),
  );
}

const secsUntil = (atMs: number | null, nowMs: number): number =>
  atMs === null ? 0 : Math.max(1, Math.ceil((atMs - nowMs) / 1000));
