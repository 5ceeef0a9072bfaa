/** Events on their way to the operator's receiver, and those that never got there. */
import { idSchema } from '@arbstr/shared';
import { z } from 'zod';
import { VaultError } from '../../errors.ts';
import { WEBHOOK_EVENTS, WEBHOOK_STATES } from '../../notify/outbox.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendOutcome } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { pageAnswer, refusals, timeSchema } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const ROW = /^[1-9]\d{0,15}$/;

const STATES_OF = {
  pending: ['pending'],
  dead: ['dead'],
  delivered: ['delivered'],
  undelivered: ['pending', 'dead'],
  all: WEBHOOK_STATES,
} as const;
const LISTED = Object.keys(STATES_OF) as (keyof typeof STATES_OF)[];

const webhookAnswer = z.object({
  event_id: idSchema('event'),
  event: z.enum(WEBHOOK_EVENTS),
  agent_id: idSchema('agent').nullable(),
  sequence: z.int(),
  state: z.enum(WEBHOOK_STATES),
  /** Since it was written or replayed. */
  tries: z.int(),
  /** Of the last try that failed. */
  failure: z.string().nullable(),
  next_try_at: timeSchema.nullable(),
  ended_at: timeSchema.nullable(),
  created_at: timeSchema,
  /** What is sent. */
  payload: z.record(z.string(), z.unknown()),
});

export async function webhookRoutes(app: App, parts: VaultParts): Promise<void> {
  const { agents, engine, outbox } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  app.get(
    '/operator/webhooks',
    {
      schema: {
        summary: 'Events and what became of them, newest first',
        description:
          'undelivered: pending (to be tried, again or for the first time) and dead (given up; replay them). Delivered ones are kept for 7 days, dead ones for 30.',
        tags: TAGS,
        security: SECURITY,
        querystring: z.strictObject({
          ...pageQuery,
          state: z
            .enum(LISTED, { error: `must be one of ${LISTED.join(', ')}` })
            .default('undelivered'),
          agent_id: z.string().max(64).optional(),
        }),
        response: {
          200: z.object({ webhooks: z.array(webhookAnswer), ...pageAnswer }),
          ...refusals('unauthorized', 'not_found', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const { cursor, limit, state, agent_id } = request.query;
      const agent = agent_id === undefined ? undefined : agents.find(agent_id);
      if (agent_id !== undefined && !agent) throw new VaultError('not_found', 'no such agent');
      const before =
        cursor === undefined
          ? Number.MAX_SAFE_INTEGER
          : Number(decodeCursor('webhooks', cursor, ROW));
      const filter = { states: STATES_OF[state], agentNo: agent?.no ?? null };
      const rows = outbox.page(filter, before, limit + 1);
      const page = pageOf('webhooks', rows, limit, ({ id }) => id);
      const items = page.items.map((row) => ({
        event_id: row.event_id,
        event: row.event as (typeof WEBHOOK_EVENTS)[number],
        agent_id: row.agent_id,
        sequence: row.seq,
        state: row.state,
        tries: row.tries,
        failure: row.failure,
        next_try_at: row.next_at,
        ended_at: row.ended_at,
        created_at: row.created_at,
        payload: JSON.parse(row.body) as Record<string, unknown>,
      }));
      return reply.send(pageBody('webhooks', { ...page, items }));
    },
  );

  app.post(
    '/operator/webhooks/:event_id/replay',
    {
      schema: {
        summary: 'Deliver an event again, now',
        description: 'The same bytes under the same event id, whatever became of it before.',
        tags: TAGS,
        security: SECURITY,
        params: z.object({ event_id: z.string().max(64) }),
        response: {
          200: z.object({ event_id: idSchema('event'), state: z.enum(WEBHOOK_STATES) }),
          ...refusals('unauthorized', 'not_found', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const outcome = await engine.execute({
        kind: 'replay_webhook',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        eventId: request.params.event_id,
      });
      return sendOutcome(reply, outcome, ({ eventId, webhook }) => ({
        event_id: eventId,
        state: webhook,
      }));
    },
  );
}
