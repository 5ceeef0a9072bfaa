/** What waits for a human: the operator decides, the agent looks. */
import { idSchema, msatSchema } from '@arbstr/shared';
import { z } from 'zod';
import { APPROVAL_STATUSES } from '../../approval/approval.ts';
import { VaultError } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { agentByUrl, requireOperator } from '../auth.ts';
import { sendOutcome } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { approvalAnswer, approvalBody, PAYMENT_STATUSES, paymentBody } from '../payment-body.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, pageAnswer, refusals } from '../schemas.ts';

const APPROVAL_ID = /^apr_[0-9A-Z]{26}$/;
const REASON_CHARS_MAX = 500;

const statusQuery = z.enum([...APPROVAL_STATUSES, 'all'], {
  error: `must be one of ${APPROVAL_STATUSES.join(', ')} or all`,
});
const listAnswer = z.object({ approvals: z.array(approvalAnswer), ...pageAnswer });
const resolveBody = z
  .strictObject({ reason: z.string().min(1).max(REASON_CHARS_MAX).optional() })
  .nullish();
const approvalParams = z.object({ approval_id: z.string().max(64) });
const resolveAnswer = z.object({
  approval_id: idSchema('approval'),
  status: z.enum(['approved', 'denied']),
  /** Null, as is the payment's status, for inference: one request may now pass. */
  transaction_id: idSchema('transfer').nullable(),
  agent_id: idSchema('agent'),
  amount_msat: msatSchema,
  payment_status: z.enum(PAYMENT_STATUSES).nullable(),
});

/** A page of approvals, newest first. */
function listApprovals(
  { payments }: VaultParts,
  agentNo: number | null,
  query: { cursor?: string | undefined; limit: number; status: z.output<typeof statusQuery> },
) {
  const { cursor, limit, status } = query;
  const before = cursor === undefined ? null : decodeCursor('approvals', cursor, APPROVAL_ID);
  const filter = { agentNo, status: status === 'all' ? null : status };
  const found = payments.approvals(filter, before, limit + 1);
  return pageBody(
    'approvals',
    pageOf('approvals', found.map(approvalBody), limit, ({ id }) => id),
  );
}

export async function operatorApprovalRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, payments, runner, wallet } = parts;
  const TAGS = ['operator'];
  const SECURITY = [{ operator: [] }];
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  app.get(
    '/operator/approvals',
    {
      schema: {
        summary: 'What waits for the operator, newest first',
        tags: TAGS,
        security: SECURITY,
        querystring: z.strictObject({
          ...pageQuery,
          status: statusQuery.default('pending'),
          agent_id: z.string().max(64).optional(),
        }),
        response: {
          200: listAnswer,
          ...refusals('unauthorized', 'not_found', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const { agent_id } = request.query;
      const agent = agent_id === undefined ? undefined : agents.find(agent_id);
      if (agent_id !== undefined && !agent) throw new VaultError('not_found', 'no such agent');
      return reply.send(listApprovals(parts, agent?.no ?? null, request.query));
    },
  );

  for (const kind of ['approve', 'deny'] as const) {
    app.post(
      `/operator/approvals/:approval_id/${kind}`,
      {
        schema: {
          summary:
            kind === 'approve'
              ? 'Let it run, exactly as it was asked for'
              : 'Give the money back to the agent',
          tags: TAGS,
          security: SECURITY,
          params: approvalParams,
          body: resolveBody,
          response: {
            200: resolveAnswer,
            ...refusals(
              'unauthorized',
              'not_found',
              'agent_disabled',
              'already_resolved',
              'idempotency_conflict',
            ),
          },
        },
      },
      async (request, reply) => {
        const outcome = await engine.execute({
          kind,
          correlationId: request.id,
          replayKey: replayKeyOf(request),
          approvalId: request.params.approval_id,
          reason: request.body?.reason ?? null,
        });
        const waiting = 'paymentState' in outcome && outcome.paymentState === 'held';
        if (waiting && outcome.transactionId !== null) {
          await runner.sendNow(outcome.transactionId);
        }
        return sendOutcome(reply, outcome, (resolved) => ({
          approval_id: resolved.approvalId,
          status: resolved.status,
          transaction_id: resolved.transactionId,
          agent_id: resolved.agentId,
          amount_msat: resolved.amount,
          payment_status:
            resolved.transactionId === null
              ? null
              : paymentBody(payments.find(resolved.transactionId)!, false).status,
        }));
      },
    );
  }

  app.post(
    '/operator/rails/:rail/thaw',
    {
      schema: {
        summary: 'Let payments run again on a rail that was frozen because it broke its word',
        tags: TAGS,
        security: SECURITY,
        params: z.object({ rail: z.string().max(64) }),
        response: {
          200: z.object({ rail: z.string() }),
          ...refusals('unauthorized', 'not_found', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const { rail } = request.params;
      if (rail !== wallet.rail) throw new VaultError('not_found', `no rail ${rail} is in use`);
      const outcome = await engine.execute({
        kind: 'thaw_rail',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        rail: wallet.rail,
      });
      return sendOutcome(reply, outcome, (thawed) => ({ rail: thawed.rail }));
    },
  );
}

export async function agentApprovalRoutes(app: App, parts: VaultParts): Promise<void> {
  const { payments } = parts;
  const TAGS = ['agent'];
  const SECURITY = [{ agent: [] }, { operator: [] }];
  const readable = agentByUrl(parts);

  app.get(
    '/agents/:id/approvals',
    {
      schema: {
        summary: 'What of an agent waits or waited for the operator, newest first',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject({ ...pageQuery, status: statusQuery.default('all') }),
        response: {
          200: listAnswer,
          ...refusals('invalid_token', 'not_found', 'invalid_cursor', 'rate_limited'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      return reply.send(listApprovals(parts, agent.no, request.query));
    },
  );

  app.get(
    '/agents/:id/approvals/:approval_id',
    {
      schema: {
        summary: 'One approval',
        tags: TAGS,
        security: SECURITY,
        params: agentParams.extend(approvalParams.shape),
        response: {
          200: approvalAnswer,
          ...refusals('invalid_token', 'not_found', 'rate_limited'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const found = payments.findApproval(request.params.approval_id);
      if (found?.agentId !== agent.id) throw new VaultError('not_found', 'no such approval');
      return reply.send(approvalBody(found));
    },
  );
}
