/** Payments and approvals as SQLite keeps them, and the SQL that reads and writes them. */
import type { Msat } from '@arbstr/shared';
import type { Database } from 'better-sqlite3';
import type { Approval, ApprovalStatus, ApprovalType } from '../approval/approval.ts';
import type {
  DestinationType,
  Payment,
  PaymentKind,
  PaymentState,
  PolicyDecision,
} from '../payment/payment.ts';
import type { Rail } from '../wallet/wallet.ts';

export interface PaymentRow {
  id: string;
  agent_no: number;
  kind: PaymentKind;
  destination_type: DestinationType;
  destination: string;
  payment_hash: string | null;
  invoice_expires_at: number | null;
  payee_no: number | null;
  amount: number;
  max_fee: number;
  purpose: string;
  rail: Rail | 'internal';
  decision: PolicyDecision;
  decision_reason: string;
  approval_id: string | null;
  correlation_id: string;
  state: PaymentState;
  created_at: number;
  wallet_identity: string | null;
  sent_at: number | null;
  seen: number;
  ended_at: number | null;
  fee: number | null;
  preimage: string | null;
  token: string | null;
  failure: string | null;
  stuck: string | null;
}

export interface ApprovalRow {
  id: string;
  agent_no: number;
  type: ApprovalType;
  transaction_id: string | null;
  amount: number;
  max_fee: number;
  destination_type: DestinationType | null;
  destination: string | null;
  /** Of inference. */
  model: string | null;
  rule: string;
  correlation_id: string;
  status: ApprovalStatus;
  created_at: number;
  expires_at: number;
  resolved_at: number | null;
  reason: string | null;
}

export interface RailRow {
  name: string;
  frozen_at: number | null;
  reason: string | null;
}

const PAYMENT_COLUMNS = [
  'id, agent_no, kind, destination_type, destination, payment_hash, invoice_expires_at, payee_no',
  'amount, max_fee, purpose, rail, decision, decision_reason, approval_id, correlation_id, state',
  'created_at, wallet_identity, sent_at, seen, ended_at, fee, preimage, token, failure, stuck',
].join(', ');
const APPROVAL_COLUMNS = [
  'id, agent_no, type, transaction_id, amount, max_fee, destination_type, destination, model, rule',
  'correlation_id, status, created_at, expires_at, resolved_at, reason',
].join(', ');

const insertInto = (table: string, columns: string): string =>
  `INSERT INTO ${table} (${columns}) VALUES (${columns.replace(/\w+/g, '@$&')})`;

export function preparePaymentStatements(db: Database) {
  return {
    insertPayment: db.prepare<[PaymentRow]>(insertInto('payments', PAYMENT_COLUMNS)),
    // The state in the condition is the last guard against two ends of one payment.
    changePayment: db.prepare<[PaymentRow & { from: PaymentState }]>(
      `UPDATE payments SET state = @state, wallet_identity = @wallet_identity, sent_at = @sent_at,
         seen = @seen, ended_at = @ended_at, fee = @fee, preimage = @preimage, token = @token,
         failure = @failure, stuck = @stuck
       WHERE id = @id AND state = @from`,
    ),
    selectPayment: db.prepare<[string], PaymentRow>('SELECT * FROM payments WHERE id = ?'),
    // Literal, as in their indexes.
    selectPaymentByHash: db.prepare<[string], PaymentRow>(
      `SELECT * FROM payments
       WHERE payment_hash = ? AND state IN ('held', 'in_flight', 'succeeded')`,
    ),
    selectAskedByHash: db.prepare<[string, number], PaymentRow>(
      `SELECT * FROM payments WHERE payment_hash = ? AND agent_no = ? AND state = 'requested'`,
    ),
    selectDearestAsked: db.prepare<[string], { id: string }>(
      `SELECT id FROM payments WHERE payment_hash = ? AND state = 'requested'
       ORDER BY amount DESC, id LIMIT 1`,
    ),
    countDenied: db.prepare<[number, number], { n: number }>(
      // Literal, as in the index.
      `SELECT count(*) AS n FROM payments
       WHERE decision = 'DENY' AND agent_no = ? AND created_at > ?`,
    ),
    // The conditions are literal in these, as in their indexes.
    selectMadePayment: db.prepare<[number, number, number], { created_at: number }>(
      `SELECT created_at FROM payments
       WHERE decision <> 'DENY' AND agent_no = ? AND created_at > ?
       ORDER BY created_at DESC LIMIT 1 OFFSET ?`,
    ),
    selectUnpaidPayment: db.prepare<[number, number, number], { created_at: number }>(
      `SELECT created_at FROM payments
       WHERE decision <> 'DENY' AND state <> 'succeeded' AND agent_no = ? AND created_at > ?
       ORDER BY created_at DESC LIMIT 1 OFFSET ?`,
    ),
    selectUnmetInference: db.prepare<[number, number, number], { created_at: number }>(
      `SELECT created_at FROM approvals
       WHERE type = 'inference' AND status <> 'approved' AND agent_no = ? AND created_at > ?
       ORDER BY created_at DESC LIMIT 1 OFFSET ?`,
    ),

    insertApproval: db.prepare<[ApprovalRow]>(insertInto('approvals', APPROVAL_COLUMNS)),
    resolveApproval: db.prepare<[ApprovalRow]>(
      `UPDATE approvals SET status = @status, resolved_at = @resolved_at, reason = @reason
       WHERE id = @id AND status = 'pending'`,
    ),
    selectApproval: db.prepare<[string], ApprovalRow>('SELECT * FROM approvals WHERE id = ?'),
    selectDueApprovals: db.prepare<[number, number], ApprovalRow>(
      `SELECT * FROM approvals WHERE status = 'pending' AND expires_at <= ?
       ORDER BY expires_at LIMIT ?`,
    ),

    selectRail: db.prepare<[string], RailRow>('SELECT * FROM rails WHERE name = ?'),
    upsertRail: db.prepare<[RailRow]>(
      `INSERT INTO rails (name, frozen_at, reason) VALUES (@name, @frozen_at, @reason)
       ON CONFLICT DO UPDATE SET frozen_at = excluded.frozen_at, reason = excluded.reason`,
    ),
  };
}

export function paymentRow(payment: Payment): PaymentRow {
  const { destination } = payment;
  const sending =
    'sentAt' in payment ? payment : { walletIdentity: null, sentAt: null, seen: false };
  const succeeded = payment.state === 'succeeded' ? payment : null;
  return {
    id: payment.id,
    agent_no: payment.agentNo,
    kind: payment.kind,
    destination_type: destination.type,
    destination: destination.text,
    payment_hash: destination.paymentHash,
    invoice_expires_at: destination.invoiceExpiresAt,
    payee_no: payment.payeeNo,
    amount: payment.amount,
    max_fee: payment.maxFee,
    purpose: payment.purpose,
    rail: payment.rail,
    decision: payment.decision,
    decision_reason: payment.decisionReason,
    approval_id: payment.approvalId,
    correlation_id: payment.correlationId,
    state: payment.state,
    created_at: payment.createdAt,
    wallet_identity: sending.walletIdentity,
    sent_at: sending.sentAt,
    seen: sending.seen ? 1 : 0,
    ended_at: 'endedAt' in payment ? payment.endedAt : null,
    fee: succeeded?.fee ?? null,
    preimage: succeeded?.preimage ?? null,
    token: succeeded?.token ?? null,
    failure: payment.state === 'failed' ? payment.failure : null,
    stuck: payment.state === 'in_flight' ? payment.stuck : null,
  };
}

/** The database's checks make sure that each state has its columns. */
export function paymentOf(row: PaymentRow): Payment {
  const identity = {
    id: row.id,
    agentNo: row.agent_no,
    kind: row.kind,
    destination: {
      type: row.destination_type,
      text: row.destination,
      paymentHash: row.payment_hash,
      invoiceExpiresAt: row.invoice_expires_at,
    },
    payeeNo: row.payee_no,
    amount: row.amount as Msat,
    maxFee: row.max_fee as Msat,
    purpose: row.purpose,
    rail: row.rail,
    decision: row.decision,
    decisionReason: row.decision_reason,
    approvalId: row.approval_id,
    correlationId: row.correlation_id,
    createdAt: row.created_at,
  };
  const sending = {
    walletIdentity: row.wallet_identity,
    sentAt: row.sent_at,
    seen: row.seen === 1,
  };
  const endedAt = row.ended_at as number;
  switch (row.state) {
    case 'requested':
    case 'held':
      return { ...identity, state: row.state };
    case 'in_flight':
      return {
        ...identity,
        ...sending,
        state: 'in_flight',
        walletIdentity: row.wallet_identity as string,
        sentAt: row.sent_at as number,
        stuck: row.stuck,
      };
    case 'succeeded': {
      const { preimage, token } = row;
      const fee = row.fee as Msat;
      return { ...identity, ...sending, state: 'succeeded', endedAt, fee, preimage, token };
    }
    case 'failed':
      return { ...identity, ...sending, state: 'failed', endedAt, failure: row.failure as string };
  }
}

export function approvalRow(approval: Approval): ApprovalRow {
  const resolved = approval.status === 'pending' ? null : approval;
  return {
    id: approval.id,
    agent_no: approval.agentNo,
    type: approval.type,
    transaction_id: approval.transactionId,
    amount: approval.amount,
    max_fee: approval.maxFee,
    destination_type: approval.destinationType,
    destination: approval.destination,
    model: approval.type === 'inference' ? approval.model : null,
    rule: approval.rule,
    correlation_id: approval.correlationId,
    status: approval.status,
    created_at: approval.createdAt,
    expires_at: approval.expiresAt,
    resolved_at: resolved?.resolvedAt ?? null,
    reason: resolved?.reason ?? null,
  };
}

export function approvalOf(row: ApprovalRow): Approval {
  const asked = {
    id: row.id,
    agentNo: row.agent_no,
    amount: row.amount as Msat,
    maxFee: row.max_fee as Msat,
    rule: row.rule,
    correlationId: row.correlation_id,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
  const status =
    row.status === 'pending'
      ? { status: row.status }
      : { status: row.status, resolvedAt: row.resolved_at as number, reason: row.reason };
  if (row.type === 'inference') {
    const nothing = { transactionId: null, destinationType: null, destination: null };
    return { ...asked, ...status, ...nothing, type: row.type, model: row.model as string };
  }
  return {
    ...asked,
    ...status,
    type: row.type,
    transactionId: row.transaction_id as string,
    destinationType: row.destination_type as DestinationType,
    destination: row.destination as string,
  };
}
