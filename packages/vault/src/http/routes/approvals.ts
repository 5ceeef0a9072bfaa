/** What waits for a human: the operator decides, the agent looks. */
import { idSchema, msatSchema } from '@arbstr/shared';
import { z } from 'zod';
import { APPROVAL_STATUSES } from '../../approval/approval.ts';
import { VaultError } from '../../errors.ts';
import type { ApprovalResolved } from '../../ledger/outcome.ts';
import type { App } from '../app-type.ts';
import { agentByUrl, requireOperator } from '../auth.ts';
import { sendOutcome } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import {
  approvalAnswer,
  approvalBody,
  PAYMENT_STATUSES,
  payoutApprovalBody,
  STATUS_OF,
} from '../payment-body.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, pageAnswer, refusals } from '../schemas.ts';

/** What ids of approvals and of payouts have in common, and are listed by. */
const ULID = /^[0-9A-Z]{26}$/;
const AFTER_ALL = '~';
const ulidOf = ({ id }: { id: string }): string => id.slice(id.indexOf('_') + 1);
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
  approval_id: z.union([idSchema('approval'), idSchema('payout')]),
  status: z.enum(['approved', 'denied']),
  /** Null, as is the payment's status, for inference: one request may now pass. */
  transaction_id: idSchema('transfer').nullable(),
  /** Null for a payout; `payment_status` is then the payout's. */
  agent_id: idSchema('agent').nullable(),
  amount_msat: msatSchema,
  payment_status: z.enum(PAYMENT_STATUSES).nullable(),
});

/** A page of approvals, newest first; of all agents, the payouts that wait are among them. */
function listApprovals(
  { payments, payouts }: VaultParts,
  agentNo: number | null,
  query: { cursor?: string | undefined; limit: number; status: z.output<typeof statusQuery> },
) {
  const { cursor, limit, status } = query;
  const before = cursor === undefined ? AFTER_ALL : decodeCursor('approvals', cursor, ULID);
  const filter = { agentNo, status: status === 'all' ? null : status };
  const asked = payments.approvals(filter, `apr_${before}`, limit + 1).map(approvalBody);
  const withPayouts = agentNo === null && (status === 'pending' || status === 'all');
  const waiting = withPayouts ? payouts.waiting(`po_${before}`, limit + 1) : [];
  const found = [...asked, ...waiting.map(payoutApprovalBody)].sort((a, b) =>
    ulidOf(a) < ulidOf(b) ? 1 : -1,
  );
  return pageBody('approvals', pageOf('approvals', found, limit, ulidOf));
}

export async function operatorApprovalRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, payments, payouts, payoutRunner, runner, wallet } = parts;
  const TAGS = ['operator'];
  const SECURITY = [{ operator: [] }];
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  function statusNow({ transactionId, payoutId }: ApprovalResolved) {
    if (payoutId !== undefined) return STATUS_OF[payouts.find(payoutId)!.state];
    return transactionId === null ? null : STATUS_OF[payments.find(transactionId)!.state];
  }

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
              ? 'Let it run, exactly as it was asked for; of a payout, later ones to that destination, too'
              : 'Give the money back to the agent; of a payout, stop all until its destination is set again',
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
        if ('paymentState' in outcome && outcome.paymentState === 'held' && !outcome.replayed) {
          const { payoutId, transactionId } = outcome;
          if (payoutId !== undefined) await payoutRunner.sendNow(payoutId);
          else if (transactionId !== null) await runner.sendNow(transactionId);
        }
        return sendOutcome(reply, outcome, (resolved) => ({
          approval_id: resolved.approvalId,
          status: resolved.status,
          transaction_id: resolved.transactionId,
          agent_id: resolved.agentId,
          amount_msat: resolved.amount,
          payment_status: statusNow(resolved),
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
