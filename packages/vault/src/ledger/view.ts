/** What the ledger's decisions may look at. Reads only; the store answers from cache or disk. */
import type { PolicyVersion } from '../policy/spend-policy.ts';
import type { HeldReservation, StoredReservation } from '../reservation/reservation.ts';
import type { Account } from './account.ts';

export interface AgentToken {
  readonly agentNo: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

export interface AgentState {
  readonly no: number;
  readonly id: string;
  readonly disabledAt: number | null;
  readonly policy: PolicyVersion | null;
  readonly available: Account;
  readonly held: Account;
}

export interface RememberedAnswer {
  readonly fingerprint: string;
  /** JSON of the outcome. */
  readonly answer: string;
}

export interface LedgerView {
  readonly epoch: string;
  readonly revenue: Account;
  readonly loss: Account;
  readonly railSimulated: Account;
  token(hash: string): AgentToken | undefined;
  agent(no: number): AgentState;
  agentById(id: string): AgentState | undefined;
  /** Charged in the last 24 h, msat, without holds. */
  spent(agentNo: number, nowMinute: number): number;
  reservation(id: string): StoredReservation | undefined;
  reservationByCorrelation(agentNo: number, correlationId: string): StoredReservation | undefined;
  /** Open holds whose time is up at `nowMs`, oldest first. */
  dueHolds(nowMs: number, max: number): HeldReservation[];
  openHolds(): Iterable<HeldReservation>;
  rememberedAnswer(key: string): RememberedAnswer | undefined;
  /** How many keys of this principal are stored. */
  rememberedAnswers(principal: string): number;
  nextAgentNo(): number;
  nextAccountId(): number;
}
