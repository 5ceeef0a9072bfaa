/** What Prometheus scrapes; docs/metrics.md has names and units. */
import fp from 'fastify-plugin';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { z } from 'zod';
import { isRefusal } from '../../errors.ts';
import { ALERTS } from '../../notify/outbox.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import type { VaultParts } from '../parts.ts';
import { refusals } from '../schemas.ts';

/** Not encapsulated: its hook counts the requests of all routes. */
export const metricsRoutes = fp(async (app: App, parts: VaultParts): Promise<void> => {
  const { books, checkpoints, config, courier, engine, ledgerMetrics, outbox, time } = parts;
  const { payments, payouts } = parts;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const metric of ledgerMetrics) registry.registerMetric(metric);
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('arbstr_vault_queue_depth', 'Commands that wait for their commit', () => engine.queueDepth);
  gauge('arbstr_vault_storage_ok', '1 while the ledger can be written', () =>
    engine.storage.state === 'ok' ? 1 : 0,
  );
  gauge('arbstr_vault_recovering', '1 in recovery mode', () => (engine.recovering ? 1 : 0));
  gauge(
    'arbstr_vault_last_commit_seconds',
    'Unix time of the last commit',
    () => engine.ledgerMs / 1000,
  );
  gauge(
    'arbstr_vault_stuck_payments',
    'Payments that need a human',
    () => payments.stuckIds().length,
  );
  gauge('arbstr_vault_stuck_payouts', 'Payouts that need a human', () => payouts.stuckIds().length);
  gauge(
    'arbstr_vault_last_checkpoint_seconds',
    'Unix time of the last audit checkpoint; 0 = none',
    () => checkpoints.lastMs / 1000,
  );
  new Gauge({
    name: 'arbstr_vault_open',
    help: 'What is not at its end: holds, approvals, payments, payouts, deposits; and agents',
    labelNames: ['kind'],
    registers,
    async collect() {
      const counts = await books.counts();
      // No number rather than an old one.
      this.reset();
      if (isRefusal(counts)) return;
      for (const [kind, count] of Object.entries(counts)) this.set({ kind }, count);
    },
  });
  new Gauge({
    name: 'arbstr_vault_msat',
    help: 'Sums of accounts, msat',
    labelNames: ['account'],
    registers,
    async collect() {
      const sums = await books.sums();
      this.reset();
      if (isRefusal(sums)) return;
      for (const [account, amount] of Object.entries(sums)) this.set({ account }, amount);
    },
  });
  new Gauge({
    name: 'arbstr_vault_webhooks',
    help: 'Events that were not delivered: pending (tried again) and dead (given up)',
    labelNames: ['state'],
    registers,
    collect() {
      const { pending, dead } = outbox.counts();
      this.set({ state: 'pending' }, pending);
      this.set({ state: 'dead' }, dead);
    },
  });
  gauge(
    'arbstr_vault_webhook_oldest_pending_seconds',
    'Age of the oldest event that waits; 0 where none does',
    () => (time.now() - (outbox.counts().oldestPendingAt ?? time.now())) / 1000,
  );
  new Counter({
    name: 'arbstr_vault_webhook_tries_total',
    help: 'Tries to deliver an event, since the start',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(courier?.tries ?? {})) {
        this.inc({ result }, count);
      }
    },
  });
  new Gauge({
    name: 'arbstr_vault_alerts',
    help: 'Alerts that are not over',
    labelNames: ['alert'],
    registers,
    collect() {
      this.reset();
      for (const alert of ALERTS) this.set({ alert }, 0);
      for (const { alert } of outbox.episodes()) this.inc({ alert });
    },
  });
  const requests = new Counter({
    name: 'arbstr_vault_http_requests_total',
    help: 'Requests by route and status',
    labelNames: ['route', 'status'],
    registers,
  });
  // The routes of the API are few, and what is none of them has no name of its own.
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    requests.inc({ route, status: String(reply.statusCode) });
    done();
  });

  await app.register(async (scraped: App) => {
    scraped.addHook('onRequest', requireOperator(config.adminToken));
    scraped.get(
      '/metrics',
      {
        schema: {
          summary: 'For Prometheus',
          tags: ['health'],
          security: [{ operator: [] }],
          response: {
            200: { description: 'text', content: { 'text/plain': { schema: z.string() } } },
            ...refusals('unauthorized'),
          },
        },
      },
      async (_request, reply) =>
        reply
          .type(registry.contentType)
          .serializer((text: unknown) => text as string)
          .send(await registry.metrics()),
    );
  });
});
