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
export const APPROVAL_TYPES = ['payment', 'withdrawal'] as const;
export type ApprovalType = (typeof APPROVAL_TYPES)[number];

interface Asked {
  readonly id: string;
  readonly agentNo: number;
  readonly type: ApprovalType;
  readonly transactionId: string;
  readonly amount: Msat;
  readonly maxFee: Msat;
  readonly destinationType: DestinationType;
  readonly destination: string;
  /** Why it needs a human: the rule that it exceeds, or `withdrawal`. */
  readonly rule: string;
  readonly correlationId: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface PendingApproval extends Asked {
  readonly status: 'pending';
}
export interface ResolvedApproval extends Asked {
  readonly status: 'approved' | 'denied' | 'timed_out';
  readonly resolvedAt: number;
  /** What the operator wrote. */
  readonly reason: string | null;
}
export type Approval = PendingApproval | ResolvedApproval;

/** How long a withdrawal waits where the policy does not say. */
export const WITHDRAWAL_TIMEOUT_MS = 300_000;
