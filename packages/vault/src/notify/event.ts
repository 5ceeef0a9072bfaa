/**
 * Which changes of the ledger are events, and what an event says of each. The one place for it: an
 * event is made of what is written, so nothing can happen without being told, or be told without
 * having happened. Holds and bills of inference are no events; nothing here is asked about them.
 */
import type { Approval } from '../approval/approval.ts';
import type { SettledDeposit } from '../deposit/deposit.ts';
import type { Effect } from '../ledger/effect.ts';
import type { LedgerView, RailState } from '../ledger/view.ts';
import type { Payment } from '../payment/payment.ts';
import type { Payout } from '../payout/payout.ts';
import { type EventDraft, NO_AGENT, type WebhookEvent } from './outbox.ts';

/** @param view before this effect, after those that came before it */
export function eventOf(effect: Effect, view: LedgerView): EventDraft | null {
  switch (effect.effect) {
    case 'insert_approval':
    case 'resolve_approval':
      return ofApproval(effect.approval);
    case 'insert_payment':
    case 'change_payment':
      return ofPayment(effect.payment, view);
    case 'change_deposit':
      return effect.deposit.state === 'settled' ? ofDeposit(effect.deposit) : null;
    case 'insert_payout':
    case 'change_payout':
      return ofPayout(effect.payout);
    case 'set_rail':
      return ofRail(effect.rail, view);
    case 'balance_alert': {
      const { agentNo, balance, floor } = effect;
      const fields = { balance_msat: balance, alert_floor_msat: floor };
      return { event: 'balance_alert', agentNo, fields };
    }
    case 'notify':
      return effect.draft;
    default:
      return null;
  }
}

const OF_STATUS = {
  approved: 'approval_granted',
  denied: 'approval_denied',
  timed_out: 'approval_timeout',
} as const satisfies Record<string, WebhookEvent>;

function ofApproval(approval: Approval): EventDraft {
  const asks = approval.type === 'withdrawal' ? 'withdrawal_requested' : 'approval_required';
  const isPending = approval.status === 'pending';
  return {
    event: approval.status === 'pending' ? asks : OF_STATUS[approval.status],
    agentNo: approval.agentNo,
    fields: {
      approval_id: approval.id,
      transaction_id: approval.transactionId,
      type: approval.type,
      amount_msat: approval.amount,
      max_fee_msat: approval.maxFee,
      destination_type: approval.destinationType,
      destination: approval.destination,
      model: approval.type === 'inference' ? approval.model : null,
      rule: approval.rule,
      correlation_id: approval.correlationId,
      expires_at: approval.expiresAt,
      ...(isPending ? {} : { reason: approval.reason }),
    },
  };
}

function ofPayment(payment: Payment, view: LedgerView): EventDraft | null {
  if (payment.state !== 'succeeded' && payment.state !== 'failed') return null;
  // Denied by policy: it never was more than an answer to the one who asked.
  if (payment.decision === 'DENY') return null;
  if (payment.state === 'failed' && wasNotLetGo(payment, view)) return null;
  const { destination } = payment;
  return {
    event: payment.state === 'succeeded' ? 'payment_settled' : 'payment_failed',
    agentNo: payment.agentNo,
    fields: {
      transaction_id: payment.id,
      approval_id: payment.approvalId,
      type: payment.kind,
      amount_msat: payment.amount,
      ...(payment.state === 'succeeded'
        ? { fee_msat: payment.fee }
        : { fee_msat: 0, reason: payment.failure }),
      destination_type: destination.type,
      destination: destination.text,
      payment_hash: destination.paymentHash,
      rail: payment.rail,
      correlation_id: payment.correlationId,
    },
  };
}

/** Its approval was denied or ran out of time: `approval_denied` or `approval_timeout` has said so. */
function wasNotLetGo({ approvalId }: Payment, view: LedgerView): boolean {
  if (approvalId === null) return false;
  const status = view.approval(approvalId)?.status;
  return status === 'denied' || status === 'timed_out';
}

const ofDeposit = (deposit: SettledDeposit): EventDraft => ({
  event: 'deposit_settled',
  agentNo: deposit.agentNo,
  fields: {
    deposit_id: deposit.id,
    type: deposit.source.type,
    rail: deposit.rail,
    amount_msat: deposit.received,
    balance_msat: deposit.balanceAfter,
    correlation_id: deposit.correlationId,
  },
});

function ofPayout(payout: Payout): EventDraft | null {
  const fields = {
    payout_id: payout.id,
    provider: payout.seller,
    amount_msat: payout.amount,
    max_fee_msat: payout.maxFee,
    payout_destination: payout.destination,
  };
  const draft = (event: WebhookEvent, more: object): EventDraft => ({
    event,
    agentNo: NO_AGENT,
    fields: { ...fields, ...more },
  });
  switch (payout.state) {
    case 'waiting':
      return draft('payout_approval_required', {});
    case 'succeeded':
      return draft('payout_settled', { fee_msat: payout.fee });
    case 'failed':
      return draft('payout_failed', { reason: payout.failure });
    default:
      return null;
  }
}

/** Frozen and thawed once each, however often either is said. */
function ofRail({ name, frozenAt, reason }: RailState, view: LedgerView): EventDraft | null {
  const wasFrozen = (view.rail(name)?.frozenAt ?? null) !== null;
  if (wasFrozen === (frozenAt !== null)) return null;
  return railEvent(name, 'frozen', wasFrozen ? null : reason);
}

/** @param reason null: it is well again */
export const railEvent = (
  rail: string,
  problem: 'frozen' | 'unreachable',
  reason: string | null,
): EventDraft => ({
  event: reason === null ? 'rail_recovered' : 'rail_degraded',
  agentNo: NO_AGENT,
  fields: { rail, problem, reason },
});
