/** What core calls for every request of an agent. Kept lean: it shares the core with the ledger. */
import {
  authenticateAnswerSchema,
  authenticateRequestSchema,
  extendAnswerSchema,
  extendRequestSchema,
  HOLD_SECS_DEFAULT,
  type Msat,
  releaseAnswerSchema,
  releaseRequestSchema,
  reserveAnswerSchema,
  reserveRequestSchema,
  settleAnswerSchema,
  settleRequestSchema,
} from '@arbstr/shared';
import type { z } from 'zod';
import { tokenHash } from '../../agent/token.ts';
import { refuse } from '../../errors.ts';
import type { Reserve, Settle } from '../../ledger/command.ts';
import type { NewId } from '../../ports.ts';
import type { Usage } from '../../reservation/reservation.ts';
import type { App } from '../app-type.ts';
import { requireInternal } from '../auth.ts';
import { sendOutcome, sendRefusal } from '../errors.ts';
import { INTERNAL_BODY_BYTES_MAX } from '../limits.ts';
import type { VaultParts } from '../parts.ts';
import { refusals } from '../schemas.ts';

const TAGS = ['internal'];
const SECURITY = [{ internal: [] }];

export async function billingRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, time, newId } = parts;
  app.addHook('onRequest', requireInternal(parts.config.internalToken));
  const bodyLimit = INTERNAL_BODY_BYTES_MAX;

  app.post(
    '/authenticate',
    {
      bodyLimit,
      schema: {
        summary: 'Whose token is this, and what may it do',
        tags: TAGS,
        security: SECURITY,
        body: authenticateRequestSchema,
        response: { 200: authenticateAnswerSchema, ...refusals('unauthorized', 'invalid_token') },
      },
    },
    async (request, reply) => {
      const agent = agents.authenticate(tokenHash(request.body.agent_token), time.now());
      if (!agent) {
        return sendRefusal(
          reply,
          refuse('invalid_token', 'unknown, expired or revoked agent token'),
        );
      }
      const policy = agents.policy(agent.no);
      return reply.send({
        agent_id: agent.id,
        scopes: agent.scopes,
        allowed_models: policy?.allowedModels?.slice() ?? null,
        policy_version: policy?.version ?? 0,
      });
    },
  );

  app.post(
    '/reserve',
    {
      bodyLimit,
      schema: {
        summary: 'Hold the most that a request can cost',
        tags: TAGS,
        security: SECURITY,
        body: reserveRequestSchema,
        response: {
          200: reserveAnswerSchema,
          ...refusals(
            'unauthorized',
            'invalid_token',
            'insufficient_scope',
            'insufficient_balance',
            'policy_denied',
            'approval_required',
            'agent_disabled',
            'idempotency_conflict',
            'already_released',
          ),
        },
      },
    },
    async (request, reply) => {
      const outcome = await engine.execute(reserveCommand(request.body, newId));
      return sendOutcome(reply, outcome);
    },
  );

  app.post(
    '/settle',
    {
      bodyLimit,
      schema: {
        summary: 'Charge what a request did cost, and give back the rest of its hold',
        tags: TAGS,
        security: SECURITY,
        body: settleRequestSchema,
        response: {
          200: settleAnswerSchema,
          ...refusals(
            'unauthorized',
            'not_found',
            'already_released',
            'already_settled_differently',
          ),
        },
      },
    },
    async (request, reply) => sendOutcome(reply, await engine.execute(settleCommand(request.body))),
  );

  app.post(
    '/release',
    {
      bodyLimit,
      schema: {
        summary: 'Give a hold back; an unknown id is forbidden for ever',
        tags: TAGS,
        security: SECURITY,
        body: releaseRequestSchema,
        response: { 200: releaseAnswerSchema, ...refusals('unauthorized', 'already_settled') },
      },
    },
    async (request, reply) => {
      const { reservation_id, reason } = request.body;
      return sendOutcome(
        reply,
        await engine.execute({
          kind: 'release',
          reservationId: reservation_id,
          reason: reason ?? null,
        }),
      );
    },
  );

  app.post(
    '/extend',
    {
      bodyLimit,
      schema: {
        summary: 'Give an open hold more time',
        tags: TAGS,
        security: SECURITY,
        body: extendRequestSchema,
        response: {
          200: extendAnswerSchema,
          ...refusals(
            'unauthorized',
            'not_found',
            'expired',
            'already_released',
            'already_settled',
          ),
        },
      },
    },
    async (request, reply) => {
      const { reservation_id, expires_in_secs } = request.body;
      return sendOutcome(
        reply,
        await engine.execute({
          kind: 'extend',
          reservationId: reservation_id,
          holdMs: expires_in_secs * 1000,
        }),
      );
    },
  );
}

function reserveCommand(body: z.output<typeof reserveRequestSchema>, newId: NewId): Reserve {
  return {
    kind: 'reserve',
    tokenHash: tokenHash(body.agent_token),
    amount: body.amount_msats,
    correlationId: body.correlation_id,
    model: body.model,
    requestedModel: body.requested_model ?? null,
    coreId: body.core_id ?? null,
    reservationId: body.reservation_id ?? newId('reservation'),
    approvalId: newId('approval'),
    byCorrelation: body.reservation_id === undefined,
    holdMs: (body.expires_in_secs ?? HOLD_SECS_DEFAULT) * 1000,
  };
}

function settleCommand(body: z.output<typeof settleRequestSchema>): Settle {
  return {
    kind: 'settle',
    reservationId: body.reservation_id,
    asked: body.actual_msats as Msat,
    usage: usageOf(body),
    agentId: body.agent_id ?? null,
    correlationId: body.correlation_id ?? null,
    model: body.model ?? null,
  };
}

/** Usage beside the bill or, as the originals sent it, under `metadata`; beside wins. */
function usageOf(body: z.output<typeof settleRequestSchema>): Usage {
  const nested = body.metadata ?? {};
  return {
    provider: body.provider ?? nested.provider ?? undefined,
    provider_cost_msats: body.provider_cost_msats ?? nested.provider_cost_msats ?? undefined,
    tokens_in: body.tokens_in ?? nested.tokens_in ?? undefined,
    tokens_out: body.tokens_out ?? nested.tokens_out ?? undefined,
    latency_ms: body.latency_ms ?? nested.latency_ms ?? undefined,
    baseline_msats: body.baseline_msats ?? nested.baseline_msats ?? undefined,
    estimated: body.estimated ?? nested.estimated ?? undefined,
  };
}
