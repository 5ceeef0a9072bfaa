/** The whole vault on one page: all agents, sums, what waits and what is stuck. */
import { z } from 'zod';
import { BOARD_SORTS, type BoardAgent, type BoardPlace, placeOf } from '../../audit/agent-board.ts';
import { isRefusal } from '../../errors.ts';
import { ALERTS } from '../../notify/outbox.ts';
import { amounts, amountsOf } from '../amounts.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { decodeCursor, limitSchema, pageBody, pageOf } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { policyBody } from '../policy-body.ts';
import { railState, railStateAnswer } from '../rail-state.ts';
import { pageAnswer, policyAnswer, refusals, timeSchema } from '../schemas.ts';

/** Agents on one page: what fits a screen that one scrolls, and some 500 kB. */
const BOARD_PAGE = 1_000;
/** Amount, or nothing, and number of the last agent. */
const PLACE = /^\d{0,16},\d{1,15}$/;

const boardAgent = z.object({
  agent_id: z.string(),
  name: z.string(),
  /** Available. */
  balance_msat: z.int(),
  held_msat: z.int(),
  /** Charged in the last 24 h, without what is held. */
  daily_spend_msat: z.int(),
  /** Of the daily limit, in hundredths; null where there is none. */
  daily_utilization_pct: z.number().nullable(),
  pending_approvals_count: z.int(),
  policy: policyAnswer.nullable(),
  /** When its newest payment that was made succeeded. */
  last_payment_at: timeSchema.nullable(),
  balance_below_floor: z.boolean(),
  created_at: timeSchema,
  disabled_at: timeSchema.nullable(),
});

const boardQuery = z.strictObject({
  status: z.enum(['active', 'all']).default('all'),
  sort_by: z.enum(BOARD_SORTS).default('name'),
  sort_order: z.enum(['asc', 'desc']).default('asc'),
  cursor: z.string().max(200).optional(),
  limit: limitSchema(BOARD_PAGE, BOARD_PAGE),
});

const board = z.object({
  agents: z.array(boardAgent),
  ...pageAnswer,
  total_agents: z.int(),
  disabled_agents: z.int(),
  /** Payouts to sellers that wait among them. */
  total_pending_approvals: z.int(),
  amounts,
  open: z.object({
    holds: z.int(),
    approvals: z.int(),
    payments: z.int(),
    payouts: z.int(),
    deposits: z.int(),
  }),
  rails: z.record(z.string(), railStateAnswer),
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
});

export async function dashboardRoutes(app: App, parts: VaultParts): Promise<void> {
  const { books, config, engine, wallet, payments, payouts, outbox, time } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));

  for (const url of ['/operator/dashboard', '/operator/stats']) {
    app.get(
      url,
      {
        schema: {
          summary: 'All agents, what there is, what waits and what is stuck',
          tags: ['operator'],
          security: [{ operator: [] }],
          querystring: boardQuery,
          response: { 200: board, ...refusals('unauthorized', 'invalid_cursor') },
        },
      },
      async (request, reply) => {
        const { status, sort_by: sort, sort_order, cursor, limit } = request.query;
        // One of another sorting would begin in the middle of nowhere.
        const list = `board-${sort}-${sort_order}`;
        const query = {
          nowMs: time.now(),
          activeOnly: status === 'active',
          sort,
          descending: sort_order === 'desc',
          after: cursor === undefined ? null : placeIn(decodeCursor(list, cursor, PLACE)),
          limit: limit + 1,
        };
        const [counts, sums, found] = await Promise.all([
          books.counts(),
          books.sums(),
          books.board(query),
        ]);
        if (isRefusal(counts)) return sendRefusal(reply, counts);
        if (isRefusal(sums)) return sendRefusal(reply, sums);
        if (isRefusal(found)) return sendRefusal(reply, found);
        const page = pageOf(list, found, limit, (agent) => positionOf(placeOf(sort, agent)));
        const { agents: total_agents, disabled, ...open } = counts;
        const { pending, dead, oldestPendingAt } = outbox.counts();
        return reply.send({
          ...pageBody('agents', { ...page, items: page.items.map(agentBody) }),
          total_agents,
          disabled_agents: disabled,
          total_pending_approvals: open.approvals,
          amounts: amountsOf(sums),
          open,
          rails: { [wallet.rail]: railState(parts) },
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
}

const positionOf = ({ amount, no }: BoardPlace): string => `${amount ?? ''},${no}`;

function placeIn(position: string): BoardPlace {
  const [amount, no] = position.split(',') as [string, string];
  return { amount: amount === '' ? null : Number(amount), no: Number(no) };
}

function agentBody(agent: BoardAgent) {
  const { policy, spent, available } = agent;
  const limit = policy?.dailyLimitMsat ?? null;
  return {
    agent_id: agent.id,
    name: agent.name,
    balance_msat: available,
    held_msat: agent.held,
    daily_spend_msat: spent,
    daily_utilization_pct: limit === null ? null : percent(spent, limit),
    pending_approvals_count: agent.pendingApprovals,
    policy: policy === null ? null : policyBody(policy),
    last_payment_at: agent.lastPaymentAt,
    balance_below_floor: available < (policy?.alertFloorMsat ?? 0),
    created_at: agent.createdAt,
    disabled_at: agent.disabledAt,
  };
}

/** For people, to two decimals; of a limit of 0 everything is used up. */
const percent = (part: number, whole: number): number =>
  whole === 0 ? 100 : Math.round((part / whole) * 10_000) / 100;
