/**
 * What the vault needs to be paid: the other half of the wallet port. Money that arrived is told as
 * receipts with a growing index, so that after any crash the vault asks on from the last one that it
 * has credited. An index may have gaps, and a receipt may be told twice.
 * A method that throws, or has not answered when the signal aborts, has said nothing.
 */
import type { Msat } from '@arbstr/shared';
import type { EcashToken } from './ecash.ts';
import type { Rail } from './wallet.ts';

export interface InvoiceOrder {
  readonly amountMsat: Msat;
  readonly description: string;
  readonly createdAtMs: number;
  readonly expirySecs: number;
}

export interface NewPaymentRequest {
  readonly invoice: string;
  /** Hex, 32 bytes. */
  readonly paymentHash: string;
}

/** An invoice was paid, finally: what only waits (a hold invoice) is no receipt. */
export interface Receipt {
  readonly index: number;
  readonly paymentHash: string;
  /** What came, which may be more than was asked for. */
  readonly receivedMsat: Msat;
}

export type RedeemOutcome =
  | { readonly state: 'redeemed'; readonly receivedMsat: Msat }
  /** Proven: this token gave nothing and never will to this reference. */
  | { readonly state: 'refused'; readonly reason: string };

export interface Receiver {
  readonly rail: Rail;
  /** The only mint whose ecash is taken; null where none is. */
  readonly mintUrl: string | null;
  createInvoice(order: InvoiceOrder, signal: AbortSignal): Promise<NewPaymentRequest>;
  /** Ascending by index. */
  receiptsAfter(index: number, max: number, signal: AbortSignal): Promise<Receipt[]>;
  /** Takes the ecash. The same reference gets the same answer, however often it asks. */
  redeem(reference: string, token: EcashToken, signal: AbortSignal): Promise<RedeemOutcome>;
}
