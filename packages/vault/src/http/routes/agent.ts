/** What an agent may read of itself, and its operator of it. */

import { z } from 'zod';
import { AUDIT_ACTIONS } from '../../audit/action.ts';
import { VaultError } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { agentByUrl, agentReader } from '../auth.ts';
import { decodeCursor, encodeCursor, pageBody, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { policyBody } from '../policy-body.ts';
import {
  agentParams,
  balanceAnswer,
  historyEntry,
  meAnswer,
  pageAnswer,
  rangeQuery,
  refusals,
} from '../schemas.ts';

const TAGS = ['agent'];
const SECURITY = [{ agent: [] }, { operator: [] }];
const SEQUENCE = /^[1-9]\d{0,15}$/;

export async function agentRoutes(app: App, parts: VaultParts): Promise<void> {
  const { agents, history, time } = parts;
  const readerOf = agentReader(parts);
  const readable = agentByUrl(parts);

  app.get(
    '/agents/me',
    {
      schema: {
        summary: 'Who am I',
        tags: TAGS,
        security: [{ agent: [] }],
        response: {
          200: meAnswer,
          ...refusals('invalid_token', 'insufficient_scope', 'rate_limited', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      if (reader.role === 'operator') {
        throw new VaultError('not_found', 'the operator is not an agent; use an agent token');
      }
      const policy = agents.policy(reader.agent.no);
      return reply.send({
        agent_id: reader.agent.id,
        name: reader.agent.name,
        scopes: reader.agent.scopes,
        policy: policy ? policyBody(policy) : null,
      });
    },
  );

  app.get(
    '/agents/:id/balance',
    {
      schema: {
        summary: 'What an agent has, holds and spent',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        response: {
          200: balanceAnswer,
          ...refusals('invalid_token', 'insufficient_scope', 'rate_limited', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const { available, held } = agents.balances(agent.id);
      return reply.send({
        agent_id: agent.id,
        balance_msat: available,
        held_msat: held,
        spent_24h_msat: agents.spent24h(agent.no, time.now()),
        daily_limit_msat: agents.policy(agent.no)?.dailyLimitMsat ?? null,
        asset: 'BTC_simulated',
      });
    },
  );

  app.get(
    '/agents/:id/history',
    {
      schema: {
        summary: 'What happened to an agent and its money',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject({
          ...pageQuery,
          order: z.enum(['asc', 'desc'], { error: 'must be asc or desc' }).default('desc'),
          action_type: z
            .enum(AUDIT_ACTIONS, { error: `must be one of ${AUDIT_ACTIONS.join(', ')}` })
            .optional(),
          ...rangeQuery,
        }),
        response: {
          200: z.object({ entries: z.array(historyEntry), ...pageAnswer }),
          ...refusals(
            'invalid_token',
            'insufficient_scope',
            'rate_limited',
            'not_found',
            'invalid_cursor',
          ),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const { cursor, limit, order, action_type, start_date, end_date } = request.query;
      const page = history.page({
        agent,
        order,
        after: cursor === undefined ? null : Number(decodeCursor('history', cursor, SEQUENCE)),
        limit,
        action: action_type,
        startMs: start_date,
        endMs: end_date,
      });
      const next = page.next === null ? null : encodeCursor('history', page.next);
      return reply.send(pageBody('entries', { items: page.entries, next }));
    },
  );
}
