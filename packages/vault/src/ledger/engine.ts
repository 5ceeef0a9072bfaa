/**
 * The ledger's only writer. Commands that arrive together are applied in one transaction and all
 * answered after its one durable COMMIT; nothing is answered before.
 *
 *   execute ▸ queue (bounded) ▸ batch ▸ BEGIN IMMEDIATE ▸ decide + apply each ▸ COMMIT ▸ answers
 *
 * A command that fails by a defect of ours undoes its batch, whose commands are then applied one
 * by one, so that it fails alone. (A savepoint around each command would do the same and make
 * SQLite copy every page that a command touches: 11 of 49 µs CPU per command.)
 *
 * Storage: `ok` ──(disk full, read-only, I/O error)──▶ `failing`: every command is refused at once,
 * nothing touches the disk but probes; a probe that commits leads back to `ok`.
 */
import type { Logger } from 'pino';
import { isRefusal, type Refusal, refuse } from '../errors.ts';
import type { Rail } from '../wallet/wallet.ts';
import type { Command, Heartbeat, Prolong } from './command.ts';
import { decide } from './decide.ts';
import { classify, type Phase } from './failure.ts';
import type { Outcome, OutcomeOf } from './outcome.ts';
import { frozen } from './rail.ts';
import type { LedgerStore } from './store.ts';

/** Commands that wait. At some 10,000 commands a second this is well below a second. */
export const QUEUE_MAX = 4_096;
/** Commands in one transaction: bounds how long the first waits for the last. */
const BATCH_MAX = 512;
/** Turns of the event loop that a batch may grow: bounds how long its first command waits. */
const GATHER_TURNS_MAX = 8;
/** Another process may hold the write lock for a moment (an operator's shell). */
const BUSY_RETRY_MS = 20;
const BUSY_WAIT_MAX_MS = 5_000;

/** The part of the store that the engine drives; tests put a failing disk in its place. */
export type EngineStore = Pick<
  LedgerStore,
  'view' | 'ledgerMs' | 'begin' | 'apply' | 'commit' | 'abandon' | 'close'
>;

/** Counts what happens; called for every command, so it must cost next to nothing. */
export interface LedgerMeter {
  /** Of a clock that never runs backwards, with fractions. */
  nowMs(): number;
  /** @param outcome `ok`, or the code of the refusal */
  answered(kind: Command['kind'], outcome: string): void;
  /** Something was written; batches without changes cost no write and are not counted. */
  committed(commands: number, tookMs: number): void;
}

export interface EngineDeps {
  readonly store: EngineStore;
  readonly meter: LedgerMeter;
  /** The ledger's time, Unix ms. */
  readonly now: () => number;
  readonly log: Logger;
  /** Ends the process after a commit whose outcome is unknown. Must not return in production. */
  readonly exit: (code: number) => void;
}

export type StorageState = { state: 'ok' } | { state: 'failing'; reason: string; sinceMs: number };

interface Waiting {
  readonly command: Command;
  readonly answer: (outcome: Outcome) => void;
}

export class LedgerEngine {
  readonly #deps: EngineDeps;
  #queue: Waiting[] = [];
  #scheduled = false;
  #busySinceMs: number | null = null;
  /** Commands at the front of the queue that get a transaction each. */
  #oneByOne = 0;
  #storage: StorageState = { state: 'ok' };
  #closing = false;
  #onIdle: (() => void) | null = null;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
  }

  get storage(): StorageState {
    return this.#storage;
  }

  get queueDepth(): number {
    return this.#queue.length;
  }

  /** The time of the last commit, Unix ms. */
  get ledgerMs(): number {
    return this.#deps.store.ledgerMs;
  }

  /** Restored from a backup, and not yet looked at. */
  get recovering(): boolean {
    return this.#deps.store.view.recovering;
  }

  /**
   * Why a wallet may be told to pay nothing on this rail now, not even again what it was told
   * before; null where it may. Asking a wallet is always allowed.
   */
  paused(rail: Rail): string | null {
    if (this.recovering) return 'the vault is in recovery mode';
    return frozen(this.#deps.store.view, rail)?.message ?? null;
  }

  /**
   * What a command would be answered now, without doing it: for a caller that has to make something
   * outside first, in vain where it is refused. When it is done, it is decided anew.
   */
  foresee<C extends Command>(command: C): OutcomeOf<C> {
    const refusal = this.#refusalNow();
    if (refusal) return refusal;
    return decide(this.#deps.store.view, command, this.#now()).outcome as OutcomeOf<C>;
  }

  /** Applies a command durably. Never rejects: what cannot be done is a refusal. */
  execute<C extends Command>(command: C): Promise<OutcomeOf<C>> {
    const refusal = this.#refusalNow();
    if (refusal) {
      this.#deps.meter.answered(command.kind, refusal.refused);
      return Promise.resolve(refusal);
    }
    return this.#enqueue(command);
  }

  /** A command that tries the disk although it has failed; the way back to `ok`. */
  probe<C extends Prolong | Heartbeat>(command: C): Promise<OutcomeOf<C>> {
    return this.#enqueue(command);
  }

  /** Refuses what comes from now on, finishes what waits, closes the database. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#queue.length > 0 || this.#scheduled) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#deps.store.close();
  }

  /** Never before the last commit. */
  #now(): number {
    return Math.max(this.#deps.now(), this.#deps.store.ledgerMs);
  }

  #refusalNow(): Refusal | null {
    if (this.#closing) return refuse('draining', 'the vault is stopping; nothing was changed');
    if (this.#storage.state === 'failing') return storageRefusal(this.#storage.reason);
    if (this.#queue.length >= QUEUE_MAX) {
      return refuse('overloaded', `${QUEUE_MAX} commands are waiting already; nothing was changed`);
    }
    return null;
  }

  #enqueue<C extends Command>(command: C): Promise<OutcomeOf<C>> {
    return new Promise((resolve) => {
      this.#queue.push({ command, answer: resolve as (outcome: Outcome) => void });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#gather(0, 1);
  }

  /**
   * Lets the event loop turn while each turn brings more commands, so that all requests that are on
   * their way share one commit. A turn that brings none ends it: nobody waits for nobody.
   */
  #gather(before: number, turn: number): void {
    setImmediate(() => {
      const waiting = this.#queue.length;
      if (waiting > before && waiting < BATCH_MAX && turn < GATHER_TURNS_MAX) {
        this.#gather(waiting, turn + 1);
      } else {
        this.#runBatch();
      }
    });
  }

  #runBatch(): void {
    this.#scheduled = false;
    const batch = this.#queue.splice(0, this.#oneByOne > 0 ? 1 : BATCH_MAX);
    const outcomes: Outcome[] = [];
    let phase: Phase = 'begin';
    let beganMs = 0;
    let wrote = false;
    const { store, meter } = this.#deps;
    try {
      store.begin();
      phase = 'apply';
      const now = this.#now();
      for (const { command } of batch) outcomes.push(this.#applyOne(command, now));
      phase = 'commit';
      beganMs = meter.nowMs();
      wrote = store.commit(now);
    } catch (error) {
      this.#failBatch(batch, error, phase);
      this.#continue();
      return;
    }
    if (wrote) meter.committed(batch.length, meter.nowMs() - beganMs);
    this.#busySinceMs = null;
    if (this.#oneByOne > 0) this.#oneByOne--;
    if (this.#storage.state === 'failing') this.#recovered();
    for (const [index, waiting] of batch.entries()) this.#answer(waiting, outcomes[index]!);
    this.#continue();
  }

  #answer({ command, answer }: Waiting, outcome: Outcome): void {
    this.#deps.meter.answered(command.kind, isRefusal(outcome) ? outcome.refused : 'ok');
    answer(outcome);
  }

  #answerAll(batch: readonly Waiting[], refusal: Refusal): void {
    for (const waiting of batch) this.#answer(waiting, refusal);
  }

  #applyOne(command: Command, now: number): Outcome {
    const { store } = this.#deps;
    const decision = decide(store.view, command, now);
    if (decision.effects.length > 0) store.apply(decision.effects, now);
    return decision.outcome;
  }

  #failBatch(batch: Waiting[], error: unknown, phase: Phase): void {
    const { store, log, now, exit } = this.#deps;
    store.abandon();
    const failure = classify(error, phase);
    switch (failure.kind) {
      case 'busy':
        this.#busySinceMs ??= now();
        if (now() - this.#busySinceMs < BUSY_WAIT_MAX_MS) {
          this.#queue.unshift(...batch);
          return;
        }
        this.#fail('another process keeps the database locked');
        this.#answerAll(batch, storageRefusal('another process keeps the database locked'));
        return;
      case 'refused':
        this.#fail(failure.reason);
        this.#answerAll(batch, storageRefusal(failure.reason));
        return;
      case 'defect':
        if (batch.length > 1) {
          this.#queue.unshift(...batch);
          this.#oneByOne = batch.length;
          return;
        }
        this.#oneByOne = Math.max(0, this.#oneByOne - 1);
        log.error(
          { err: failure.error, command: batch[0]?.command.kind },
          'a command failed and was undone; no money moved',
        );
        this.#answerAll(batch, undone());
        return;
      case 'unknown':
        log.fatal(
          { err: error, commands: batch.length },
          'the outcome of a commit is unknown: ending the process so that the next one reads the disk; callers retry with the same ids',
        );
        this.#fail(failure.reason);
        this.#answerAll(
          batch,
          refuse(
            'outcome_unknown',
            `${failure.reason}: it is not known whether this was applied; ask again with the same id`,
          ),
        );
        exit(1);
        return;
    }
  }

  #continue(): void {
    if (this.#queue.length === 0) {
      this.#onIdle?.();
      return;
    }
    if (this.#busySinceMs === null) {
      this.#schedule();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    setTimeout(() => this.#runBatch(), BUSY_RETRY_MS);
  }

  #fail(reason: string): void {
    const { log, now } = this.#deps;
    this.#busySinceMs = null;
    this.#oneByOne = 0;
    if (this.#storage.state === 'ok') {
      log.error(
        { reason },
        'the ledger cannot be written: new commands are refused, everything acknowledged is safe on disk; make room or repair the disk, the vault goes on by itself',
      );
      this.#storage = { state: 'failing', reason, sinceMs: now() };
    } else {
      this.#storage = { ...this.#storage, reason };
    }
    // What waits was promised nothing yet; probes come again by themselves.
    const waiting = this.#queue;
    this.#queue = [];
    this.#answerAll(waiting, storageRefusal(reason));
  }

  #recovered(): void {
    const { log, now } = this.#deps;
    if (this.#storage.state === 'failing') {
      log.warn({ down_ms: now() - this.#storage.sinceMs }, 'the ledger can be written again');
    }
    this.#storage = { state: 'ok' };
  }
}

const undone = (): Refusal =>
  refuse('internal_error', 'the command failed and was undone; nothing was changed');

const storageRefusal = (reason: string): Refusal =>
  refuse('storage_unavailable', `${reason}; nothing was changed, try again later`);
