/**
 * A wallet without a network: pays every well-formed order at once, for no fee, from a purse that
 * never runs out. It keeps books of its own, so that a vault that dies and comes back finds what it
 * had paid. Its preimages prove nothing.
 */
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Msat, msat, ZERO_MSAT } from '@arbstr/shared';
import type { RandomBytes, Time } from '../../ports.ts';
import {
  type LookupOutcome,
  orderKey,
  type PayOrder,
  type PayOutcome,
  type Wallet,
} from '../wallet.ts';
import { type BookedPayment, openBook, type WalletBook } from './book.ts';
import { FAULTLESS, type FaultPlan, type FaultsOf } from './fault.ts';
import { issueToken } from './token.ts';

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

export class SimulatedWallet implements Wallet {
  readonly rail = 'simulated';
  readonly provesPayments = false;
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

  close(): void {
    this.#book.close();
  }

  #planOf(order: PayOrder): FaultPlan {
    return this.#deps.faultsOf?.(order) ?? FAULTLESS;
  }

  #isExpired({ target }: PayOrder): boolean {
    return target.type === 'lightning_invoice' && target.expiresAtMs <= this.#deps.time.now();
  }

  #settle(order: PayOrder, feeMsat: Msat): PayOutcome {
    const ecash = order.target.type === 'cashu_token';
    return succeeded(
      this.#write(order, {
        state: 'succeeded',
        fee: feeMsat,
        preimage: ecash ? null : hash('sha256', `${this.#book.identity} ${orderKey(order)}`),
        token: ecash ? issueToken(order.amountMsat, this.#deps.randomBytes) : null,
      }),
    );
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
