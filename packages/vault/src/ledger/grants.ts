/**
 * Limits of inference, and the approvals that lift them for one request. Nothing here is looked up
 * for a reserve that is within its limits.
 */
import { type Msat, ZERO_MSAT } from '@arbstr/shared';
import type { InferenceApproval, Pending } from '../approval/approval.ts';
import type { Grant } from '../approval/grant.ts';
import { type Refusal, refuse } from '../errors.ts';
import {
  liftLimit,
  type OverLimit,
  overLimit,
  type PolicyVersion,
  type SpendLimits,
} from '../policy/spend-policy.ts';
import type { ExpiredReservation, HeldReservation } from '../reservation/reservation.ts';
import type { Reserve } from './command.ts';
import { BOUND_MS, UNMET_APPROVALS_MAX } from './daily-bound.ts';
import { type Decision, type Effect, no } from './effect.ts';
import { minuteOf } from './spend-window.ts';
import type { AgentState, LedgerView } from './view.ts';

/** Different models and rules that may wait for a human at once, of one agent. */
const PENDING_INFERENCE_MAX = 100;

/** The grants that this reserve has to take to be within its limits, or why it is not. */
export function grantsFor(
  view: LedgerView,
  agent: AgentState,
  policy: PolicyVersion,
  command: Reserve,
  now: number,
): readonly Grant[] | Decision<never> {
  const spend = {
    amount: command.amount,
    fee: ZERO_MSAT,
    spent: view.spent(agent.no, minuteOf(now)),
    held: agent.held.balance,
  };
  const grants: Grant[] = [];
  let limits: SpendLimits = policy;
  for (let over = overLimit(limits, spend); over; over = overLimit(limits, spend)) {
    if (policy.approvalTimeoutMs === null) return no(policyDenied(over, command.amount));
    const grant = view.freeGrant(agent.no, modelOf(command), over.rule, now);
    if (grant === undefined || command.amount > grant.amountMax) {
      return ask(view, agent, over, policy.approvalTimeoutMs, command, now);
    }
    grants.push(grant);
    limits = liftLimit(limits, over.rule);
  }
  return grants.length === 0 ? NO_GRANTS : grants;
}

const NO_GRANTS: readonly Grant[] = [];

/** One question per agent, model and rule, however often the agent asks. Nothing is held. */
function ask(
  view: LedgerView,
  agent: AgentState,
  over: OverLimit,
  timeoutMs: number,
  command: Reserve,
  now: number,
): Decision<never> {
  const model = modelOf(command);
  const asked = view.pendingInference(agent.no, model, over.rule);
  if (asked) return no(approvalRequired(asked, over, command.amount));
  const tooMany = view.unmetInference(agent.no, now - BOUND_MS, UNMET_APPROVALS_MAX);
  if (tooMany !== undefined || view.pendingInferences(agent.no) >= PENDING_INFERENCE_MAX) {
    return no(policyDenied(over, command.amount));
  }
  const approval: Pending<InferenceApproval> = {
    id: command.approvalId,
    agentNo: agent.no,
    type: 'inference',
    transactionId: null,
    amount: command.amount,
    maxFee: ZERO_MSAT,
    destinationType: null,
    destination: null,
    model,
    rule: over.rule,
    correlationId: command.correlationId,
    createdAt: now,
    expiresAt: now + timeoutMs,
    status: 'pending',
  };
  return {
    outcome: approvalRequired(approval, over, command.amount),
    effects: [
      { effect: 'insert_approval', approval },
      {
        effect: 'audit',
        chain: agent.no,
        action: 'APPROVAL_REQUESTED',
        facts: {
          approval_id: approval.id,
          approval_type: approval.type,
          correlation_id: approval.correlationId,
          amount: approval.amount,
          model,
          rule: over.rule,
          expires_at: approval.expiresAt,
        },
      },
    ],
  };
}

/** With the reserve: each grant is taken by one reservation. */
export const takeGrants = (grants: readonly Grant[], reservationId: string): Effect[] =>
  grants.map(({ approvalId }) => ({ effect: 'take_grant', approvalId, reservationId }));

/** With the settle. */
export const consumeGrants = (held: HeldReservation, at: number): Effect[] =>
  held.approvalIds.map((approvalId) => ({
    effect: 'consume_grant',
    approvalId,
    reservationId: held.id,
    at,
  }));

/** With the release or expiry: the next request may take it while its window lasts. */
export const returnGrants = (held: HeldReservation): Effect[] =>
  held.approvalIds.map((approvalId) => ({
    effect: 'return_grant',
    approvalId,
    reservationId: held.id,
  }));

/** With a late settle, unless another reservation has taken it since. */
export const consumeLateGrants = (
  view: LedgerView,
  expired: ExpiredReservation,
  at: number,
): Effect[] =>
  expired.approvalIds
    .filter((approvalId) => view.grant(approvalId)?.reservationId === null)
    .flatMap((approvalId) => [
      { effect: 'take_grant', approvalId, reservationId: expired.id },
      { effect: 'consume_grant', approvalId, reservationId: expired.id, at },
    ]);

const modelOf = ({ requestedModel, model }: Reserve): string => requestedModel ?? model;

function approvalRequired(
  { id, expiresAt }: Pending<InferenceApproval>,
  { rule, limit }: OverLimit,
  amount: Msat,
): Refusal {
  return refuse(
    'approval_required',
    `${amount} msat would exceed the agent's ${rule} of ${limit}; the operator is asked`,
    {
      approval_id: id,
      expires_at: expiresAt,
      rule,
      limit_msats: limit,
      requested_msats: amount,
    },
  );
}

function policyDenied({ rule, limit }: OverLimit, amount: Msat): Refusal {
  return refuse('policy_denied', `${amount} msat would exceed the agent's ${rule} of ${limit}`, {
    rule,
    limit_msats: limit,
    requested_msats: amount,
  });
}
