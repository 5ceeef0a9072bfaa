/**
 * A restored ledger has payments that wait for a human, who may have let them go since the backup.
 * Where the wallet knows one, somebody has: its money must not go back, whoever denies it later or
 * whatever its time is.
 */
import type { PaymentApproval, Resolved } from '../approval/approval.ts';
import type { HeldPayment, RequestedPayment } from '../payment/payment.ts';
import { isPaidByAnother } from './approve.ts';
import type { AdoptPayment } from './command.ts';
import { type Decision, NO_EFFECTS } from './effect.ts';
import type { LedgerView } from './view.ts';

const REASON = 'it was approved and sent after the backup: the wallet knows it';

/**
 * A wallet knows an invoice by its hash, and several agents may have asked for one. Which of them
 * was let go it cannot say: it is the dearest, so that nobody pays less than went out by forging.
 */
function isAnothers(view: LedgerView, payment: RequestedPayment): boolean {
  const { paymentHash } = payment.destination;
  if (paymentHash === null) return false;
  return isPaidByAnother(view, payment) || view.dearestAsked(paymentHash) !== payment.id;
}

/** requested → held, as by an approval. */
export function adoptPayment(
  view: LedgerView,
  { paymentId }: AdoptPayment,
  now: number,
): Decision<{ adopted: boolean }> {
  const payment = view.payment(paymentId);
  if (!view.recovering || payment?.state !== 'requested' || payment.payeeNo !== null) {
    return { outcome: { adopted: false }, effects: NO_EFFECTS };
  }
  if (isAnothers(view, payment)) return { outcome: { adopted: false }, effects: NO_EFFECTS };
  const approval = view.approval(payment.approvalId ?? '');
  if (approval?.status !== 'pending' || approval.type === 'inference')
    throw new Error(`payment ${payment.id} waits for no approval`);
  const resolved: Resolved<PaymentApproval> = {
    ...approval,
    status: 'approved',
    resolvedAt: now,
    reason: REASON,
  };
  const held: HeldPayment = { ...payment, state: 'held' };
  return {
    outcome: { adopted: true },
    effects: [
      { effect: 'resolve_approval', approval: resolved },
      { effect: 'change_payment', from: 'requested', payment: held },
      {
        effect: 'audit',
        chain: payment.agentNo,
        action: 'APPROVAL_GRANTED',
        facts: {
          approval_id: approval.id,
          transaction_id: payment.id,
          correlation_id: payment.correlationId,
          amount: payment.amount,
          reason: REASON,
        },
      },
    ],
  };
}
