/** Payments and approvals on the wire. */
import { idSchema, msatSchema } from '@arbstr/shared';
import { z } from 'zod';
import { APPROVAL_STATUSES, APPROVAL_TYPES, type Approval } from '../approval/approval.ts';
import { INVOICE_CHARS_MAX } from '../bolt11/decode.ts';
import { parsePayDestination } from '../net/lnurl.ts';
import { DESTINATION_TYPES, type Payment, type PaymentState } from '../payment/payment.ts';
import type { PayoutState } from '../payout/payout.ts';
import type { PayoutRecord } from '../payout/payout-queries.ts';
import { timeSchema } from './schemas.ts';

/** An invoice is the longest; everything else is shorter. */
export const destinationSchema = z.string().min(1).max(INVOICE_CHARS_MAX);

export const PAYMENT_STATUSES = ['PENDING_APPROVAL', 'PENDING', 'SETTLED', 'FAILED'] as const;

export const STATUS_OF: Record<PaymentState | PayoutState, (typeof PAYMENT_STATUSES)[number]> = {
  requested: 'PENDING_APPROVAL',
  waiting: 'PENDING_APPROVAL',
  held: 'PENDING',
  in_flight: 'PENDING',
  succeeded: 'SETTLED',
  failed: 'FAILED',
};

export const paymentAnswer = z.object({
  transaction_id: idSchema('transfer'),
  policy_decision: z.enum(['ALLOW', 'DENY', 'REQUIRE_HUMAN_APPROVAL']),
  /** Of the policy's decision. */
  reason: z.string(),
  mode: z.string(),
  status: z.enum(PAYMENT_STATUSES),
  kind: z.enum(['payment', 'withdrawal']),
  amount_msat: msatSchema,
  max_fee_msat: msatSchema,
  /** Charged on top of the amount. */
  fee_msat: msatSchema.optional(),
  destination_type: z.enum(DESTINATION_TYPES),
  destination: z.string(),
  purpose: z.string(),
  payment_hash: z.string().optional(),
  preimage: z.string().optional(),
  rail_used: z.string().optional(),
  /** Ecash: money to whoever has it. Shown to the paying agent's spend tokens only. */
  cashu_token: z.string().optional(),
  /** Why it failed. */
  failure: z.string().optional(),
  approval_id: idSchema('approval').optional(),
  created_at: timeSchema,
  settled_at: timeSchema.optional(),
});

export function paymentBody(payment: Payment, mayTakeEcash: boolean) {
  const { destination, approvalId } = payment;
  const wasSent = 'sentAt' in payment && payment.sentAt !== null;
  return {
    transaction_id: payment.id,
    policy_decision: payment.decision,
    reason: payment.decisionReason,
    mode: payment.rail,
    status: STATUS_OF[payment.state],
    kind: payment.kind,
    amount_msat: payment.amount,
    max_fee_msat: payment.maxFee,
    destination_type: destination.type,
    destination: destination.text,
    purpose: payment.purpose,
    ...(destination.paymentHash === null ? {} : { payment_hash: destination.paymentHash }),
    ...(wasSent || payment.state === 'succeeded' ? { rail_used: payment.rail } : {}),
    ...(approvalId === null ? {} : { approval_id: approvalId }),
    ...endBody(payment, mayTakeEcash),
    created_at: payment.createdAt,
  };
}

function endBody(payment: Payment, mayTakeEcash: boolean) {
  if (payment.state === 'failed') return { failure: payment.failure };
  if (payment.state !== 'succeeded') return {};
  const { fee, preimage, token, endedAt } = payment;
  return {
    fee_msat: fee,
    settled_at: endedAt,
    ...(preimage === null ? {} : { preimage }),
    ...(token === null || !mayTakeEcash ? {} : { cashu_token: token }),
  };
}

export const approvalAnswer = z.object({
  /** Of a payout: the payout's own. */
  id: z.union([idSchema('approval'), idSchema('payout')]),
  /** Null for a payout. */
  agent_id: idSchema('agent').nullable(),
  /** Of a payout: the seller. */
  provider: z.string().nullable(),
  type: z.enum([...APPROVAL_TYPES, 'payout']),
  /** Null, as are the destination's fields, for inference: nothing is held meanwhile. */
  transaction_id: idSchema('transfer').nullable(),
  amount_msat: msatSchema,
  max_fee_msat: msatSchema,
  destination_type: z.enum([...DESTINATION_TYPES, 'lnurl']).nullable(),
  destination: z.string().nullable(),
  /** Of inference. */
  model: z.string().nullable(),
  /** The limit that it exceeds, or `withdrawal`, or `new_destination` of a payout. */
  rule: z.string(),
  status: z.enum(APPROVAL_STATUSES),
  reason: z.string().nullable(),
  /** Null for a payout: it waits until it is judged or its destination changes. */
  expires_at: timeSchema.nullable(),
  resolved_at: timeSchema.nullable(),
  created_at: timeSchema,
});

export function approvalBody({ approval, agentId }: { approval: Approval; agentId: string }) {
  const isPending = approval.status === 'pending';
  return {
    id: approval.id,
    agent_id: agentId,
    provider: null,
    type: approval.type,
    transaction_id: approval.transactionId,
    amount_msat: approval.amount,
    max_fee_msat: approval.maxFee,
    destination_type: approval.destinationType,
    destination: approval.destination,
    model: approval.type === 'inference' ? approval.model : null,
    rule: approval.rule,
    status: approval.status,
    reason: isPending ? null : approval.reason,
    expires_at: approval.expiresAt,
    resolved_at: isPending ? null : approval.resolvedAt,
    created_at: approval.createdAt,
  };
}

/** A payout that waits. Destination, amount and fee limit are those of its row, which never change. */
export function payoutApprovalBody(payout: PayoutRecord) {
  return {
    id: payout.id,
    agent_id: null,
    provider: payout.seller,
    type: 'payout' as const,
    transaction_id: null,
    amount_msat: payout.amount,
    max_fee_msat: payout.maxFee,
    destination_type: parsePayDestination(payout.destination)?.kind ?? null,
    destination: payout.destination,
    model: null,
    rule: 'new_destination',
    status: 'pending' as const,
    reason: null,
    expires_at: null,
    resolved_at: null,
    created_at: payout.createdAt,
  };
}
