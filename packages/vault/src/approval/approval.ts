/**
 * What waits for a human.
 *
 *   (over a limit) ▶ pending ─┬─▶ approved     before its time was up
 *                             ├─▶ denied
 *                             └─▶ timed_out    nobody came in time
 *
 * The three ends are final, and exactly one happens: each is the tx that also ends or clears what
 * waited. What an approver sees is what runs: nothing of it can change while it waits.
 */
import type { Msat } from '@arbstr/shared';
import type { DestinationType } from '../payment/payment.ts';

export const APPROVAL_STATUSES = ['pending', 'approved', 'denied', 'timed_out'] as const;
export type ApprovalStatus = (typeof APPROVAL_STATUSES)[number];
export const APPROVAL_TYPES = ['payment', 'withdrawal', 'inference'] as const;
export type ApprovalType = (typeof APPROVAL_TYPES)[number];

interface Asked {
  readonly id: string;
  readonly agentNo: number;
  readonly amount: Msat;
  readonly maxFee: Msat;
  /** Why it needs a human: the rule that it exceeds, or `withdrawal`. */
  readonly rule: string;
  readonly correlationId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

/** Of a payment whose money is held meanwhile. */
export interface PaymentApproval extends Asked {
  readonly type: 'payment' | 'withdrawal';
  readonly transactionId: string;
  readonly destinationType: DestinationType;
  readonly destination: string;
}
/** Of requests to a model; nothing is held for it. */
export interface InferenceApproval extends Asked {
  readonly type: 'inference';
  readonly transactionId: null;
  readonly destinationType: null;
  readonly destination: null;
  /** As the agent asks for it. */
  readonly model: string;
}

export type Pending<A> = A & { readonly status: 'pending' };
export type Resolved<A> = A & {
  readonly status: 'approved' | 'denied' | 'timed_out';
  readonly resolvedAt: number;
  /** What the operator wrote. */
  readonly reason: string | null;
};
export type PendingApproval = Pending<PaymentApproval> | Pending<InferenceApproval>;
export type ResolvedApproval = Resolved<PaymentApproval> | Resolved<InferenceApproval>;
export type Approval = PendingApproval | ResolvedApproval;

/** How long a withdrawal waits where the policy does not say. */
export const WITHDRAWAL_TIMEOUT_MS = 300_000;
