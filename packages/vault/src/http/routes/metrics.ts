/** What Prometheus scrapes; docs/metrics.md has names and units. */
import fp from 'fastify-plugin';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { z } from 'zod';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import type { VaultParts } from '../parts.ts';
import { refusals } from '../schemas.ts';

/** Not encapsulated: its hook counts the requests of all routes. */
export const metricsRoutes = fp(async (app: App, parts: VaultParts): Promise<void> => {
  const { books, config, engine, payments, payouts } = parts;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
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
  new Gauge({
    name: 'arbstr_vault_open',
    help: 'What is not at its end: holds, approvals, payments, payouts, deposits; and agents',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, count] of Object.entries(books.counts())) this.set({ kind }, count);
    },
  });
  new Gauge({
    name: 'arbstr_vault_msat',
    help: 'Sums of accounts, msat',
    labelNames: ['account'],
    registers,
    collect() {
      for (const [account, amount] of Object.entries(books.sums())) this.set({ account }, amount);
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
