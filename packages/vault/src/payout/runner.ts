/**
 * Pays sellers what they are owed:
 *
 *   tick: open a payout for whoever is due ▸ held: fix what is paid, durably, then tell the wallet ▸
 *         in_flight: ask the wallet what became of it, for ever, until it proves an end
 *
 * A payout whose fate is unknown keeps its money and its target: whatever is tried again is the same
 * order, which a wallet pays once.
 */
import type { Msat } from '@arbstr/shared';
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { NewId, Time } from '../ports.ts';
import type { PaymentTarget, PayOrder, PayOutcome, Wallet } from '../wallet/wallet.ts';
import type { PayoutQueries, PayoutRecord } from './payout-queries.ts';
import type { TargetOf } from './target.ts';

const TICK_MS = 1_000;
/** One call to the wallet. Giving up on the call is not giving up on the payout. */
const CALL_MAX_MS = 60_000;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 300_000;

export interface RunnerDeps {
  readonly engine: LedgerEngine;
  readonly wallet: Wallet;
  readonly payouts: PayoutQueries;
  readonly targetOf: TargetOf;
  readonly dailyCap: Msat;
  readonly time: Time;
  readonly newId: NewId;
  readonly log: Logger;
  readonly callMaxMs?: number;
}

interface Backoff {
  readonly waitMs: number;
  readonly untilMs: number;
}

export class PayoutRunner {
  readonly #deps: RunnerDeps;
  /** By payout; forgotten with the process, so that a new one asks at once. */
  readonly #backoff = new Map<string, Backoff>();
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#timer = setInterval(() => void this.tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    this.#stop.abort();
    await this.#running;
  }

  /** One round; a round that is still running is joined, not doubled. Never rejects. */
  tick(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #round(): Promise<void> {
    const { payouts, log } = this.#deps;
    try {
      for (const seller of payouts.due()) await this.#open(seller);
      // Each for itself: one seller's wallet call that hangs must not hold up the others.
      await Promise.all(payouts.open().map((payout) => this.#advance(payout)));
    } catch (error) {
      log.error({ err: error }, 'payouts cannot be run; trying again, nothing is lost');
    }
  }

  async #open(seller: string): Promise<void> {
    const { engine, wallet, dailyCap, newId, log } = this.#deps;
    const outcome = await engine.execute({
      kind: 'open_payout',
      payoutId: newId('payout'),
      seller,
      rail: wallet.rail,
      dailyCap,
      feeBound: wallet.feeBoundMsat,
    });
    if (!isRefusal(outcome) && outcome.payoutId !== null) {
      log.info({ payout_id: outcome.payoutId, provider: seller }, 'a payout is due');
    }
  }

  async #advance(payout: PayoutRecord): Promise<void> {
    const { time, log } = this.#deps;
    const now = time.now();
    const waiting = this.#backoff.get(payout.id);
    if (waiting && now < waiting.untilMs) return;
    const waitMs = Math.min((waiting?.waitMs ?? BACKOFF_MIN_MS / 2) * 2, BACKOFF_MAX_MS);
    this.#backoff.set(payout.id, { waitMs, untilMs: now + waitMs });
    try {
      const ended = payout.state === 'held' ? await this.#send(payout) : await this.#track(payout);
      if (ended) this.#backoff.delete(payout.id);
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      log.warn(
        { err: error, payout_id: payout.id },
        'it is not known what became of a payout; its money stays held, asking again',
      );
    }
  }

  /** Fixes what will be paid before anybody is told to pay it. True where it has ended. */
  async #send(payout: PayoutRecord): Promise<boolean> {
    const { engine, wallet, targetOf } = this.#deps;
    const answer = await targetOf(payout.destination, payout.amount);
    if (!answer.ok) {
      const { reason } = answer;
      return this.#end(payout, { state: 'failed', reason });
    }
    const sent = await engine.execute({
      kind: 'send_payout',
      payoutId: payout.id,
      rail: wallet.rail,
      walletIdentity: await wallet.identity(this.#signal()),
      target: answer.target,
    });
    // Refused, or judged otherwise meanwhile: the next round sees what it is.
    if (isRefusal(sent) || !sent.changed) return false;
    return this.#end(payout, await wallet.pay(orderOf(payout, answer.target), this.#signal()));
  }

  async #track(payout: PayoutRecord): Promise<boolean> {
    const { engine, wallet, log } = this.#deps;
    const order = orderOf(payout, JSON.parse(payout.target!) as PaymentTarget);
    if ((await wallet.identity(this.#signal())) !== payout.walletIdentity) {
      log.error(
        { payout_id: payout.id },
        'the wallet is another one than the payout was sent with: look there for it; its money stays held',
      );
      return false;
    }
    const found = await wallet.lookup(order, this.#signal());
    switch (found.state) {
      case 'succeeded':
      case 'failed':
      case 'unknown':
        return this.#end(payout, found);
      case 'pending':
        await engine.execute({ kind: 'see_payout', payoutId: payout.id });
        return false;
      case 'absent':
        if (payout.seen === 0) {
          const paused = engine.paused(wallet.rail);
          if (paused !== null) throw new Error(paused);
          return this.#end(payout, await wallet.pay(order, this.#signal()));
        }
        log.error(
          { payout_id: payout.id },
          'the wallet has forgotten a payout that it had: look there for it; its money stays held',
        );
        return false;
    }
  }

  /** True where the outcome is an end and the books have it. */
  async #end(payout: PayoutRecord, outcome: PayOutcome): Promise<boolean> {
    const { engine, wallet, log } = this.#deps;
    const { id: payoutId, seller: provider } = payout;
    const { rail } = wallet;
    if (outcome.state === 'unknown') {
      log.warn({ payout_id: payoutId, reason: outcome.reason }, 'a payout is not resolved yet');
      return false;
    }
    const ended = await engine.execute({ kind: 'end_payout', payoutId, rail, outcome });
    if (isRefusal(ended)) return false;
    if (outcome.state === 'failed') {
      log.warn({ payout_id: payoutId, provider, reason: outcome.reason }, 'a payout failed');
    } else {
      const { amount: amount_msat } = payout;
      const overcharged = outcome.feeMsat > payout.maxFee;
      const line = { payout_id: payoutId, provider, amount_msat, fee_msat: outcome.feeMsat };
      if (overcharged) log.error(line, 'the wallet took a higher fee than it was allowed');
      log.info(line, 'a seller was paid');
    }
    return true;
  }

  #signal(): AbortSignal {
    const timeout = AbortSignal.timeout(this.#deps.callMaxMs ?? CALL_MAX_MS);
    return AbortSignal.any([timeout, this.#stop.signal]);
  }
}

const orderOf = (payout: PayoutRecord, target: PaymentTarget): PayOrder => ({
  reference: payout.id,
  target,
  amountMsat: payout.amount,
  maxFeeMsat: payout.maxFee,
});
