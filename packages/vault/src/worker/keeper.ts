/**
 * Keeps time for the ledger: returns holds that nobody ended in time, writes that the vault is
 * alive, and gives every open hold more time where the vault could not be reached or could not
 * write: its own absence must end nobody's hold.
 *
 *   tick: away too long or disk failing? ▸ prolong ▸ heartbeat where nothing was written lately ▸
 *         expire what is due, batch after batch ▸ end approvals that nobody gave in time ▸
 *         forget idempotency keys past their time
 */
import type { Logger } from 'pino';
import { isRefusal, StartError } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import { REPLAY_KEYS_KEPT_MS } from '../ledger/replay-key.ts';
import type { Time } from '../ports.ts';
import { Rounds } from './rounds.ts';

const TICK_MS = 500;
/** The disk knows the vault's last moment to this precision. */
const HEARTBEAT_MS = 1_000;
/** A longer silence than this means that callers could not reach us (a pause, a restart). */
const AWAY_MS = 10_000;
/** What a hold gets on top of the absence, so that its core can find us again and extend it. */
export const GRACE_MS = 60_000;
/** Holds in one transaction; the rest follows at once in the next. */
const EXPIRE_BATCH_MAX = 256;
/** Approvals in one transaction. */
const TIME_OUT_BATCH_MAX = 256;
const FORGET_EVERY_MS = 60_000;
/** Idempotency keys in one transaction: some 10 ms in which other commands wait. */
const FORGET_BATCH_MAX = 1_000;
/** In one round; above what a second of any traffic uses, so that keys leave as fast as they come. */
export const FORGET_ROUND_MAX = 20 * FORGET_BATCH_MAX;

export interface KeeperDeps {
  readonly engine: LedgerEngine;
  readonly time: Time;
  readonly log: Logger;
}

export class Keeper {
  readonly #deps: KeeperDeps;
  readonly #rounds = new Rounds(() => this.#round());
  /** When the vault was last known to be reachable and able to write. */
  #lastGoodMs: number;
  #lastForgotMs = 0;
  #started = false;

  constructor(deps: KeeperDeps) {
    this.#deps = deps;
    this.#lastGoodMs = deps.engine.ledgerMs;
  }

  /** Before serving: prolongs what was open when the vault went away. Then keeps ticking. */
  async start(): Promise<void> {
    await this.tick();
    if (!this.#started && this.#deps.engine.storage.state === 'ok') {
      throw new StartError('open holds could not be given more time; see the log');
    }
    this.#rounds.start(TICK_MS, (error) => this.#deps.log.error({ err: error }, 'keeper failed'));
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** One round; a round that is still running is joined, not doubled. */
  tick(): Promise<void> {
    return this.#rounds.tick();
  }

  async #round(): Promise<void> {
    const { engine, time } = this.#deps;
    const awayMs = Math.max(0, time.now() - this.#lastGoodMs);
    const mustProlong = !this.#started || awayMs > AWAY_MS || engine.storage.state === 'failing';
    if (mustProlong && !(await this.#prolong(awayMs))) return;
    this.#lastGoodMs = time.now();
    if (!(await this.#heartbeat())) return;
    await this.#expire();
    await this.#timeOutApprovals();
    await this.#forget();
  }

  async #prolong(awayMs: number): Promise<boolean> {
    const { engine, log } = this.#deps;
    const outcome = await engine.probe({ kind: 'prolong', byMs: awayMs + GRACE_MS });
    if (isRefusal(outcome)) return false;
    if (outcome.prolonged > 0) {
      log.info(
        { holds: outcome.prolonged, away_ms: awayMs },
        'open holds got more time, because the vault was away',
      );
    }
    this.#started = true;
    return true;
  }

  async #heartbeat(): Promise<boolean> {
    const { engine, time } = this.#deps;
    if (time.now() - engine.ledgerMs < HEARTBEAT_MS) return true;
    return !isRefusal(await engine.probe({ kind: 'heartbeat' }));
  }

  /** Each batch is a commit of its own, and what others ask for meanwhile is in it. */
  async #forget(): Promise<void> {
    const { engine, time } = this.#deps;
    const now = time.now();
    if (now - this.#lastForgotMs < FORGET_EVERY_MS) return;
    for (let forgotten = 0; forgotten < FORGET_ROUND_MAX; ) {
      const outcome = await engine.execute({
        kind: 'forget_answers',
        keptMs: REPLAY_KEYS_KEPT_MS,
        answersMax: FORGET_BATCH_MAX,
      });
      if (isRefusal(outcome)) return;
      forgotten += outcome.forgotten;
      if (outcome.forgotten < FORGET_BATCH_MAX) {
        this.#lastForgotMs = now;
        return;
      }
    }
  }

  async #expire(): Promise<void> {
    const { engine, log } = this.#deps;
    for (;;) {
      const outcome = await engine.execute({ kind: 'expire', holdsMax: EXPIRE_BATCH_MAX });
      if (isRefusal(outcome) || outcome.expired.length === 0) return;
      log.warn(
        { holds: outcome.expired.length, reservation_ids: outcome.expired.slice(0, 20) },
        'holds expired without a bill; the money is back with the agents',
      );
      if (outcome.expired.length < EXPIRE_BATCH_MAX) return;
    }
  }

  async #timeOutApprovals(): Promise<void> {
    const { engine, log } = this.#deps;
    for (;;) {
      const outcome = await engine.execute({
        kind: 'time_out_approvals',
        approvalsMax: TIME_OUT_BATCH_MAX,
      });
      if (isRefusal(outcome) || outcome.timedOut.length === 0) return;
      log.warn(
        { approvals: outcome.timedOut.length, approval_ids: outcome.timedOut.slice(0, 20) },
        'nobody decided in time; the money is back with the agents',
      );
      if (outcome.timedOut.length < TIME_OUT_BATCH_MAX) return;
    }
  }
}
