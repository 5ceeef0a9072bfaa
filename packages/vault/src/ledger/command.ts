/**
 * What the ledger can be told to do: plain data, complete (ids, hashes and randomness are made
 * before), so that applying it needs nothing but the ledger's state and the time.
 */
import type { AgentScope, Msat } from '@arbstr/shared';
import type { EcashSource, InvoiceSource } from '../deposit/deposit.ts';
import type { Alert, EventDraft, WebhookState } from '../notify/outbox.ts';
import type { Destination, PaymentKind } from '../payment/payment.ts';
import type { PolicyChange } from '../policy/spend-policy.ts';
import type { Usage } from '../reservation/reservation.ts';
import type { Failed, PaymentTarget, Rail, Succeeded } from '../wallet/wallet.ts';

/** A caller's Idempotency-Key, and what the command was. */
export interface ReplayKey {
  /** `operator` or an agent's id. */
  readonly principal: string;
  /** Unique over principals and routes. */
  readonly key: string;
  readonly fingerprint: string;
}

/** What a person or a program asked for; never forgets to say under which key. */
interface AskedCommand {
  readonly correlationId: string;
  readonly replayKey: ReplayKey | undefined;
}

export interface CreateAgent extends AskedCommand {
  readonly kind: 'create_agent';
  readonly agentId: string;
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly token: {
    readonly id: string;
    readonly hash: string;
    readonly scopes: readonly AgentScope[];
  };
  readonly policy: { readonly versionId: string; readonly change: PolicyChange } | null;
}

export interface DisableAgent extends AskedCommand {
  readonly kind: 'disable_agent';
  readonly agentId: string;
  /** Of the sweep of what it has available; null leaves that with the agent. */
  readonly sweepId: string | null;
}

/** Makes a token and ends the older ones. */
export interface IssueToken extends AskedCommand {
  readonly kind: 'issue_token';
  readonly agentId: string;
  readonly tokenId: string;
  readonly hash: string;
  /** Null: those of the newest usable token. */
  readonly scopes: readonly AgentScope[] | null;
  readonly expiresInMs: number | null;
  /** How long the older ones stay usable; null leaves them alone. */
  readonly overlapMs: number | null;
}

export interface RevokeToken extends AskedCommand {
  readonly kind: 'revoke_token';
  readonly agentId: string;
  readonly tokenId: string;
}

export interface SetPolicy extends AskedCommand {
  readonly kind: 'set_policy';
  readonly agentId: string;
  readonly versionId: string;
  readonly change: PolicyChange;
  /** merge: what is not named stays. replace: what is not named is lifted. */
  readonly mode: 'merge' | 'replace';
}

export interface Credit extends AskedCommand {
  readonly kind: 'credit';
  readonly agentId: string;
  readonly amount: Msat;
  readonly transactionId: string;
}

/** The operator takes back what an agent has available. */
export interface Debit extends AskedCommand {
  readonly kind: 'debit';
  readonly agentId: string;
  readonly amount: Msat;
  readonly reason: string;
  readonly transactionId: string;
}

/** Somebody outside is about to pay for an agent. */
export interface OpenDepositCommand extends AskedCommand {
  readonly kind: 'open_deposit';
  readonly depositId: string;
  readonly agentId: string;
  readonly rail: Rail;
  readonly amount: Msat;
  readonly source: InvoiceSource | EcashSource;
}

/** The wallet has been paid. */
export interface CreditReceipt {
  readonly kind: 'credit_receipt';
  readonly paymentHash: string;
  readonly received: Msat;
  readonly receiptIndex: number;
}

export interface SettleEcash {
  readonly kind: 'settle_ecash';
  readonly depositId: string;
  readonly received: Msat;
}

export interface FailDeposit {
  readonly kind: 'fail_deposit';
  readonly depositId: string;
  readonly reason: string;
}

export interface ExpireDeposits {
  readonly kind: 'expire_deposits';
  readonly depositsMax: number;
}

/** Where and from when on a seller is paid what it is owed. */
export interface SetSeller extends AskedCommand {
  readonly kind: 'set_seller';
  readonly name: string;
  /** Null: nothing more is credited or paid out. */
  readonly destination: string | null;
  readonly threshold: Msat;
  readonly dailyCap: Msat;
}

export interface OpenPayoutCommand {
  readonly kind: 'open_payout';
  readonly payoutId: string;
  readonly seller: string;
  readonly rail: Rail;
  /** Of all payouts of 24 h. */
  readonly dailyCap: Msat;
  /** The most that the wallet takes as a fee; null where only our limit bounds it. */
  readonly feeBound: Msat | null;
}

/** A seller was paid, and no payout of these books knows of it. */
export interface BookPayout extends AskedCommand {
  readonly kind: 'book_payout';
  readonly transactionId: string;
  readonly seller: string;
  /** With its fee. */
  readonly amount: Msat;
  readonly reason: string;
}

export interface SendPayout {
  readonly kind: 'send_payout';
  readonly payoutId: string;
  readonly rail: Rail;
  readonly walletIdentity: string;
  readonly target: PaymentTarget;
}

export interface SeePayout {
  readonly kind: 'see_payout';
  readonly payoutId: string;
}

/** Only a human can clear it up now. */
export interface StickPayout {
  readonly kind: 'stick_payout';
  readonly payoutId: string;
  readonly reason: string;
}

export interface EndPayout {
  readonly kind: 'end_payout';
  readonly payoutId: string;
  readonly rail: Rail;
  /** What it is for whoever ends it. In any other state nothing changes: others were faster. */
  readonly from: 'held' | 'in_flight';
  readonly result: Succeeded | Failed;
}

export interface Reserve {
  readonly kind: 'reserve';
  readonly tokenHash: string;
  readonly amount: Msat;
  readonly correlationId: string;
  readonly model: string;
  readonly requestedModel: string | null;
  readonly coreId: string | null;
  readonly reservationId: string;
  /** For the question to a human, if there will be one. */
  readonly approvalId: string;
  /** The caller gave no reservation id; this one is new, and the correlation id is the key. */
  readonly byCorrelation: boolean;
  readonly holdMs: number;
}

export interface Settle {
  readonly kind: 'settle';
  readonly reservationId: string;
  readonly asked: Msat;
  readonly usage: Usage;
  /** Where the ledger does not know the reservation: whom to charge late. */
  readonly agentId: string | null;
  readonly correlationId: string | null;
  readonly model: string | null;
}

export interface Release {
  readonly kind: 'release';
  readonly reservationId: string;
  readonly reason: string | null;
}

export interface Extend {
  readonly kind: 'extend';
  readonly reservationId: string;
  readonly holdMs: number;
}

/** Ends the holds that are due, a bounded number at once. */
export interface Expire {
  readonly kind: 'expire';
  readonly holdsMax: number;
}

/** Pays somebody outside, or another agent. Everything about the destination was checked before. */
export interface Pay extends AskedCommand {
  readonly kind: 'pay';
  readonly mode: PaymentKind;
  readonly tokenHash: string;
  readonly transactionId: string;
  /** Used where a human has to be asked. */
  readonly approvalId: string;
  readonly destination: Destination;
  /** Every name under which an allow-list may know the destination. */
  readonly destinationNames: readonly string[];
  readonly amount: Msat;
  /** Null: what the policy allows. */
  readonly maxFeeAsked: Msat | null;
  /** The wallet's own, see `Wallet.feeBoundMsat`. */
  readonly feeBound: Msat | null;
  readonly purpose: string;
  readonly rail: Rail;
}

/** Pays out what the operator earned or took back. */
export interface WithdrawRevenue extends AskedCommand {
  readonly kind: 'withdraw_revenue';
  /** Of the operator's own sub-account, where it has none yet. */
  readonly treasuryId: string;
  readonly transactionId: string;
  readonly destination: Destination;
  readonly amount: Msat;
  /** The wallet's own, see `Wallet.feeBoundMsat`. */
  readonly feeBound: Msat | null;
  readonly rail: Rail;
}

export interface SendPayment {
  readonly kind: 'send_payment';
  readonly paymentId: string;
  readonly walletIdentity: string;
}

/** In recovery mode: the wallet knows a payment that waits for a human in these books. */
export interface AdoptPayment {
  readonly kind: 'adopt_payment';
  readonly paymentId: string;
}

export interface SeePayment {
  readonly kind: 'see_payment';
  readonly paymentId: string;
}

/** Only a human can clear it up now. */
export interface StickPayment {
  readonly kind: 'stick_payment';
  readonly paymentId: string;
  readonly reason: string;
}

export interface EndPayment {
  readonly kind: 'end_payment';
  readonly paymentId: string;
  readonly result: Succeeded | Failed;
}

interface Resolve extends AskedCommand {
  /** Or of a payout that waits. */
  readonly approvalId: string;
  readonly reason: string | null;
}
export interface Approve extends Resolve {
  readonly kind: 'approve';
}
export interface Deny extends Resolve {
  readonly kind: 'deny';
}

/** Ends approvals that are due, a bounded number at once. */
export interface TimeOutApprovals {
  readonly kind: 'time_out_approvals';
  readonly approvalsMax: number;
}

export interface ThawRail extends AskedCommand {
  readonly kind: 'thaw_rail';
  readonly rail: Rail;
}

/** Gives every open hold more time, because the vault itself could not be reached. */
export interface Prolong {
  readonly kind: 'prolong';
  readonly byMs: number;
}

/** Writes that the vault is alive. */
export interface Heartbeat {
  readonly kind: 'heartbeat';
}

/** Forgets idempotency keys that are older, a bounded number at once. */
export interface ForgetAnswers {
  readonly kind: 'forget_answers';
  readonly keptMs: number;
  readonly answersMax: number;
}

/** What became of one try to deliver an event. */
export interface MarkWebhook {
  readonly kind: 'mark_webhook';
  readonly eventId: string;
  /** Before this one. */
  readonly tries: number;
  readonly result:
    | { readonly delivered: true }
    /** `waitMs`: until the next try, if there is one. */
    | { readonly delivered: false; readonly reason: string; readonly waitMs: number };
}

export interface ReplayWebhook extends AskedCommand {
  readonly kind: 'replay_webhook';
  readonly eventId: string;
}

/** Removes what was kept long enough, and what is too much. */
export interface SweepOutbox {
  readonly kind: 'sweep_outbox';
  readonly excess: Readonly<Record<WebhookState, number>>;
}

export interface BeginEpisode {
  readonly kind: 'begin_episode';
  readonly alert: Alert;
  readonly subject: string;
  readonly reason: string;
  readonly draft: EventDraft;
}

export interface EndEpisode {
  readonly kind: 'end_episode';
  readonly alert: Alert;
  readonly subject: string;
  /** Null: nobody needs to be told. */
  readonly draft: EventDraft | null;
}

/** Ends the recovery mode of a restored ledger: the operator has looked at what happened since. */
export interface FinishRecovery extends AskedCommand {
  readonly kind: 'finish_recovery';
  /** Payments of which the wallet had said nothing, and the operator did not wait for it. */
  readonly unasked: number;
}

export type Command =
  | CreateAgent
  | DisableAgent
  | IssueToken
  | RevokeToken
  | SetPolicy
  | Credit
  | Debit
  | OpenDepositCommand
  | CreditReceipt
  | SettleEcash
  | FailDeposit
  | ExpireDeposits
  | SetSeller
  | OpenPayoutCommand
  | BookPayout
  | SendPayout
  | SeePayout
  | StickPayout
  | EndPayout
  | Pay
  | WithdrawRevenue
  | SendPayment
  | AdoptPayment
  | SeePayment
  | StickPayment
  | EndPayment
  | Approve
  | Deny
  | TimeOutApprovals
  | ThawRail
  | MarkWebhook
  | ReplayWebhook
  | SweepOutbox
  | BeginEpisode
  | EndEpisode
  | Reserve
  | Settle
  | Release
  | Extend
  | Expire
  | Prolong
  | FinishRecovery
  | Heartbeat
  | ForgetAnswers;
