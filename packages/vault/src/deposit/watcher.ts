/**
 * Watches for money that comes in:
 *
 *   tick: receipts after the last credited one ▸ credit each, in order ▸ expire what nobody paid ▸
 *         go on with ecash whose fate a crash has left open
 */
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import { decodeToken } from '../wallet/ecash.ts';
import type { Receipt, Receiver } from '../wallet/receiver.ts';
import type { DepositQueries } from './deposit-queries.ts';
import { redeemEcash } from './redeem.ts';

const TICK_MS = 1_000;
/** In one question to the wallet, one tx, or one round; what is left follows at once. */
const BATCH_MAX = 100;

export interface WatcherDeps {
  readonly engine: LedgerEngine;
  readonly receiver: Receiver;
  readonly deposits: DepositQueries;
  readonly log: Logger;
}

export class DepositWatcher {
  readonly #deps: WatcherDeps;
  /** Of the last receipt that was dealt with, whoever it was for. */
  #lastIndex: number;
  #failing = false;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(deps: WatcherDeps) {
    this.#deps = deps;
    this.#lastIndex = deps.deposits.lastReceipt(deps.receiver.rail);
  }

  start(): void {
    this.#timer = setInterval(() => void this.tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }

  /** One round that begins now or later; never rejects: the next round tries again. */
  async tick(): Promise<void> {
    await this.#running;
    this.#running ??= this.#round().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #round(): Promise<void> {
    const { log } = this.#deps;
    try {
      await this.#credit();
      await this.#expire();
      await this.#redeem();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        log.error({ err: error }, 'deposits cannot be watched; trying again, nothing is lost');
      }
      this.#failing = true;
    }
  }

  async #credit(): Promise<void> {
    for (;;) {
      const receipts = await this.#deps.receiver.receiptsAfter(this.#lastIndex, BATCH_MAX);
      for (const receipt of receipts) if (!(await this.#creditOne(receipt))) return;
      if (receipts.length < BATCH_MAX) return;
    }
  }

  /** False where it must be tried again before any later one. */
  async #creditOne({ index, paymentHash, receivedMsat }: Receipt): Promise<boolean> {
    const { engine, log } = this.#deps;
    const outcome = await engine.execute({
      kind: 'credit_receipt',
      paymentHash,
      received: receivedMsat,
      receiptIndex: index,
    });
    if (isRefusal(outcome)) {
      log.warn({ payment_hash: paymentHash, refused: outcome }, 'a receipt is not credited yet');
      return false;
    }
    if (outcome.deposit === null) {
      log.warn(
        { payment_hash: paymentHash, received_msat: receivedMsat },
        'money came in that no deposit asked for; it is credited to nobody',
      );
    } else if (outcome.credited) {
      log.info({ deposit_id: outcome.deposit, received_msat: receivedMsat }, 'a deposit came in');
    }
    this.#lastIndex = index;
    return true;
  }

  async #expire(): Promise<void> {
    for (;;) {
      const outcome = await this.#deps.engine.execute({
        kind: 'expire_deposits',
        depositsMax: BATCH_MAX,
      });
      if (isRefusal(outcome) || outcome.expired.length < BATCH_MAX) return;
    }
  }

  async #redeem(): Promise<void> {
    for (const { id, token } of this.#deps.deposits.pendingEcash(BATCH_MAX)) {
      const decoded = decodeToken(token ?? '');
      if (!decoded.ok) throw new Error(`deposit ${id} has a token that cannot be read`);
      await redeemEcash(this.#deps, id, decoded.token);
    }
  }
}
