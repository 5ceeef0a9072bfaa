/** What the ledger's decisions may look at. Reads only; the store answers from cache or disk. */
import type { AgentScope } from '@arbstr/shared';
import type {
  Approval,
  InferenceApproval,
  Pending,
  PendingApproval,
} from '../approval/approval.ts';
import type { Grant } from '../approval/grant.ts';
import type { Deposit } from '../deposit/deposit.ts';
import type { Alert, Episode, Webhook } from '../notify/outbox.ts';
import type { Payment } from '../payment/payment.ts';
import type { OpenPayout, Payout, Standing } from '../payout/payout.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';
import type { HeldReservation, StoredReservation } from '../reservation/reservation.ts';
import type { Account } from './account.ts';

export interface AgentToken {
  readonly id: string;
  readonly agentNo: number;
  readonly hash: string;
  readonly scopes: readonly AgentScope[];
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

export function isUsable(token: Pick<AgentToken, 'expiresAt' | 'revokedAt'>, now: number): boolean {
  if (token.revokedAt !== null && token.revokedAt <= now) return false;
  return token.expiresAt === null || token.expiresAt > now;
}

export interface AgentState {
  readonly no: number;
  readonly id: string;
  readonly disabledAt: number | null;
  readonly policy: PolicyVersion | null;
  readonly available: Account;
  readonly held: Account;
}

export interface SellerState {
  readonly name: string;
  readonly destination: string | null;
  readonly threshold: number;
  readonly standing: Standing;
  readonly payable: Account;
  readonly held: Account;
}

export interface RememberedAnswer {
  readonly fingerprint: string;
  /** JSON of the outcome. */
  readonly answer: string;
}

export interface RailState {
  readonly name: string;
  /** Null: payments run. */
  readonly frozenAt: number | null;
  readonly reason: string | null;
}

export interface LedgerView {
  readonly epoch: string;
  /** Restored, and not yet looked at by the operator. */
  readonly recovering: boolean;
  readonly revenue: Account;
  readonly loss: Account;
  readonly equity: Account;
  readonly railSimulated: Account;
  readonly feesSimulated: Account;
  readonly transit: Account;
  token(hash: string): AgentToken | undefined;
  /** All of an agent's, in the order in which they were made. */
  tokensOf(agentNo: number): AgentToken[];
  /** The operator's own sub-account, once it has one. */
  treasuryNo(): number | undefined;
  agent(no: number): AgentState;
  agentById(id: string): AgentState | undefined;
  /** Charged in the last 24 h, msat, without holds. */
  spent(agentNo: number, nowMinute: number): number;
  /** The question about this that waits for a human. */
  pendingInference(
    agentNo: number,
    model: string,
    rule: string,
  ): Pending<InferenceApproval> | undefined;
  /** How many questions about inference wait, of one agent. */
  pendingInferences(agentNo: number): number;
  grant(approvalId: string): Grant | undefined;
  /** A grant that nobody has taken and whose window is open. */
  freeGrant(agentNo: number, model: string, rule: string, now: number): Grant | undefined;
  reservation(id: string): StoredReservation | undefined;
  reservationByCorrelation(agentNo: number, correlationId: string): StoredReservation | undefined;
  /** Open holds whose time is up at `nowMs`, oldest first. */
  dueHolds(nowMs: number, max: number): HeldReservation[];
  openHolds(): Iterable<HeldReservation>;
  /** When this agent's operator was last told of its balance. */
  lastAlertAt(agentNo: number): number | undefined;
  deposit(id: string): Deposit | undefined;
  depositByHash(paymentHash: string): Deposit | undefined;
  /** Of the same ecash, unless that failed. */
  depositByToken(tokenKey: string): Deposit | undefined;
  pendingDeposits(agentNo: number): number;
  /** Pending ones whose time is up at `nowMs`, oldest first. */
  dueDeposits(nowMs: number, max: number): Deposit[];
  seller(name: string): SellerState | undefined;
  sellers(): SellerState[];
  sellerCount(): number;
  payout(id: string): Payout | undefined;
  openPayout(seller: string): OpenPayout | undefined;
  /** What went or is going out to all sellers, with fees, msat. */
  paidOutSince(ms: number): number;
  lastPayout(seller: string): Payout | undefined;
  payment(id: string): Payment | undefined;
  /** The one payment of this hash that pays it or has paid it. */
  paymentByHash(paymentHash: string): Payment | undefined;
  /** What waits for a human, of one agent. */
  askedByHash(agentNo: number, paymentHash: string): Payment | undefined;
  /** The id of what waits for a human and costs most, of all agents. */
  dearestAsked(paymentHash: string): string | undefined;
  /** Denied ones of this agent that were kept since then. */
  deniedPayments(agentNo: number, sinceMs: number): number;
  /** When the nth newest was made of those since then that were not denied. */
  madePayment(agentNo: number, sinceMs: number, nth: number): number | undefined;
  /** The same of those that have not succeeded (yet). */
  unpaidPayment(agentNo: number, sinceMs: number, nth: number): number | undefined;
  /** The same of deposits that nothing came of. */
  unpaidDeposit(agentNo: number, sinceMs: number, nth: number): number | undefined;
  /** The same of questions about inference that were not granted. */
  unmetInference(agentNo: number, sinceMs: number, nth: number): number | undefined;
  approval(id: string): Approval | undefined;
  /** Pending ones whose time is up at `nowMs`, oldest first. */
  dueApprovals(nowMs: number, max: number): PendingApproval[];
  rail(name: string): RailState | undefined;
  webhook(eventId: string): Webhook | undefined;
  /** One that is not over. */
  episode(alert: Alert, subject: string): Episode | undefined;
  rememberedAnswer(key: string): RememberedAnswer | undefined;
  /** How many keys were stored before `ms`, counted up to `max`. */
  answersBefore(ms: number, max: number): number;
  /** How many keys of this principal are stored. */
  rememberedAnswers(principal: string): number;
  nextAgentNo(): number;
  nextAccountId(): number;
}
