/**
 * A wallet without a network: pays every well-formed order at once, for no fee, from a purse that
 * never runs out. It keeps books of its own, so that a vault that dies and comes back finds what it
 * had paid. Its preimages prove nothing, but those of its own invoices: an order to pay one of them
 * pays it, once, and is how money moves between agents by invoice.
 */
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Msat, msat, ZERO_MSAT } from '@arbstr/shared';
import { encodeInvoice } from '../../bolt11/encode.ts';
import type { RandomBytes, Time } from '../../ports.ts';
import type { EcashToken } from '../ecash.ts';
import type {
  InvoiceOrder,
  NewPaymentRequest,
  Receipt,
  Receiver,
  RedeemOutcome,
} from '../receiver.ts';
import {
  type LookupOutcome,
  orderKey,
  type PayOrder,
  type PayOutcome,
  type Wallet,
} from '../wallet.ts';
import { type BookedPayment, type OwnInvoice, openBook, type WalletBook } from './book.ts';
import { FAULTLESS, type FaultPlan, type FaultsOf } from './fault.ts';
import { issueToken, SIMULATED_MINT_URL } from './token.ts';

export interface SimulatedWalletDeps {
  /** Its own file. */
  readonly path: string;
  readonly time: Time;
  readonly randomBytes: RandomBytes;
  /** Null: it never misbehaves. */
  readonly faultsOf: FaultsOf | null;
}

/** Unknown rather than wrong: what the adapter of a real wallet says of an error it does not know. */
const BROKEN: PayOutcome = { state: 'unknown', reason: 'the wallet answered with an error' };
/** An overcharging wallet takes so much more than it was allowed. */
const OVERCHARGE_MSAT = 1_000;

/** Regtest: nobody can pay such an invoice with money. */
const INVOICE_NETWORK = 'regtest';
const FINAL_CLTV_DELTA = 18;

export class SimulatedWallet implements Wallet, Receiver {
  readonly rail = 'simulated';
  readonly provesPayments = false;
  readonly mintUrl = SIMULATED_MINT_URL;
  readonly feeBoundMsat: Msat | null;
  readonly #deps: SimulatedWalletDeps;
  readonly #book: WalletBook;

  constructor(deps: SimulatedWalletDeps) {
    this.#deps = deps;
    // Scripted ones may charge, so there the order's own limit counts, as with a real wallet.
    this.feeBoundMsat = deps.faultsOf === null ? ZERO_MSAT : null;
    this.#book = openBook(
      deps.path,
      () => `simulated-${Buffer.from(deps.randomBytes(16)).toString('hex')}`,
    );
  }

  async identity(): Promise<string> {
    return this.#book.identity;
  }

  async balanceMsat(): Promise<null> {
    return null;
  }

  async pay(order: PayOrder, signal: AbortSignal): Promise<PayOutcome> {
    const plan = this.#planOf(order);
    if (plan.delayMs > 0) await sleep(plan.delayMs, undefined, { signal });
    const known = this.#book.find(orderKey(order));
    if (known?.state === 'succeeded') return succeeded(known);
    if (this.#isExpired(order)) return this.#fail(order, 'the invoice has expired');
    switch (plan.fault) {
      case 'fail':
        return this.#fail(order, 'the simulated wallet was told to refuse');
      case 'hang':
        return never(signal);
      case 'pay_then_hang':
        this.#settle(order, plan.feeMsat);
        return never(signal);
      case 'error':
        return BROKEN;
      case 'pay_then_error':
        this.#settle(order, plan.feeMsat);
        return BROKEN;
      case 'pending':
        this.#write(order, { state: 'pending' });
        return { state: 'unknown', reason: 'still in flight' };
      case 'fail_then_pay':
        this.#settle(order, plan.feeMsat);
        return { state: 'failed', reason: 'no route' };
      case 'forget':
        this.#write(order, { state: 'pending' });
        return BROKEN;
      case 'overcharge':
        return this.#settle(order, msat(order.maxFeeMsat + OVERCHARGE_MSAT));
      case null:
        return this.#settle(order, plan.feeMsat);
    }
  }

  async lookup(order: PayOrder, signal: AbortSignal): Promise<LookupOutcome> {
    const plan = this.#planOf(order);
    if (plan.fault === 'hang') return never(signal);
    if (plan.fault === 'error') return BROKEN;
    if (plan.fault === 'forget') return { state: 'absent' };
    const known = this.#book.find(orderKey(order));
    switch (known?.state) {
      case undefined:
        return { state: 'absent' };
      case 'pending':
        return plan.fault === 'pending' ? { state: 'pending' } : this.#settle(order, plan.feeMsat);
      case 'succeeded':
        return succeeded(known);
      case 'failed':
        return { state: 'failed', reason: known.reason ?? 'failed' };
    }
  }

  async createInvoice(order: InvoiceOrder): Promise<NewPaymentRequest> {
    const preimage = this.#deps.randomBytes(32);
    const paymentHash = hash('sha256', preimage);
    const secretKey = hash('sha256', `${this.#book.identity} node key`, 'buffer');
    const invoice = encodeInvoice(
      {
        ...order,
        network: INVOICE_NETWORK,
        paymentHash,
        paymentSecret: Buffer.from(this.#deps.randomBytes(32)).toString('hex'),
        minFinalCltvDelta: FINAL_CLTV_DELTA,
      },
      secretKey,
    );
    this.#book.addInvoice({
      payment_hash: paymentHash,
      invoice,
      preimage: Buffer.from(preimage).toString('hex'),
      amount: order.amountMsat,
    });
    return { invoice, paymentHash };
  }

  async receiptsAfter(index: number, max: number): Promise<Receipt[]> {
    return this.#book.receiptsAfter(index, max).map((invoice) => ({
      index: invoice.receipt!,
      paymentHash: invoice.payment_hash,
      receivedMsat: msat(invoice.received!),
    }));
  }

  /**
   * Somebody outside pays one of our invoices. False where it is not ours, was paid before, or is
   * paid too little.
   */
  receive(paymentHash: string, amount: Msat): boolean {
    const invoice = this.#book.findInvoice(paymentHash);
    if (invoice === undefined || amount < invoice.amount) return false;
    return this.#book.receive(paymentHash, amount);
  }

  async redeem(reference: string, token: EcashToken): Promise<RedeemOutcome> {
    return this.#book.together((): RedeemOutcome => {
      const reason = this.#refusal(token, reference);
      if (reason !== null) return { state: 'refused', reason };
      for (const { secret } of token.proofs) this.#book.spendProof(secret, reference);
      return { state: 'redeemed', receivedMsat: token.amountMsat };
    });
  }

  close(): void {
    this.#book.close();
  }

  /** @param reference under which a spent proof is still good */
  #refusal(token: EcashToken, reference: string): string | null {
    let worth = 0;
    for (const { secret, signature, amount } of token.proofs) {
      const issued = this.#book.findProof(secret);
      if (issued?.signature !== signature || issued.amount !== amount) {
        return 'the mint has not issued this token';
      }
      if (issued.spent_by !== null && issued.spent_by !== reference) {
        return 'the token was spent before';
      }
      worth += issued.amount;
    }
    // What was issued counts, in msat, whatever unit the token claims.
    return worth === token.amountMsat ? null : 'the token is not worth what it says';
  }

  #planOf(order: PayOrder): FaultPlan {
    return this.#deps.faultsOf?.(order) ?? FAULTLESS;
  }

  #isExpired({ target }: PayOrder): boolean {
    return target.type === 'lightning_invoice' && target.expiresAtMs <= this.#deps.time.now();
  }

  #settle(order: PayOrder, feeMsat: Msat): PayOutcome {
    return this.#book.together(() => {
      if (order.target.type === 'cashu_token') return this.#issue(order, feeMsat);
      const own = this.#book.findInvoice(orderKey(order));
      if (own !== undefined) return this.#payOwn(order, own, feeMsat);
      const preimage = hash('sha256', `${this.#book.identity} ${orderKey(order)}`);
      return succeeded(this.#write(order, { state: 'succeeded', fee: feeMsat, preimage }));
    });
  }

  #issue(order: PayOrder, feeMsat: Msat): PayOutcome {
    const { text, secret, signature } = issueToken(order.amountMsat, this.#deps.randomBytes);
    this.#book.addProof({ secret, signature, amount: order.amountMsat });
    return succeeded(this.#write(order, { state: 'succeeded', fee: feeMsat, token: text }));
  }

  /** Compared as a whole: another invoice may carry the hash of ours and pay somebody else. */
  #payOwn(order: PayOrder, own: OwnInvoice, feeMsat: Msat): PayOutcome {
    const { target } = order;
    if (target.type !== 'lightning_invoice' || target.invoice.toLowerCase() !== own.invoice) {
      return this.#fail(order, 'another invoice than the one that this wallet made for this hash');
    }
    if (order.amountMsat < own.amount) return this.#fail(order, 'less than the invoice asks for');
    if (!this.#book.receive(own.payment_hash, order.amountMsat)) {
      return this.#fail(order, 'the invoice has been paid before');
    }
    const { preimage } = own;
    return succeeded(this.#write(order, { state: 'succeeded', fee: feeMsat, preimage }));
  }

  #fail(order: PayOrder, reason: string): PayOutcome {
    this.#write(order, { state: 'failed', reason });
    return { state: 'failed', reason };
  }

  #write(
    order: PayOrder,
    change: Pick<BookedPayment, 'state'> & Partial<BookedPayment>,
  ): BookedPayment {
    const payment: BookedPayment = {
      key: orderKey(order),
      reference: order.reference,
      amount: order.amountMsat,
      fee: 0,
      preimage: null,
      token: null,
      reason: null,
      ...change,
    };
    this.#book.write(payment);
    return payment;
  }
}

function succeeded({ preimage, fee, token }: BookedPayment): PayOutcome {
  return { state: 'succeeded', preimage, feeMsat: msat(fee), token };
}

/** Until the caller has given up. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
