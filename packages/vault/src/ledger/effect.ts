/**
 * What a decision changes, as data. The store applies the effects of one command in order; an audit effect seals the transfers that came before it.
 */
import type { AgentScope } from '@arbstr/shared';
import type { PendingApproval, ResolvedApproval } from '../approval/approval.ts';
import type { Grant } from '../approval/grant.ts';
import type { AuditAction, AuditFacts } from '../audit/action.ts';
import type { Deposit, DepositState, PendingDeposit } from '../deposit/deposit.ts';
import type { Refusal } from '../errors.ts';
import type { Alert, Episode, EventDraft, Webhook, WebhookState } from '../notify/outbox.ts';
import type { Payment, PaymentState } from '../payment/payment.ts';
import type { Payout, PayoutState, Standing } from '../payout/payout.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';
import type {
  EndedReservation,
  HeldReservation,
  StoredReservation,
} from '../reservation/reservation.ts';
import type { ReplayKey } from './command.ts';
import type { RailState } from './view.ts';

export type TransferKind =
  | 'credit'
  | 'debit'
  | 'deposit'
  | 'earning'
  | 'payout_hold'
  | 'payout'
  | 'fee'
  | 'payout_refund'
  | 'sweep'
  | 'hold'
  | 'charge'
  | 'refund'
  | 'late_charge'
  | 'loss'
  | 'payment'
  | 'overcharge'
  | 'withdrawal';

export interface Transfer {
  readonly effect: 'transfer';
  readonly kind: TransferKind;
  /** Account ids: the money leaves `debit` and arrives at `credit`. */
  readonly debit: number;
  readonly credit: number;
  readonly amount: number;
  readonly ref: string;
}

export interface InsertAgent {
  readonly effect: 'insert_agent';
  readonly no: number;
  readonly id: string;
  readonly name: string;
  readonly metadata: string;
  readonly createdAt: number;
  readonly availableId: number;
  readonly heldId: number;
}

export interface SetTreasury {
  readonly effect: 'set_treasury';
  readonly agentNo: number;
}

export interface InsertToken {
  readonly effect: 'insert_token';
  readonly id: string;
  readonly agentNo: number;
  readonly hash: string;
  readonly scopes: readonly AgentScope[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

export interface EndToken {
  readonly effect: 'end_token';
  readonly id: string;
  readonly hash: string;
  /** Unusable from then on; may be ahead. */
  readonly at: number;
}

export interface InsertPolicy {
  readonly effect: 'insert_policy';
  readonly agentNo: number;
  readonly policy: PolicyVersion;
}

export interface DisableAgentRow {
  readonly effect: 'disable_agent';
  readonly agentNo: number;
  readonly at: number;
}

export interface InsertReservation {
  readonly effect: 'insert_reservation';
  readonly reservation: StoredReservation;
}

export interface EndReservation {
  readonly effect: 'end_reservation';
  /** The state that the row must still be in; another one means that two ends met. */
  readonly from: 'held' | 'expired';
  readonly reservation: EndedReservation;
}

export interface InsertGrant {
  readonly effect: 'insert_grant';
  readonly grant: Grant;
}

/** free → taken */
export interface TakeGrant {
  readonly effect: 'take_grant';
  readonly approvalId: string;
  readonly reservationId: string;
}

/** taken → free */
export interface ReturnGrant {
  readonly effect: 'return_grant';
  readonly approvalId: string;
  readonly reservationId: string;
}

/** taken → consumed */
export interface ConsumeGrant {
  readonly effect: 'consume_grant';
  readonly approvalId: string;
  readonly reservationId: string;
  readonly at: number;
}

export type GrantEffect = InsertGrant | TakeGrant | ReturnGrant | ConsumeGrant;

export interface MoveExpiry {
  readonly effect: 'move_expiry';
  readonly reservation: HeldReservation;
}

export interface InsertDeposit {
  readonly effect: 'insert_deposit';
  readonly deposit: PendingDeposit;
}

export interface ChangeDeposit {
  readonly effect: 'change_deposit';
  /** The state that the row must still be in. */
  readonly from: DepositState;
  readonly deposit: Deposit;
}

export interface PutSeller {
  readonly effect: 'put_seller';
  readonly seller: {
    readonly name: string;
    readonly payableId: number;
    readonly heldId: number;
    readonly destination: string | null;
    readonly threshold: number;
    readonly standing: Standing;
  };
  /** Its accounts are made with it. */
  readonly isNew: boolean;
  readonly at: number;
}

export interface InsertPayout {
  readonly effect: 'insert_payout';
  readonly payout: Payout;
}

export interface ChangePayout {
  readonly effect: 'change_payout';
  /** The state that the row must still be in. */
  readonly from: PayoutState;
  readonly payout: Payout;
}

export interface InsertPayment {
  readonly effect: 'insert_payment';
  readonly payment: Payment;
}

export interface ChangePayment {
  readonly effect: 'change_payment';
  /** The state that the row must still be in. */
  readonly from: PaymentState;
  readonly payment: Payment;
}

export interface InsertApproval {
  readonly effect: 'insert_approval';
  readonly approval: PendingApproval;
}

export interface ResolveApproval {
  readonly effect: 'resolve_approval';
  readonly approval: ResolvedApproval;
}

export interface SetRail {
  readonly effect: 'set_rail';
  readonly rail: RailState;
}

export type PaymentEffect =
  | InsertPayment
  | ChangePayment
  | InsertApproval
  | ResolveApproval
  | SetRail;

export interface Spend {
  readonly effect: 'spend';
  readonly agentNo: number;
  /** Of the reserve. */
  readonly minute: number;
  readonly amount: number;
}

export interface BalanceAlert {
  readonly effect: 'balance_alert';
  readonly agentNo: number;
  readonly at: number;
  readonly balance: number;
  readonly floor: number;
}

/** Tells the operator of what no other effect says. */
export interface Notify {
  readonly effect: 'notify';
  readonly draft: EventDraft;
}

export interface ChangeWebhook {
  readonly effect: 'change_webhook';
  readonly webhook: Webhook;
}

export interface SweepOutboxRows {
  readonly effect: 'sweep_outbox';
  /** Rows of each state that are too many. */
  readonly excess: Readonly<Record<WebhookState, number>>;
  readonly deliveredBefore: number;
  readonly deadBefore: number;
}

export interface BeginEpisodeRow {
  readonly effect: 'begin_episode';
  readonly episode: Episode;
}

export interface EndEpisodeRow {
  readonly effect: 'end_episode';
  readonly alert: Alert;
  readonly subject: string;
}

export type OutboxEffect = ChangeWebhook | SweepOutboxRows | BeginEpisodeRow | EndEpisodeRow;

export interface RememberAnswer {
  readonly effect: 'remember_answer';
  readonly replayKey: ReplayKey;
  readonly answer: string;
}

export interface ForgetAnswers {
  readonly effect: 'forget_answers';
  readonly before: number;
  readonly max: number;
}

export interface BeginRecovery {
  readonly effect: 'begin_recovery';
  readonly epoch: string;
}

export interface SetMode {
  readonly effect: 'set_mode';
  readonly mode: 'normal';
}

/** Forces a commit, so that the ledger's time reaches the disk. */
export interface Beat {
  readonly effect: 'beat';
}

export interface Audit {
  readonly effect: 'audit';
  /** The agent's number, or 0 for the ledger's own chain. */
  readonly chain: number;
  readonly action: AuditAction;
  readonly facts: AuditFacts;
}

export type Effect =
  | Transfer
  | InsertAgent
  | SetTreasury
  | InsertToken
  | EndToken
  | InsertPolicy
  | DisableAgentRow
  | InsertReservation
  | EndReservation
  | GrantEffect
  | MoveExpiry
  | InsertDeposit
  | ChangeDeposit
  | PutSeller
  | InsertPayout
  | ChangePayout
  | PaymentEffect
  | Spend
  | BalanceAlert
  | Notify
  | OutboxEffect
  | RememberAnswer
  | ForgetAnswers
  | BeginRecovery
  | SetMode
  | Beat
  | Audit;

export interface Decision<T> {
  readonly outcome: T | Refusal;
  readonly effects: readonly Effect[];
  /** The answer is stored under no key either: the same key is decided anew. */
  readonly unkept?: true;
}

export const NO_EFFECTS: readonly Effect[] = [];

/** A refusal changes nothing. */
export const no = <T>(refusal: Refusal): Decision<T> => ({ outcome: refusal, effects: NO_EFFECTS });

/** A movement, or nothing where nothing moves: there are no transfers of zero. */
export function transfer(
  kind: TransferKind,
  debit: number,
  credit: number,
  amount: number,
  ref: string,
): Transfer[] {
  return amount === 0 ? [] : [{ effect: 'transfer', kind, debit, credit, amount, ref }];
}
