/** The operator's view of everything: sums, what waits, and all audit rows. */
import { z } from 'zod';
import type { Sums } from '../../audit/books-queries.ts';
import { isRefusal, refuse } from '../../errors.ts';
import { ALERTS } from '../../notify/outbox.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { pageAnswer, refusals } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const ROW = /^[1-9]\d{0,15}$/;
const WALLET_MS_MAX = 10_000;

const amounts = z.object({
  agents_available_msat: z.int(),
  agents_held_msat: z.int(),
  sellers_payable_msat: z.int(),
  revenue_msat: z.int(),
  loss_msat: z.int(),
  equity_msat: z.int(),
  fees_msat: z.int(),
});

const auditEntry = z.object({
  id: z.int(),
  agent_id: z.string().nullable(),
  sequence: z.int(),
  action: z.string(),
  facts: z.record(z.string(), z.unknown()),
  created_at: z.int(),
  hash: z.string(),
});

const amountsOf = (sums: Sums): z.output<typeof amounts> => ({
  agents_available_msat: sums.agentsAvailable,
  agents_held_msat: sums.agentsHeld,
  sellers_payable_msat: sums.sellersPayable,
  revenue_msat: sums.revenue,
  loss_msat: sums.loss,
  equity_msat: sums.equity,
  fees_msat: sums.fees,
});

export async function operatorBooksRoutes(app: App, parts: VaultParts): Promise<void> {
  const { auditRows, books, config, engine, wallet, payments, payouts, outbox, time } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));

  for (const url of ['/operator/dashboard', '/operator/stats']) {
    app.get(
      url,
      {
        schema: {
          summary: 'What there is, what waits and what is stuck',
          tags: TAGS,
          security: SECURITY,
          response: {
            200: z.object({
              amounts,
              agents: z.object({ total: z.int(), disabled: z.int() }),
              open: z.object({
                holds: z.int(),
                approvals: z.int(),
                payments: z.int(),
                payouts: z.int(),
                deposits: z.int(),
              }),
              stuck_payments: z.array(z.string()),
              stuck_payouts: z.array(z.string()),
              frozen_rails: z.array(z.object({ rail: z.string(), reason: z.string().nullable() })),
              webhooks: z.object({
                pending: z.int(),
                dead_letters: z.int(),
                oldest_pending_at: z.int().nullable(),
              }),
              /** Not over yet. */
              alerts: z.array(
                z.object({
                  alert: z.enum(ALERTS),
                  subject: z.string(),
                  reason: z.string(),
                  since: z.int(),
                }),
              ),
              mode: z.enum(['normal', 'recovery']),
              ledger: z.object({ writable: z.boolean(), queue: z.int() }),
              timestamp: z.int(),
            }),
            ...refusals('unauthorized'),
          },
        },
      },
      async (_request, reply) => {
        const [counts, sums] = await Promise.all([books.counts(), books.sums()]);
        if (isRefusal(counts)) return sendRefusal(reply, counts);
        if (isRefusal(sums)) return sendRefusal(reply, sums);
        const { agents, disabled, ...open } = counts;
        const { pending, dead, oldestPendingAt } = outbox.counts();
        return reply.send({
          amounts: amountsOf(sums),
          agents: { total: agents, disabled },
          open,
          stuck_payments: payments.stuckIds(),
          stuck_payouts: payouts.stuckIds(),
          frozen_rails: payments
            .frozenRails()
            .map(({ name, reason }) => ({ rail: name, reason: reason ?? null })),
          webhooks: { pending, dead_letters: dead, oldest_pending_at: oldestPendingAt },
          alerts: outbox.episodes(),
          mode: engine.recovering ? ('recovery' as const) : ('normal' as const),
          ledger: { writable: engine.storage.state === 'ok', queue: engine.queueDepth },
          timestamp: time.now(),
        });
      },
    );
  }

  app.get(
    '/operator/solvency',
    {
      schema: {
        summary: 'What is owed, against what the rails hold',
        description:
          'Solvent: what the rails can pay out covers what agents and sellers are owed. The simulated rail has no limit, so there `rail_balance_msat` is null and only the books are compared.',
        tags: TAGS,
        security: SECURITY,
        response: {
          200: z.object({
            solvent: z.boolean(),
            liabilities_msat: z.int(),
            /** What the books say that the rails hold. */
            rails_backing_msat: z.int(),
            rails: z.array(z.object({ rail: z.string(), balance_msat: z.int().nullable() })),
            amounts,
          }),
          ...refusals('unauthorized', 'outcome_unknown'),
        },
      },
    },
    async (_request, reply) => {
      const sums = await books.sums();
      if (isRefusal(sums)) return sendRefusal(reply, sums);
      const { agentsAvailable, agentsHeld, sellersPayable, railsBacking } = sums;
      const liabilities = agentsAvailable + agentsHeld + sellersPayable;
      let balance: number | null;
      try {
        balance = await wallet.balanceMsat(AbortSignal.timeout(WALLET_MS_MAX));
      } catch (error) {
        const reason = (error as Error).message;
        return sendRefusal(reply, refuse('outcome_unknown', `the wallet does not say: ${reason}`));
      }
      return reply.send({
        solvent: railsBacking >= liabilities && (balance === null || balance >= liabilities),
        liabilities_msat: liabilities,
        rails_backing_msat: railsBacking,
        rails: [{ rail: wallet.rail, balance_msat: balance }],
        amounts: amountsOf(sums),
      });
    },
  );

  app.get(
    '/operator/audit',
    {
      schema: {
        summary: 'Every audit row of all chains, newest first',
        tags: TAGS,
        security: SECURITY,
        querystring: z.strictObject(pageQuery),
        response: {
          200: z.object({ entries: z.array(auditEntry), ...pageAnswer }),
          ...refusals('unauthorized', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const { cursor, limit } = request.query;
      const before =
        cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(decodeCursor('audit', cursor, ROW));
      const found = auditRows(before, limit + 1);
      return reply.send(
        pageBody(
          'entries',
          pageOf('audit', found, limit, ({ id }) => id),
        ),
      );
    },
  );
}
