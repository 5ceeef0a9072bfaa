/**
 * Watches for money that comes in:
 *
 *   round: expire what nobody paid ▸ go on with each ecash whose fate is open, as a task of its own ▸
 *          receipts after the last credited one ▸ credit each, in order
 *
 * A mint or a wallet that hangs or fails holds up nothing but what it was asked for.
 */
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { Time } from '../ports.ts';
import { decodeToken } from '../wallet/ecash.ts';
import type { Receipt, Receiver } from '../wallet/receiver.ts';
import { Rounds } from '../worker/rounds.ts';
import type { RunnerTiming } from '../worker/runner.ts';
import { Tasks } from '../worker/tasks.ts';
import type { DepositQueries } from './deposit-queries.ts';

const ROUND_MS = 1_000;
/** In one question to the wallet, one tx, or one round; what is left follows at once. */
const BATCH_MAX = 100;

export interface WatcherDeps {
  readonly engine: LedgerEngine;
  readonly receiver: Receiver;
  readonly deposits: DepositQueries;
  readonly time: Time;
  readonly log: Logger;
  readonly timing: RunnerTiming;
}

export class DepositWatcher {
  readonly #deps: WatcherDeps;
  readonly #tasks: Tasks;
  readonly #rounds = new Rounds(() => this.#round());
  /** Of the last receipt that was dealt with, whoever it was for. */
  #lastIndex: number;
  #afterEcash = '';
  /** Steps that failed the last time, so that each is told once. */
  readonly #failing = new Set<string>();

  constructor(deps: WatcherDeps) {
    this.#deps = deps;
    this.#tasks = new Tasks({ ...deps, what: 'deposit' });
    this.#lastIndex = deps.deposits.lastReceipt(deps.receiver.rail);
  }

  start(): void {
    this.#rounds.start(ROUND_MS);
  }

  async stop(): Promise<void> {
    const over = this.#rounds.stop();
    await this.#tasks.stop();
    await over;
  }

  /** One round that begins now or later; resolves when all that it asked for has ended. */
  async tick(): Promise<void> {
    await this.look();
    await this.#tasks.idle();
  }

  /** A round that begins now or later, without waiting for ecash. */
  async look(): Promise<void> {
    await this.#rounds.idle();
    await this.#rounds.tick();
  }

  /** Asks the mint now; resolves at the deposit's end, or when the caller has waited long enough. */
  redeemNow(depositId: string): Promise<void> {
    return this.#tasks.now(depositId, () => this.#redeem(depositId), this.#deps.timing.answerMs);
  }

  async #round(): Promise<void> {
    await this.#step('expired', () => this.#expire());
    await this.#step('redeemed', async () => this.#beginRedeeming());
    await this.#step('credited', () => this.#credit());
  }

  async #step(what: string, step: () => Promise<void>): Promise<void> {
    try {
      await step();
      this.#failing.delete(what);
    } catch (error) {
      if (this.#failing.has(what)) return;
      this.#failing.add(what);
      const said = `deposits cannot be ${what}; trying again, nothing is lost`;
      this.#deps.log.error({ err: error }, said);
    }
  }

  async #credit(): Promise<void> {
    for (;;) {
      const receipts = await this.#tasks.call((signal) =>
        this.#deps.receiver.receiptsAfter(this.#lastIndex, BATCH_MAX, signal),
      );
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

  #beginRedeeming(): void {
    const ids = this.#deps.deposits.pendingEcashIds(this.#afterEcash, BATCH_MAX);
    this.#afterEcash = ids.length < BATCH_MAX ? '' : ids.at(-1)!;
    for (const id of ids) {
      if (this.#tasks.isDue(id)) void this.#tasks.begin(id, () => this.#redeem(id));
    }
  }

  /**
   * Its intent is durable, and the same reference gets the same answer from the mint, so this may be
   * done again after any crash. Null at its end; else it stays pending, for this reason.
   */
  async #redeem(depositId: string): Promise<string | null> {
    const { engine, receiver, deposits } = this.#deps;
    const deposit = deposits.find(depositId);
    if (deposit?.state !== 'pending' || deposit.token === null) return null;
    const decoded = decodeToken(deposit.token);
    if (!decoded.ok) return decoded.message;
    const { token } = decoded;
    const answer = await this.#tasks.call((signal) => receiver.redeem(depositId, token, signal));
    const ended =
      answer.state === 'redeemed' && answer.receivedMsat > 0
        ? await engine.execute({ kind: 'settle_ecash', depositId, received: answer.receivedMsat })
        : await engine.execute({
            kind: 'fail_deposit',
            depositId,
            reason: answer.state === 'refused' ? answer.reason : 'fees took all of it',
          });
    return isRefusal(ended) ? ended.message : null;
  }
}
