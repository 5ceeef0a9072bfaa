/**
 * What the vault needs from whatever really moves money: the port that each rail's wallet fills.
 *
 * The one rule that everything else rests on: a wallet pays one key at most once. The key is the
 * payment hash where there is an invoice, else our reference; a key that has *failed* may be paid
 * again. So sending the same order once more is always safe, and is how an order whose fate nobody
 * recorded is brought to its end.
 *
 * A method that throws, or does not answer in time, has said nothing: the outcome is unknown. What
 * an adapter cannot classify is unknown too. Only `failed` gives money back.
 */
import type { Msat } from '@arbstr/shared';

export const RAILS = ['simulated'] as const;
export type Rail = (typeof RAILS)[number];

export type PaymentTarget =
  | {
      readonly type: 'lightning_invoice';
      readonly invoice: string;
      /** Hex, 32 bytes. */
      readonly paymentHash: string;
      /** Unix ms; a wallet refuses an expired invoice by itself, as `failed`. */
      readonly expiresAtMs: number;
    }
  | { readonly type: 'lightning_address'; readonly address: string }
  /** Ecash to the bearer; the token is in the outcome. */
  | { readonly type: 'cashu_token' };

/** One payment. Everything in it was durable before the wallet sees it. */
export interface PayOrder {
  /** The vault's own id of the payment. */
  readonly reference: string;
  readonly target: PaymentTarget;
  readonly amountMsat: Msat;
  /** The most that may be paid in fees on top. */
  readonly maxFeeMsat: Msat;
}

export interface Succeeded {
  readonly state: 'succeeded';
  /** Hex, 32 bytes. Null where nothing is proven by one (ecash). */
  readonly preimage: string | null;
  readonly feeMsat: Msat;
  /** The ecash, where that was asked for. */
  readonly token: string | null;
}

/** Proven: this order moved nothing and never will. */
export interface Failed {
  readonly state: 'failed';
  readonly reason: string;
}

/** Nobody can say (yet). The money stays held. */
export interface Unknown {
  readonly state: 'unknown';
  readonly reason: string;
}

export type PayOutcome = Succeeded | Failed | Unknown;

export type LookupOutcome =
  | PayOutcome
  /** The wallet has it and is still at it. */
  | { readonly state: 'pending' }
  /** The wallet has no record of it. That proves nothing where it had one before. */
  | { readonly state: 'absent' };

export interface Wallet {
  readonly rail: Rail;
  /** Whether sha256(preimage) is the payment hash here, so that success can be checked. */
  readonly provesPayments: boolean;
  /**
   * Names this very wallet (a node's public key). Another answer than the one that an open payment
   * was sent under means that the wallet was swapped or lost its memory.
   */
  identity(signal: AbortSignal): Promise<string>;
  /** The most that any payment costs in fees here; null where only the order's limit bounds it. */
  readonly feeBoundMsat: Msat | null;
  pay(order: PayOrder, signal: AbortSignal): Promise<PayOutcome>;
  /** What became of an order. Never moves money. */
  lookup(order: PayOrder, signal: AbortSignal): Promise<LookupOutcome>;
  /** What the wallet could pay out at most, msat; null where it has no limit (simulated). */
  balanceMsat(signal: AbortSignal): Promise<Msat | null>;
  close(): void;
}

/** Under which a wallet must not pay twice. */
export function orderKey(order: PayOrder): string {
  return order.target.type === 'lightning_invoice' ? order.target.paymentHash : order.reference;
}
