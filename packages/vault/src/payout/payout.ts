/**
 * What a seller of inference is owed, and a payout of it.
 *
 *   (payable reaches the threshold) ─┬─▶ waiting ─┬─▶ held ─▶ in_flight ─┬─▶ succeeded
 *      its destination is new ───────┘            └─▶ failed (denied)    └─▶ failed, proven
 *      its destination was approved ──▶ held ─▶ …
 *
 * Back from held to waiting leads a restore from a backup alone: it may have been sent since.
 *
 * The money is held from the first row until the end. in_flight: a wallet may have it; it stays so,
 * however long, until the wallet proves an end, and nothing else is paid to that seller. succeeded
 * and failed are final. A payout that is not sent yet fails when its destination changes.
 */
import { addMsat, type Msat } from '@arbstr/shared';
import type { PaymentTarget } from '../wallet/wallet.ts';

export const SELLERS_MAX = 1_000;
export const THRESHOLD_MSAT_DEFAULT = 1_000_000;
/** After a failed payout, the next one waits so long. */
export const RETRY_AFTER_MS = 600_000;
export const PAYOUT_DAY_MS = 24 * 60 * 60 * 1_000;

/** Whether money may go to a destination: a new one waits for the operator. */
export type Standing = 'new' | 'approved' | 'denied';

export const PAYOUT_STATES = ['waiting', 'held', 'in_flight', 'succeeded', 'failed'] as const;
export type PayoutState = (typeof PAYOUT_STATES)[number];

interface Identity {
  readonly id: string;
  readonly seller: string;
  /** A Lightning address or LNURL. */
  readonly destination: string;
  readonly amount: Msat;
  /** The most that may go to fees; it comes out of what the seller is owed. */
  readonly maxFee: Msat;
  readonly createdAt: number;
}

/** What the wallet was told, so that every later try is told the same. */
export interface Sending {
  readonly walletIdentity: string;
  readonly target: PaymentTarget;
  /** The wallet has once said that it has it: `absent` is then no answer any more. */
  readonly seen: boolean;
}

export interface WaitingPayout extends Identity {
  readonly state: 'waiting';
}
export interface HeldPayout extends Identity {
  readonly state: 'held';
}
export interface InFlightPayout extends Identity {
  readonly state: 'in_flight';
  readonly sending: Sending;
  /** Why only a human can clear it up; null where nobody has to. */
  readonly stuck: string | null;
}
export interface SucceededPayout extends Identity {
  readonly state: 'succeeded';
  readonly sending: Sending;
  readonly endedAt: number;
  readonly fee: Msat;
  readonly preimage: string | null;
}
export interface FailedPayout extends Identity {
  readonly state: 'failed';
  /** Null where it was never sent. */
  readonly sending: Sending | null;
  readonly endedAt: number;
  readonly failure: string;
}

export type OpenPayout = WaitingPayout | HeldPayout | InFlightPayout;
export type Payout = OpenPayout | SucceededPayout | FailedPayout;

export const holdOfPayout = (payout: Pick<Identity, 'amount' | 'maxFee'>): Msat =>
  addMsat(payout.amount, payout.maxFee);
