/** What each command answers. A refusal is the same for all of them. */
import type { AgentScope, Msat, ReleaseAnswer, ReserveAnswer, SettleAnswer } from '@arbstr/shared';
import type { ResolvedApproval } from '../approval/approval.ts';
import type { Refusal } from '../errors.ts';
import type { WebhookState } from '../notify/outbox.ts';
import type {
  EndedPayment,
  FailedPayment,
  InFlightPayment,
  PaymentState,
} from '../payment/payment.ts';
import type { Standing } from '../payout/payout.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';
import type { Rail } from '../wallet/wallet.ts';
import type { Command } from './command.ts';

export interface AgentCreated {
  agentId: string;
  createdAt: number;
}

export interface AgentDisabled {
  agentId: string;
  disabledAt: number;
  /** Null where nothing was to be swept. */
  swept: { amount: Msat; transactionId: string } | null;
}

export interface TokenIssued {
  agentId: string;
  tokenId: string;
  scopes: AgentScope[];
  createdAt: number;
  expiresAt: number | null;
}

export interface TokenRevoked {
  agentId: string;
  tokenId: string;
  revokedAt: number;
}

export interface PolicySet {
  agentId: string;
  policy: PolicyVersion;
}

export interface Credited {
  agentId: string;
  amount: Msat;
  balance: Msat;
  transactionId: string;
}

export interface Debited {
  agentId: string;
  amount: Msat;
  balance: Msat;
  transactionId: string;
}

export interface DepositOpened {
  depositId: string;
  agentId: string;
  rail: Rail;
  amount: Msat;
  createdAt: number;
  /** Null for ecash, like the hash and the expiry. */
  paymentRequest: string | null;
  paymentHash: string | null;
  expiresAt: number | null;
}

export interface DepositSettled {
  depositId: string;
  agentId: string;
  received: Msat;
  balance: Msat;
  settledAt: number;
}

export interface ReceiptCredited {
  /** The deposit that asked for it; null where none did. */
  deposit: string | null;
  /** False where it had been credited before. */
  credited: boolean;
}

export interface DepositsExpired {
  expired: string[];
}

export interface SellerSet {
  name: string;
  destination: string | null;
  threshold: Msat;
  standing: Standing;
}

export interface PayoutOpened {
  /** Null where none was due. */
  payoutId: string | null;
}

export interface PayoutChanged {
  changed: boolean;
}

export interface PayoutBooked {
  seller: string;
  amount: Msat;
  /** All that it is owed now, what payouts hold included. */
  payable: Msat;
  transactionId: string;
}

export interface Extended {
  expires_at: number;
}

export interface Expired {
  /** Reservation ids whose holds went back. */
  expired: string[];
}

export interface Prolonged {
  prolonged: number;
}

export interface RecoveryFinished {
  ledgerEpoch: string;
}

export interface Alive {
  ledgerMs: number;
}

export interface AnswersForgotten {
  forgotten: number;
}

export interface PaymentAccepted {
  transactionId: string;
  /** As decided; a replayed answer says what it was then. */
  state: PaymentState;
  amount: Msat;
  approvalId: string | null;
  /** Of the approval, Unix ms. */
  expiresAt: number | null;
  /** Denied like too many before it: there is no row, and this is all that is known of it. */
  unkept?: FailedPayment;
}

export interface PaymentSent {
  payment: InFlightPayment;
}

export interface PaymentSeen {
  seen: boolean;
}

/** The end of a payment or a payout. */
export interface OrderEnded {
  state: EndedPayment['state'];
  /** False where it had ended before. */
  applied: boolean;
  /** It had ended before, and otherwise. */
  contradicted: boolean;
  /** What the wallet took above what was allowed; the rail is frozen then. */
  excess: Msat;
}

export interface ApprovalResolved {
  approvalId: string;
  status: ResolvedApproval['status'];
  /** Null where no payment waited. */
  transactionId: string | null;
  /** The payout that waited. */
  payoutId?: string;
  /** Null for a payout. */
  agentId: string | null;
  amount: Msat;
  paymentState: PaymentState | null;
}

export interface ApprovalsTimedOut {
  /** Approval ids. */
  timedOut: string[];
}

export interface RailThawed {
  rail: string;
}

export interface WebhookMarked {
  eventId: string;
  /** What it is now; null where there is no such row any more. */
  webhook: WebhookState | null;
}

export interface OutboxSwept {
  swept: true;
}

export interface EpisodeChanged {
  changed: boolean;
}

export interface OutcomeByKind {
  pay: PaymentAccepted;
  withdraw_revenue: PaymentAccepted;
  send_payment: PaymentSent;
  adopt_payment: { adopted: boolean };
  see_payment: PaymentSeen;
  stick_payment: { stuck: boolean };
  end_payment: OrderEnded;
  approve: ApprovalResolved;
  deny: ApprovalResolved;
  time_out_approvals: ApprovalsTimedOut;
  thaw_rail: RailThawed;
  mark_webhook: WebhookMarked;
  replay_webhook: WebhookMarked;
  sweep_outbox: OutboxSwept;
  begin_episode: EpisodeChanged;
  end_episode: EpisodeChanged;
  create_agent: AgentCreated;
  disable_agent: AgentDisabled;
  issue_token: TokenIssued;
  revoke_token: TokenRevoked;
  set_policy: PolicySet;
  credit: Credited;
  debit: Debited;
  open_deposit: DepositOpened;
  credit_receipt: ReceiptCredited;
  settle_ecash: DepositSettled;
  fail_deposit: { failed: boolean };
  expire_deposits: DepositsExpired;
  set_seller: SellerSet;
  open_payout: PayoutOpened;
  book_payout: PayoutBooked;
  send_payout: PayoutChanged;
  see_payout: PayoutChanged;
  stick_payout: PayoutChanged;
  end_payout: OrderEnded;
  reserve: ReserveAnswer;
  settle: SettleAnswer;
  release: ReleaseAnswer;
  extend: Extended;
  expire: Expired;
  prolong: Prolonged;
  finish_recovery: RecoveryFinished;
  heartbeat: Alive;
  forget_answers: AnswersForgotten;
}

/** The stored answer to an idempotency key: what it tells had happened before. */
export interface Replayed {
  replayed?: true;
}

export type OutcomeOf<C extends Command> = (OutcomeByKind[C['kind']] & Replayed) | Refusal;
export type Outcome = OutcomeOf<Command>;
