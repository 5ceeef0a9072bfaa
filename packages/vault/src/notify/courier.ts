/**
 * Delivers outbox rows, at least once:
 *
 *   pending ▸ sign (the bytes that were written, the time of now) ▸ POST ─┬ 2xx  ▸ delivered
 *                                                                       └ else ▸ again later, or dead
 *
 * What became of a try is written after it. A process that dies in between delivers again, with the
 * same event id. First tries and later ones have places of their own, so that what the receiver
 * refuses or swallows never holds up what is new.
 */
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { Time } from '../ports.ts';
import { SWEEP_ROWS_MAX } from './outbox.ts';
import type { OutboxQueries, Undelivered } from './outbox-queries.ts';
import type { Post, PostResult } from './post.ts';
import { retryWaitMs } from './retry.ts';
import { signatureOf } from './signature.ts';

const TICK_MS = 250;
/** Calls at once. A receiver that hangs keeps each for 10 s. */
const FRESH_MAX = 6;
const AGAIN_MAX = 4;
/** After the ledger would not write what became of a try: what is sent meanwhile is sent again. */
const PAUSE_MS = 5_000;
const SWEEP_EVERY_MS = 60_000;
/** A receiver that is down must not fill the log. */
const WARN_EVERY_MS = 60_000;
/** How long a stop waits for calls under way; the next process makes them again. */
const STOP_WAIT_MS = 2_000;

export interface CourierDeps {
  readonly engine: LedgerEngine;
  readonly outbox: OutboxQueries;
  readonly post: Post;
  readonly secret: string;
  readonly time: Time;
  /** For signatures: a receiver compares it with its own, which the ledger's may be ahead of. */
  readonly wallClock: Time;
  /** 0 ≤ chance < 1 */
  readonly chance: () => number;
  readonly log: Logger;
}

export class Courier {
  readonly #deps: CourierDeps;
  readonly #running = new Map<string, { readonly isFresh: boolean; done: Promise<void> }>();
  readonly #stopping = new AbortController();
  readonly #tries = { delivered: 0, failed: 0 };
  #pausedUntilMs = 0;
  #sweptAtMs: number;
  /** When it was last said that a try failed. */
  #warnedAtMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: CourierDeps) {
    this.#deps = deps;
    this.#sweptAtMs = deps.time.now();
  }

  /** Since the start. */
  get tries(): Readonly<{ delivered: number; failed: number }> {
    return this.#tries;
  }

  start(): void {
    this.#timer = setInterval(() => this.#round(), TICK_MS);
  }

  /** Everything that is due; resolves when each of it has an end or waits for its next try. */
  async tick(): Promise<void> {
    this.#round();
    while (this.#running.size > 0) {
      await Promise.all([...this.#running.values()].map(({ done }) => done));
    }
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    const waited = setTimeout(() => this.#stopping.abort(), STOP_WAIT_MS);
    this.#pausedUntilMs = Number.POSITIVE_INFINITY;
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    clearTimeout(waited);
    await this.#deps.post.close();
  }

  #round(): void {
    const { engine, outbox, time, log } = this.#deps;
    const now = time.now();
    // What cannot be written down would only be sent for ever.
    if (now < this.#pausedUntilMs || engine.storage.state !== 'ok') return;
    try {
      this.#fill(true, FRESH_MAX, outbox.fresh(FRESH_MAX));
      this.#fill(false, AGAIN_MAX, outbox.again(now, AGAIN_MAX));
      if (now - this.#sweptAtMs >= SWEEP_EVERY_MS)
        this.#sweep(now).catch((error) => this.#pause(error));
    } catch (error) {
      this.#pausedUntilMs = now + PAUSE_MS;
      log.error({ err: error }, 'webhooks cannot be read; they are tried again');
    }
  }

  #fill(isFresh: boolean, max: number, rows: readonly Undelivered[]): void {
    let free = max;
    for (const lane of this.#running.values()) if (lane.isFresh === isFresh) free--;
    for (const row of rows) {
      if (free <= 0) return;
      if (this.#running.has(row.event_id)) continue;
      free--;
      const done = this.#deliver(row)
        .catch((error) => this.#pause(error))
        .finally(() => {
          this.#running.delete(row.event_id);
          this.#round();
        });
      this.#running.set(row.event_id, { isFresh, done });
    }
  }

  async #deliver({ event_id: eventId, event, body, tries }: Undelivered): Promise<void> {
    const { engine, post, secret, wallClock, chance, log } = this.#deps;
    const signature = signatureOf(secret, body, wallClock.now());
    const result = await post.send(body, signature, this.#stopping.signal);
    if (this.#stopping.signal.aborted && !result.delivered) return;
    this.#note(result);
    const outcome = await engine.execute({
      kind: 'mark_webhook',
      eventId,
      tries,
      result: result.delivered ? result : { ...result, waitMs: retryWaitMs(tries + 1, chance()) },
    });
    if (isRefusal(outcome)) return this.#pause(outcome);
    if (outcome.webhook === 'dead') {
      log.warn(
        { event_id: eventId, event, reason: result.delivered ? null : result.reason },
        'an event could not be delivered for 72 h and is a dead letter: mend the receiver, then "webhooks replay" it',
      );
    }
  }

  #note(result: PostResult): void {
    const { log, time } = this.#deps;
    this.#tries[result.delivered ? 'delivered' : 'failed']++;
    const now = time.now();
    if (result.delivered || now - this.#warnedAtMs < WARN_EVERY_MS) return;
    this.#warnedAtMs = now;
    log.warn({ reason: result.reason }, 'a webhook was not delivered; it is tried again');
  }

  #pause(why: unknown): void {
    const { time, log } = this.#deps;
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, time.now() + PAUSE_MS);
    log.warn({ why }, 'what became of a webhook cannot be written; it may be delivered again');
  }

  async #sweep(now: number): Promise<void> {
    const { engine, outbox, log } = this.#deps;
    this.#sweptAtMs = now;
    const excess = outbox.excess();
    const tooMany = Math.max(...Object.values(excess));
    if (tooMany > 0) log.warn({ excess }, 'too many events are kept; the oldest are given up');
    const swept = await engine.execute({ kind: 'sweep_outbox', excess });
    // At once again: a flood of events must not outrun it.
    if (!isRefusal(swept) && tooMany > SWEEP_ROWS_MAX) this.#sweptAtMs = 0;
  }
}
