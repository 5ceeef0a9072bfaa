/**
 * A payment: the vault pays somebody for an agent.
 *
 *   (pay) ─┬─▶ failed                      denied by policy; nothing was ever held
 *          ├─▶ requested ─▶ held           over a limit: the hold waits for a human
 *          │       └─────▶ failed          … who denied it, or nobody came in time
 *          ├─▶ succeeded                   to another agent: in one tx, without a wallet
 *          └─▶ held ─▶ in_flight ─▶ succeeded     charged amount + fee, the rest went back
 *                          └──────▶ failed        proven: everything went back
 *
 * held: cleared to be sent, and proven not to be sent yet. in_flight: a wallet may have it; it stays
 * so, however long, until the wallet proves an end. *Unknown* is no state: it is in_flight. requested
 * → succeeded is the approval of a payment to another agent.
 *
 * succeeded and failed are final. A failed payment is never flipped; trying again is a new payment.
 */
import { addMsat, type Msat } from '@arbstr/shared';
import type { PaymentTarget, PayOrder, Rail } from '../wallet/wallet.ts';

export const DESTINATION_TYPES = [
  'lightning_invoice',
  'lightning_address',
  'cashu_token',
  'internal',
] as const;
export type DestinationType = (typeof DESTINATION_TYPES)[number];

export const PAYMENT_STATES = ['requested', 'held', 'in_flight', 'succeeded', 'failed'] as const;
export type PaymentState = (typeof PAYMENT_STATES)[number];

export type PaymentKind = 'payment' | 'withdrawal';
export type PolicyDecision = 'ALLOW' | 'DENY' | 'REQUIRE_HUMAN_APPROVAL';

/** Whom to pay, as it was checked before the ledger saw it. */
export interface Destination {
  readonly type: DestinationType;
  /** As the caller gave it: an invoice, an address, an agent's id, a name for who gets the ecash. */
  readonly text: string;
  /** Of an invoice. */
  readonly paymentHash: string | null;
  readonly invoiceExpiresAt: number | null;
}

interface Identity {
  readonly id: string;
  readonly agentNo: number;
  readonly kind: PaymentKind;
  readonly destination: Destination;
  /** The paid agent's number, of an internal payment. */
  readonly payeeNo: number | null;
  readonly amount: Msat;
  /** The most that may be charged on top. */
  readonly maxFee: Msat;
  readonly purpose: string;
  readonly rail: Rail | 'internal';
  readonly decision: PolicyDecision;
  readonly decisionReason: string;
  readonly approvalId: string | null;
  readonly correlationId: string;
  readonly createdAt: number;
}

/** How it was sent; null where it ended before that. */
interface Sending {
  readonly walletIdentity: string | null;
  readonly sentAt: number | null;
  /** The wallet has once said that it has it: `absent` is then no answer any more. */
  readonly seen: boolean;
}

export interface RequestedPayment extends Identity {
  readonly state: 'requested';
}
export interface HeldPayment extends Identity {
  readonly state: 'held';
}
export interface InFlightPayment extends Identity, Sending {
  readonly state: 'in_flight';
  readonly walletIdentity: string;
  readonly sentAt: number;
  /** Why only a human can clear it up; null where nobody has to. */
  readonly stuck: string | null;
}
export interface SucceededPayment extends Identity, Sending {
  readonly state: 'succeeded';
  readonly endedAt: number;
  /** What the agent was charged on top of the amount. */
  readonly fee: Msat;
  readonly preimage: string | null;
  /** Ecash: money to whoever has it. Only its hash is in the audit trail. */
  readonly token: string | null;
}
export interface FailedPayment extends Identity, Sending {
  readonly state: 'failed';
  readonly endedAt: number;
  readonly failure: string;
}

export type OpenPayment = RequestedPayment | HeldPayment | InFlightPayment;
export type EndedPayment = SucceededPayment | FailedPayment;
export type Payment = OpenPayment | EndedPayment;

export const NEVER_SENT: Sending = { walletIdentity: null, sentAt: null, seen: false };

export const holdOf = (payment: Pick<Identity, 'amount' | 'maxFee'>): Msat =>
  addMsat(payment.amount, payment.maxFee);

/** What the wallet is told. The same for every try, because nothing that it is made of changes. */
export function orderOf(payment: Identity): PayOrder {
  return {
    reference: payment.id,
    target: targetOf(payment.destination),
    amountMsat: payment.amount,
    maxFeeMsat: payment.maxFee,
  };
}

function targetOf({ type, text, paymentHash, invoiceExpiresAt }: Destination): PaymentTarget {
  switch (type) {
    case 'lightning_invoice':
      if (paymentHash === null || invoiceExpiresAt === null) {
        throw new Error('an invoice without hash and expiry');
      }
      return { type, invoice: text, paymentHash, expiresAtMs: invoiceExpiresAt };
    case 'lightning_address':
      return { type, address: text };
    case 'cashu_token':
      return { type };
    case 'internal':
      throw new Error('an internal payment has no wallet');
  }
}
