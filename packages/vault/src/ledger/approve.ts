/**
 * The three ends of an approval. Each is one tx with what it does to the payment that waited, so
 * that a hold ends exactly once whoever comes first (T12).
 */
import { msat } from '@arbstr/shared';
import type {
  Approval,
  PaymentApproval,
  Pending,
  PendingApproval,
  Resolved,
} from '../approval/approval.ts';
import { type Refusal, refuse } from '../errors.ts';
import {
  type FailedPayment,
  type HeldPayment,
  holdOf,
  NEVER_SENT,
  type Payment,
  type RequestedPayment,
} from '../payment/payment.ts';
import type { Approve, Deny, TimeOutApprovals } from './command.ts';
import { type Decision, type Effect, no } from './effect.ts';
import type { ApprovalResolved, ApprovalsTimedOut } from './outcome.ts';
import { giveBack, moveInside } from './payment-end.ts';
import { judgePayout } from './payouts.ts';
import { agentDisabled } from './reserve.ts';
import { denyInference, grantInference, timeOutInference } from './resolve-inference.ts';
import type { LedgerView } from './view.ts';

export function approve(
  view: LedgerView,
  command: Approve,
  now: number,
): Decision<ApprovalResolved> {
  const payout = view.payout(command.approvalId);
  if (payout !== undefined) return judgePayout(view, payout, command, now);
  const approval = pendingApproval(view, command.approvalId, now);
  if ('refused' in approval) return no(approval);
  const agent = view.agent(approval.agentNo);
  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));
  if (approval.type === 'inference') return grantInference(approval, agent, command, now);
  const payment = requestedPayment(view, approval);
  const granted = grantPayment(approval, payment, command, now);
  const after = cleared(view, payment, now);
  const outcome = answer(granted.approval, agent.id, after.payment);
  return { outcome, effects: [...granted.effects, ...after.effects] };
}

/** The approval of a payment, granted; what becomes of the payment is the caller's. */
export function grantPayment(
  approval: Pending<PaymentApproval>,
  payment: RequestedPayment,
  { correlationId, reason }: Pick<Approve, 'correlationId' | 'reason'>,
  now: number,
): { approval: Resolved<PaymentApproval>; effects: Effect[] } {
  const resolved: Resolved<PaymentApproval> = {
    ...approval,
    status: 'approved',
    resolvedAt: now,
    reason,
  };
  const facts = {
    approval_id: approval.id,
    transaction_id: payment.id,
    correlation_id: correlationId,
    amount: payment.amount,
    reason: reason ?? undefined,
  };
  return {
    approval: resolved,
    effects: [
      { effect: 'resolve_approval', approval: resolved },
      { effect: 'audit', chain: payment.agentNo, action: 'APPROVAL_GRANTED', facts },
    ],
  };
}

/**
 * What an approved payment becomes: held for the wallet, or moved to the other agent. Failed where
 * that was overtaken while it waited.
 */
function cleared(
  view: LedgerView,
  payment: RequestedPayment,
  now: number,
): { payment: Payment; effects: Effect[] } {
  const held: HeldPayment = { ...payment, state: 'held' };
  const agent = view.agent(payment.agentNo);
  if (isPaidByAnother(view, payment)) {
    const failed = failedPayment(
      payment,
      'another payment of this invoice was made meanwhile',
      now,
    );
    return { payment: failed, effects: giveBack(agent, payment, failed, 'PAYMENT_FAILED') };
  }
  if (payment.payeeNo === null) {
    return {
      payment: held,
      effects: [{ effect: 'change_payment', from: 'requested', payment: held }],
    };
  }
  const payee = view.agent(payment.payeeNo);
  if (payee.disabledAt === null) return moveInside(view, payment, agent, payee, now, 'held');
  const failed = failedPayment(payment, 'the agent to pay was disabled meanwhile', now);
  return { payment: failed, effects: giveBack(agent, payment, failed, 'PAYMENT_FAILED') };
}

/** What waits claims nothing. */
export function isPaidByAnother(view: LedgerView, { destination }: RequestedPayment): boolean {
  const { paymentHash } = destination;
  return paymentHash !== null && view.paymentByHash(paymentHash) !== undefined;
}

export function deny(view: LedgerView, command: Deny, now: number): Decision<ApprovalResolved> {
  const payout = view.payout(command.approvalId);
  if (payout !== undefined) return judgePayout(view, payout, command, now);
  const approval = pendingApproval(view, command.approvalId, now);
  if ('refused' in approval) return no(approval);
  const agent = view.agent(approval.agentNo);
  if (approval.type === 'inference') return denyInference(approval, agent, command, now);
  const payment = requestedPayment(view, approval);
  const resolved: Resolved<PaymentApproval> = {
    ...approval,
    status: 'denied',
    resolvedAt: now,
    reason: command.reason,
  };
  const failed = failedPayment(payment, 'denied', now);
  return {
    outcome: answer(resolved, agent.id, failed),
    effects: [
      { effect: 'resolve_approval', approval: resolved },
      ...giveBack(agent, payment, failed, 'APPROVAL_DENIED', {
        facts: { approval_id: approval.id, reason: command.reason ?? undefined },
      }),
    ],
  };
}

/** Ends what nobody has decided in time, a bounded number at once. */
export function timeOutApprovals(
  view: LedgerView,
  command: TimeOutApprovals,
  now: number,
): Decision<ApprovalsTimedOut> {
  const effects: Effect[] = [];
  const timedOut: string[] = [];
  // Several of one agent may end here; the view shows its balance before the first.
  const balances = new Map<number, number>();
  for (const approval of view.dueApprovals(now, command.approvalsMax)) {
    timedOut.push(approval.id);
    if (approval.type === 'inference') {
      effects.push(...timeOutInference(approval, now));
      continue;
    }
    const agent = view.agent(approval.agentNo);
    const payment = requestedPayment(view, approval);
    const available = balances.get(agent.no) ?? agent.available.balance;
    balances.set(agent.no, msat(available + holdOf(payment)));
    const resolved: Resolved<PaymentApproval> = {
      ...approval,
      status: 'timed_out',
      resolvedAt: now,
      reason: null,
    };
    const failed = failedPayment(payment, 'approval_timed_out', now);
    effects.push(
      { effect: 'resolve_approval', approval: resolved },
      ...giveBack(agent, payment, failed, 'APPROVAL_TIMEOUT', {
        facts: { approval_id: approval.id },
        available,
      }),
    );
  }
  return { outcome: { timedOut }, effects };
}

function pendingApproval(view: LedgerView, id: string, now: number): PendingApproval | Refusal {
  const approval = view.approval(id);
  if (approval === undefined) return refuse('not_found', 'no such approval');
  if (approval.status !== 'pending') return resolvedAlready(approval);
  if (approval.expiresAt > now) return approval;
  return refuse('already_resolved', 'its time is up; the money goes back to the agent', {
    approval_id: approval.id,
    status: 'timed_out',
  });
}

const resolvedAlready = (approval: Approval): Refusal =>
  refuse('already_resolved', `this approval is ${approval.status} already; nothing was changed`, {
    approval_id: approval.id,
    status: approval.status,
  });

/** An approval is pending exactly as long as its payment is requested. */
function requestedPayment(view: LedgerView, approval: Pending<PaymentApproval>): RequestedPayment {
  const payment = view.payment(approval.transactionId);
  if (payment?.state === 'requested') return payment;
  throw new Error(`approval ${approval.id} is pending, its payment is ${payment?.state}`);
}

const failedPayment = (payment: RequestedPayment, failure: string, now: number): FailedPayment => ({
  ...payment,
  ...NEVER_SENT,
  state: 'failed',
  endedAt: now,
  failure,
});

const answer = (
  approval: Resolved<PaymentApproval>,
  agentId: string,
  payment: Payment,
): ApprovalResolved => ({
  approvalId: approval.id,
  status: approval.status,
  transactionId: payment.id,
  agentId,
  amount: payment.amount,
  paymentState: payment.state,
});
