/** The operator's view of everything: sums, chains, and whether they are as they were written. */
import { z } from 'zod';
import { type Verdict, verifyInWorker } from '../../audit/verify/in-worker.ts';
import { refuse } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { decodeCursor, encodeCursor, pageBody, pageQuery } from '../page.ts';
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

export async function operatorBooksRoutes(app: App, parts: VaultParts): Promise<void> {
  const { books, config, engine, wallet, payments, payouts, time } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));
  let verifying: Promise<Verdict> | null = null;

  function sums() {
    const { agentsAvailable, agentsHeld, sellersPayable, revenue, loss, equity, fees } =
      books.sums();
    return {
      agents_available_msat: agentsAvailable,
      agents_held_msat: agentsHeld,
      sellers_payable_msat: sellersPayable,
      revenue_msat: revenue,
      loss_msat: loss,
      equity_msat: equity,
      fees_msat: fees,
    };
  }

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
              mode: z.enum(['normal', 'recovery']),
              ledger: z.object({ writable: z.boolean(), queue: z.int() }),
              timestamp: z.int(),
            }),
            ...refusals('unauthorized'),
          },
        },
      },
      async (_request, reply) => {
        const { agents, disabled, ...open } = books.counts();
        return reply.send({
          amounts: sums(),
          agents: { total: agents, disabled },
          open,
          stuck_payments: payments.stuckIds(),
          stuck_payouts: payouts.stuckIds(),
          frozen_rails: payments
            .frozenRails()
            .map(({ name, reason }) => ({ rail: name, reason: reason ?? null })),
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
      const { agentsAvailable, agentsHeld, sellersPayable, railsBacking } = books.sums();
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
        amounts: sums(),
      });
    },
  );

  app.get(
    '/operator/verify',
    {
      schema: {
        summary: 'Are books, audit chains and rows as they were written',
        description: 'Reads everything, beside the ledger: seconds on a long history.',
        tags: TAGS,
        security: SECURITY,
        response: {
          200: z.object({
            ok: z.boolean(),
            findings: z.array(z.string()),
            findings_total: z.int(),
            agents: z.int(),
            auditRows: z.int(),
            transfers: z.int(),
            reservations: z.int(),
          }),
          ...refusals('unauthorized'),
        },
      },
    },
    async (_request, reply) => {
      // Who asks while it runs gets the same answer: one reader of everything is enough.
      verifying ??= verifyInWorker(config).finally(() => {
        verifying = null;
      });
      const { findings, total, counts } = await verifying;
      return reply.send({
        ok: total === 0,
        findings: [...findings],
        findings_total: total,
        ...counts,
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
      const rows = books.audit(before, limit + 1);
      const items = rows.slice(0, limit);
      const next = rows.length > limit ? encodeCursor('audit', items.at(-1)!.id) : null;
      return reply.send(pageBody('entries', { items, next }));
    },
  );
}
