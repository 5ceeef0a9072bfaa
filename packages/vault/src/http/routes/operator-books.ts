/** The operator's view of the books: is everybody covered, and all audit rows. */
import { z } from 'zod';
import { isRefusal, refuse } from '../../errors.ts';
import { callWithin } from '../../worker/tasks.ts';
import { amounts, amountsOf } from '../amounts.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { WALLET_MS_MAX } from '../limits.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { pageAnswer, refusals } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const ROW = /^[1-9]\d{0,15}$/;

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
  const { auditRows, books, config, wallet } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));

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
        const patience = AbortSignal.timeout(WALLET_MS_MAX);
        balance = await callWithin(patience, (signal) => wallet.balanceMsat(signal));
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
