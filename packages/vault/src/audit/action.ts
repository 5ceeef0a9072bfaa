/**
 * What an audit row says. The facts of one row are complete: from the rows of a chain alone,
 * `verify` rebuilds every row of that agent in every other table.
 */

/** The pseudo chain for what belongs to no agent. */
export const LEDGER_CHAIN = 0;
export const LEDGER_CHAIN_NAME = 'ledger';

export const AUDIT_ACTIONS = [
  'AGENT_REGISTERED',
  'TREASURY_CREATED',
  'REVENUE_TAKEN',
  'AGENT_DISABLED',
  'AGENT_SWEPT',
  'TOKEN_ISSUED',
  'TOKEN_REVOKED',
  'POLICY_UPDATED',
  'DEPOSIT',
  'DEPOSIT_OPENED',
  'DEPOSIT_SETTLED',
  'DEPOSIT_EXPIRED',
  'DEPOSIT_FAILED',
  'DEBIT',
  'BALANCE_ALERT',
  'PAYMENT_DENIED',
  'PAYMENT_HELD',
  'PAYMENT_SENT',
  'PAYMENT_SEEN',
  'PAYMENT_STUCK',
  'PAYMENT_SETTLED',
  'PAYMENT_FAILED',
  'PAYMENT_MOVED',
  'PAYMENT_RECEIVED',
  'APPROVAL_REQUESTED',
  'APPROVAL_GRANTED',
  'APPROVAL_DENIED',
  'APPROVAL_TIMEOUT',
  'RESERVATION_HELD',
  'RESERVATION_EXTENDED',
  'RESERVATION_PROLONGED',
  'RESERVATION_SETTLED',
  'RESERVATION_RELEASED',
  'RESERVATION_EXPIRED',
  'RESERVATION_SETTLED_LATE',
] as const;
export type AgentAction = (typeof AUDIT_ACTIONS)[number];

/** Rows of the ledger's own chain. */
export type LedgerAction =
  | 'LEDGER_CREATED'
  | 'LEDGER_RESTORED'
  | 'RECOVERY_FINISHED'
  | 'RESERVATION_FORBIDDEN'
  | 'ANSWER_REMEMBERED'
  | 'SELLER_SET'
  | 'PAYOUT_OPENED'
  | 'PAYOUT_JUDGED'
  | 'PAYOUT_WAITS'
  | 'PAYOUT_BOOKED'
  | 'PAYOUT_SENT'
  | 'PAYOUT_SEEN'
  | 'PAYOUT_STUCK'
  | 'PAYOUT_SUCCEEDED'
  | 'PAYOUT_FAILED'
  | 'RAIL_FROZEN'
  | 'RAIL_THAWED';

export type AuditAction = AgentAction | LedgerAction;

/** JSON; keys are chosen where the decision is made and read back by `audit/verify/`. */
export type AuditFacts = Readonly<Record<string, unknown>>;
