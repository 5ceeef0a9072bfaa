/**
 * A deposit: somebody outside pays the vault for an agent.
 *
 *   (invoice) ─▶ pending ─┬─▶ settled              paid: credited with what came
 *                         └─▶ expired ─▶ settled   paid all the same, late: nothing is ever lost
 *
 *   (ecash) ─▶ pending ─┬─▶ settled                the mint gave us its worth
 *                       └─▶ failed                 proven: this token gives us nothing
 *
 * settled and failed are final. A deposit is credited in the tx that makes it settled, and its
 * receipt's index, from which the vault asks on, stands in the same row.
 */
import type { Msat } from '@arbstr/shared';
import type { Rail } from '../wallet/wallet.ts';

export const DEPOSIT_STATES = ['pending', 'settled', 'expired', 'failed'] as const;
export type DepositState = (typeof DEPOSIT_STATES)[number];

/** Largest single deposit by invoice: 1 BTC. */
export const INVOICE_DEPOSIT_MSAT_MAX = 100_000_000_000;
/** Ecash is a claim on the mint, so the vault takes less of it at once: 0.01 BTC. */
export const ECASH_DEPOSIT_MSAT_MAX = 1_000_000_000;
/** Invoices of one agent that wait at the same time. */
export const PENDING_DEPOSITS_MAX = 100;
export const EXPIRY_SECS = { min: 60, max: 86_400, default: 3_600 } as const;

interface Identity {
  readonly id: string;
  readonly agentNo: number;
  readonly rail: Rail;
  /** What was asked for, or what the token says it is worth. */
  readonly amount: Msat;
  readonly source: InvoiceSource | EcashSource;
  readonly correlationId: string;
  readonly createdAt: number;
}

export interface InvoiceSource {
  readonly type: 'invoice';
  readonly paymentRequest: string;
  readonly paymentHash: string;
  readonly expiresAt: number;
}

export interface EcashSource {
  readonly type: 'cashu_token';
  /** The ecash itself; forgotten once the deposit has ended. Only its hash is in the audit trail. */
  readonly token: string | null;
  readonly tokenHash: string;
  /** The same for every spelling of the same proofs. */
  readonly tokenKey: string;
}

export interface PendingDeposit extends Identity {
  readonly state: 'pending';
}
export interface ExpiredDeposit extends Identity {
  readonly state: 'expired';
}
export interface SettledDeposit extends Identity {
  readonly state: 'settled';
  readonly endedAt: number;
  readonly received: Msat;
  /** Of its receipt; null for ecash. */
  readonly receiptIndex: number | null;
  /** What the agent had available right after. */
  readonly balanceAfter: Msat;
}
export interface FailedDeposit extends Identity {
  readonly state: 'failed';
  readonly endedAt: number;
  readonly failure: string;
}

export type OpenDeposit = PendingDeposit | ExpiredDeposit;
export type Deposit = OpenDeposit | SettledDeposit | FailedDeposit;
