/** Agents as their operator manages them. */
import { ZERO_MSAT } from '@arbstr/shared';
import { z } from 'zod';
import { newAgentToken, tokenHash } from '../../agent/token.ts';
import { noSuchAgent } from '../../ledger/agents.ts';
import { policyChange } from '../../policy/policy-fields.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendOutcome, sendRefusal } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { policyBody } from '../policy-body.ts';
import { replayKeyOf } from '../replay-key.ts';
import {
  agentAnswer,
  agentParams,
  createAgentAnswer,
  createAgentBody,
  debitBody,
  depositAnswer,
  depositBody,
  disableAnswer,
  disableBody,
  listedAgent,
  pageAnswer,
  refusals,
} from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const AGENT_ID = /^ag_[0-9A-Z]{26}$/;

export async function operatorAgentRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, newId, randomBytes } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  app.post(
    '/agents',
    {
      schema: {
        summary: 'Make an agent; its token is shown once',
        tags: TAGS,
        security: SECURITY,
        body: createAgentBody,
        response: {
          201: createAgentAnswer,
          ...refusals('unauthorized', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const { name, metadata, policy } = request.body;
      const token = newAgentToken(randomBytes);
      const outcome = await engine.execute({
        kind: 'create_agent',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        agentId: newId('agent'),
        name,
        metadata: metadata ?? {},
        token: { id: newId('agentToken'), hash: tokenHash(token), scopes: ['spend', 'read'] },
        policy: policy ? { versionId: newId('policyVersion'), change: policyChange(policy) } : null,
      });
      reply.code(201);
      return sendOutcome(reply, outcome, (created) => ({
        agent_id: created.agentId,
        token: created.replayed ? null : token,
        created_at: created.createdAt,
      }));
    },
  );

  app.get(
    '/agents',
    {
      schema: {
        summary: 'All agents, ascending by id',
        tags: TAGS,
        security: SECURITY,
        querystring: z.strictObject(pageQuery),
        response: {
          200: z.object({ agents: z.array(listedAgent), ...pageAnswer }),
          ...refusals('unauthorized', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const { cursor, limit } = request.query;
      const after = cursor === undefined ? '' : decodeCursor('agents', cursor, AGENT_ID);
      const found = agents.list(after, limit + 1).map((agent) => ({
        id: agent.id,
        name: agent.name,
        metadata: JSON.parse(agent.metadata) as Record<string, string>,
        created_at: agent.createdAt,
        disabled_at: agent.disabledAt,
      }));
      return reply.send(
        pageBody(
          'agents',
          pageOf('agents', found, limit, ({ id }) => id),
        ),
      );
    },
  );

  app.get(
    '/agents/:id',
    {
      schema: {
        summary: 'One agent',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        response: { 200: agentAnswer, ...refusals('unauthorized', 'not_found') },
      },
    },
    async (request, reply) => {
      const agent = agents.find(request.params.id);
      if (!agent) return sendRefusal(reply, noSuchAgent());
      const policy = agents.policy(agent.no);
      const { available, held } = agents.balances(agent.id);
      return reply.send({
        agent_id: agent.id,
        name: agent.name,
        metadata: JSON.parse(agent.metadata) as Record<string, string>,
        policy: policy ? policyBody(policy) : null,
        balance_msat: available,
        held_msat: held,
        created_at: agent.createdAt,
        disabled_at: agent.disabledAt,
      });
    },
  );

  app.delete(
    '/agents/:id',
    {
      schema: {
        summary:
          'Refuse new commands of an agent; open holds still settle. `sweep` takes what it has available; again, what came back since',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        body: disableBody,
        response: {
          200: disableAnswer,
          ...refusals('unauthorized', 'not_found', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const sweep = request.body?.sweep === true;
      const outcome = await engine.execute({
        kind: 'disable_agent',
        sweepId: sweep ? newId('transfer') : null,
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        agentId: request.params.id,
      });
      return sendOutcome(reply, outcome, (disabled) => ({
        agent_id: disabled.agentId,
        disabled: true,
        disabled_at: disabled.disabledAt,
        ...(sweep
          ? {
              swept_msat: disabled.swept?.amount ?? ZERO_MSAT,
              transaction_id: disabled.swept?.transactionId ?? null,
            }
          : {}),
      }));
    },
  );

  app.post(
    '/agents/:id/deposit',
    {
      schema: {
        summary: 'Credit an agent',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        body: depositBody,
        response: {
          200: depositAnswer,
          ...refusals('unauthorized', 'not_found', 'agent_disabled', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const outcome = await engine.execute({
        kind: 'credit',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        agentId: request.params.id,
        amount: request.body.amount_msat,
        transactionId: newId('transfer'),
      });
      return sendOutcome(reply, outcome, (credited) => ({
        agent_id: credited.agentId,
        amount_msat: credited.amount,
        balance_msat: credited.balance,
        transaction_id: credited.transactionId,
      }));
    },
  );
  app.post(
    '/agents/:id/debit',
    {
      schema: {
        summary: 'Take back what an agent has available, with a reason',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        body: debitBody,
        response: {
          200: depositAnswer,
          ...refusals('unauthorized', 'not_found', 'insufficient_balance', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const outcome = await engine.execute({
        kind: 'debit',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        agentId: request.params.id,
        amount: request.body.amount_msat,
        reason: request.body.reason,
        transactionId: newId('transfer'),
      });
      return sendOutcome(reply, outcome, (debited) => ({
        agent_id: debited.agentId,
        amount_msat: debited.amount,
        balance_msat: debited.balance,
        transaction_id: debited.transactionId,
      }));
    },
  );
}
