/** What the audit trail says of a payment; from it alone `verify` rebuilds the payment's row. */
import { hash } from 'node:crypto';
import type { AuditFacts } from '../audit/action.ts';
import type { Payment, SucceededPayment } from '../payment/payment.ts';

/** What never changes of it. */
export function createdFacts(payment: Payment): AuditFacts {
  const { destination } = payment;
  return {
    transaction_id: payment.id,
    correlation_id: payment.correlationId,
    kind: payment.kind,
    amount: payment.amount,
    max_fee: payment.maxFee,
    destination_type: destination.type,
    destination: destination.text,
    payment_hash: destination.paymentHash ?? undefined,
    invoice_expires_at: destination.invoiceExpiresAt ?? undefined,
    payee_no: payment.payeeNo ?? undefined,
    purpose: payment.purpose,
    rail: payment.rail,
    decision: payment.decision,
    decision_reason: payment.decisionReason,
  };
}

/** Of an end; the ecash itself never stands in the audit trail, which more people may read. */
export function succeededFacts(payment: SucceededPayment): AuditFacts {
  return {
    charged: payment.amount + payment.fee,
    fee: payment.fee,
    preimage: payment.preimage ?? undefined,
    token_hash: payment.token === null ? undefined : hash('sha256', payment.token),
  };
}
