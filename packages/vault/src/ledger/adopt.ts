/**
 * A restored ledger has payments that wait for a human, who may have let them go since the backup.
 * Where the wallet knows one, somebody has: its money must not go back, whoever denies it later or
 * whatever its time is.
 */
import type { HeldPayment, RequestedPayment } from '../payment/payment.ts';
import { grantPayment, isPaidByAnother } from './approve.ts';
import type { AdoptPayment } from './command.ts';
import { type Decision, type Effect, NO_EFFECTS } from './effect.ts';
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
  const { correlationId } = payment;
  const granted = grantPayment(approval, payment, { correlationId, reason: REASON }, now);
  const held: HeldPayment = { ...payment, state: 'held' };
  const clear: Effect = { effect: 'change_payment', from: 'requested', payment: held };
  return { outcome: { adopted: true }, effects: [...granted.effects, clear] };
}
