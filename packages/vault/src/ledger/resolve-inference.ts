/** The three ends of a question about inference. Nothing was held for it, so nothing goes back. */
import type { InferenceApproval, Pending, Resolved } from '../approval/approval.ts';
import { GRANT_WINDOW_MS, type Grant, grantedMax } from '../approval/grant.ts';
import type { LimitRule } from '../policy/spend-policy.ts';
import type { Approve, Deny } from './command.ts';
import type { Decision, Effect } from './effect.ts';
import type { ApprovalResolved } from './outcome.ts';
import type { AgentState } from './view.ts';

type PendingInference = Pending<InferenceApproval>;

/** One such request may pass from now on, for as long as the window is open. */
export function grantInference(
  approval: PendingInference,
  agent: AgentState,
  command: Approve,
  now: number,
): Decision<ApprovalResolved> {
  const grant: Grant = {
    approvalId: approval.id,
    agentNo: agent.no,
    model: approval.model,
    rule: approval.rule as LimitRule,
    amountMax: grantedMax(approval.amount),
    expiresAt: now + GRANT_WINDOW_MS,
    reservationId: null,
    consumedAt: null,
  };
  const resolved = resolve(approval, 'approved', command.reason, now);
  return {
    outcome: answer(resolved, agent),
    effects: [
      { effect: 'resolve_approval', approval: resolved },
      { effect: 'insert_grant', grant },
      audit(approval, 'APPROVAL_GRANTED', {
        correlation_id: command.correlationId,
        amount: approval.amount,
        model: grant.model,
        rule: grant.rule,
        granted_max: grant.amountMax,
        granted_until: grant.expiresAt,
        reason: command.reason ?? undefined,
      }),
    ],
  };
}

export function denyInference(
  approval: PendingInference,
  agent: AgentState,
  command: Deny,
  now: number,
): Decision<ApprovalResolved> {
  const resolved = resolve(approval, 'denied', command.reason, now);
  return {
    outcome: answer(resolved, agent),
    effects: [
      { effect: 'resolve_approval', approval: resolved },
      audit(approval, 'APPROVAL_DENIED', {
        correlation_id: command.correlationId,
        reason: command.reason ?? undefined,
      }),
    ],
  };
}

export const timeOutInference = (approval: PendingInference, now: number): Effect[] => [
  { effect: 'resolve_approval', approval: resolve(approval, 'timed_out', null, now) },
  audit(approval, 'APPROVAL_TIMEOUT', { correlation_id: approval.correlationId }),
];

const resolve = (
  approval: PendingInference,
  status: Resolved<InferenceApproval>['status'],
  reason: string | null,
  now: number,
): Resolved<InferenceApproval> => ({ ...approval, status, resolvedAt: now, reason });

const audit = (
  approval: PendingInference,
  action: 'APPROVAL_GRANTED' | 'APPROVAL_DENIED' | 'APPROVAL_TIMEOUT',
  facts: object,
): Effect => ({
  effect: 'audit',
  chain: approval.agentNo,
  action,
  facts: { approval_id: approval.id, approval_type: approval.type, ...facts },
});

const answer = (approval: Resolved<InferenceApproval>, agent: AgentState): ApprovalResolved => ({
  approvalId: approval.id,
  status: approval.status,
  transactionId: null,
  agentId: agent.id,
  amount: approval.amount,
  paymentState: null,
});
