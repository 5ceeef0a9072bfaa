/**
 * Brings payments to their end, for ever: what is held is sent, what is in flight is asked for until
 * the wallet proves what became of it. Unknown is not failed: it only means that we ask again, with
 * a backoff and without an age limit, also after a restart.
 *
 *   held       ▸ in_flight (durable) ▸ wallet.pay ▸ proven? ▸ end
 *   in_flight  ▸ same wallet? ▸ wallet.lookup ─┬ succeeded, failed ▸ end
 *                                              ├ pending           ▸ seen, ask again later
 *                                              ├ absent, never seen ▸ send the same order again, but
 *                                              │   not in recovery mode or on a frozen rail
 *                                              ├ absent, but seen  ▸ stuck: a human must look
 *                                              └ unknown           ▸ ask again later
 */
import { hash } from 'node:crypto';
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { Time } from '../ports.ts';
import type { LookupOutcome, PayOutcome, Wallet } from '../wallet/wallet.ts';
import { type HeldPayment, type InFlightPayment, orderOf } from './payment.ts';
import type { PaymentQueries } from './payment-queries.ts';

export interface PaymentTiming {
  /** How long a caller of `pay` waits for the end before it is told that the payment is pending. */
  readonly answerMs: number;
  /** After which a wallet's silence counts as unknown. */
  readonly callMs: number;
}
export const PAYMENT_TIMING: PaymentTiming = { answerMs: 10_000, callMs: 60_000 };

const TICK_MS = 500;
const BACKOFF_MIN_MS = 1_000;
/** Payments that hang are asked for at least this often. */
const BACKOFF_MAX_MS = 300_000;
/** Calls to the wallet at once; what is more waits in the ledger. */
const RUNNING_MAX = 256;
/** Open payments looked at in one round; the next round goes on behind them. */
const ROUND_MAX = 1_000;
/** How long a stop waits for calls under way; what has not answered is unknown, and asked for later. */
const STOP_WAIT_MS = 2_000;

export interface RunnerDeps {
  readonly engine: LedgerEngine;
  readonly wallet: Wallet;
  readonly payments: PaymentQueries;
  readonly time: Time;
  readonly log: Logger;
  readonly timing: PaymentTiming;
}

interface Backoff {
  readonly tries: number;
  readonly nextMs: number;
}

export class PaymentRunner {
  readonly #deps: RunnerDeps;
  readonly #running = new Map<string, Promise<void>>();
  readonly #backoff = new Map<string, Backoff>();
  readonly #stuck = new Map<string, string>();
  readonly #stopping = new AbortController();
  #after = '';
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
  }

  /** Payments that only a human can clear up, with the reason. */
  get stuck(): ReadonlyMap<string, string> {
    return this.#stuck;
  }

  start(): void {
    this.#timer = setInterval(() => this.#round(), TICK_MS);
  }

  /** One round; resolves when everything that it began has answered or was given up. */
  async tick(): Promise<void> {
    this.#round();
    await Promise.all(this.#running.values());
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    const running = Promise.all(this.#running.values());
    const waited = setTimeout(() => this.#stopping.abort(), STOP_WAIT_MS);
    await running;
    clearTimeout(waited);
    this.#stopping.abort();
  }

  /** Sends a held payment now; resolves at its end, or when the caller has waited long enough. */
  async sendNow(paymentId: string): Promise<void> {
    this.#begin(paymentId);
    const running = this.#running.get(paymentId);
    if (running === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#deps.timing.answerMs);
    });
    await Promise.race([running, patience]);
    clearTimeout(timer);
  }

  #round(): void {
    const { payments, time, log } = this.#deps;
    try {
      const open = payments.open(this.#after, ROUND_MAX);
      this.#after = open.length < ROUND_MAX ? '' : open.at(-1)!.id;
      for (const { id } of open) {
        if ((this.#backoff.get(id)?.nextMs ?? 0) <= time.now()) this.#begin(id);
      }
    } catch (error) {
      log.error({ err: error }, 'open payments cannot be read; they are tried again');
    }
  }

  #begin(id: string): void {
    if (this.#stopping.signal.aborted || this.#running.has(id)) return;
    if (this.#running.size >= RUNNING_MAX) return;
    const running = this.#bringOn(id)
      .catch((error) => this.#later(id, error))
      .finally(() => this.#running.delete(id));
    this.#running.set(id, running);
  }

  async #bringOn(id: string): Promise<void> {
    const payment = this.#deps.payments.find(id);
    if (payment?.state === 'held') await this.#send(payment);
    else if (payment?.state === 'in_flight') await this.#track(payment);
    else this.#forget(id);
  }

  async #send(payment: HeldPayment): Promise<void> {
    const { engine, wallet } = this.#deps;
    const walletIdentity = await this.#call((signal) => wallet.identity(signal));
    const sent = await engine.execute({
      kind: 'send_payment',
      paymentId: payment.id,
      walletIdentity,
    });
    if (isRefusal(sent)) return this.#later(payment.id, sent.message);
    await this.#pay(sent.payment);
  }

  /** The same order as ever, so that a wallet that has it already does not pay it again. */
  async #pay(payment: InFlightPayment): Promise<void> {
    const { engine, wallet } = this.#deps;
    const paused = engine.paused(payment.rail);
    if (paused !== null) return this.#later(payment.id, paused);
    const outcome = await this.#ask((signal) => wallet.pay(orderOf(payment), signal));
    await this.#take(payment, outcome);
  }

  async #track(payment: InFlightPayment): Promise<void> {
    const { engine, wallet } = this.#deps;
    const identity = await this.#call((signal) => wallet.identity(signal));
    if (identity !== payment.walletIdentity) {
      return this.#giveToHuman(payment.id, `it was sent by another wallet (${identity} is here)`);
    }
    const outcome = await this.#ask((signal) => wallet.lookup(orderOf(payment), signal));
    switch (outcome.state) {
      case 'pending':
        await engine.execute({ kind: 'see_payment', paymentId: payment.id });
        return this.#later(payment.id, 'still in flight');
      case 'absent':
        if (!payment.seen) return this.#pay(payment);
        return this.#giveToHuman(payment.id, 'the wallet had it and has no record of it any more');
      default:
        return this.#take(payment, outcome);
    }
  }

  async #take(payment: InFlightPayment, outcome: PayOutcome): Promise<void> {
    const { engine, log } = this.#deps;
    const { id } = payment;
    if (outcome.state === 'unknown') return this.#later(id, outcome.reason);
    if (outcome.state === 'succeeded' && !this.#isProven(payment, outcome.preimage)) {
      return this.#giveToHuman(id, 'the wallet says that it succeeded and shows a wrong preimage');
    }
    const ended = await engine.execute({ kind: 'end_payment', paymentId: id, result: outcome });
    if (isRefusal(ended)) return this.#later(id, ended.message);
    if (ended.contradicted) {
      log.error(
        { payment_id: id, state: ended.state, wallet_says: outcome },
        'a wallet contradicts the end that it had proven; the books stand, look at the wallet',
      );
    }
    if (ended.excess > 0) {
      log.error(
        { payment_id: id, excess_msat: ended.excess },
        'a wallet took more fees than it was allowed; the agent did not pay them, the rail is frozen',
      );
    }
    this.#forget(id);
  }

  #isProven({ destination }: InFlightPayment, preimage: string | null): boolean {
    if (!this.#deps.wallet.provesPayments || destination.paymentHash === null) return true;
    if (preimage === null) return false;
    return hash('sha256', Buffer.from(preimage, 'hex')) === destination.paymentHash;
  }

  #later(id: string, reason: unknown): void {
    const { time, log } = this.#deps;
    const tries = (this.#backoff.get(id)?.tries ?? 0) + 1;
    const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(tries - 1, 20));
    this.#backoff.set(id, { tries, nextMs: time.now() + waitMs });
    log.warn({ payment_id: id, reason, tries, again_in_ms: waitMs }, 'a payment is not at its end');
  }

  #giveToHuman(id: string, reason: string): void {
    if (this.#stuck.get(id) !== reason) {
      this.#stuck.set(id, reason);
      this.#deps.log.error(
        { payment_id: id, reason },
        'a payment is stuck: its money stays held until the wallet proves what became of it',
      );
    }
    this.#later(id, reason);
  }

  #forget(id: string): void {
    this.#backoff.delete(id);
    this.#stuck.delete(id);
  }

  /** What a wallet says; silence and errors say nothing. */
  async #ask<T extends LookupOutcome>(
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | PayOutcome> {
    try {
      return await this.#call(call);
    } catch (error) {
      return { state: 'unknown', reason: (error as Error).message };
    }
  }

  /** Bounded also where the wallet ignores the signal. */
  async #call<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const signal = AbortSignal.any([
      AbortSignal.timeout(this.#deps.timing.callMs),
      this.#stopping.signal,
    ]);
    let onAbort = () => {};
    const silence = new Promise<never>((_, reject) => {
      onAbort = () => reject(new Error('the wallet did not answer'));
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([call(signal), silence]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
