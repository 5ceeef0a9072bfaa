/**
 * Watches for what no command of the ledger says by itself, and tells the operator once when it
 * begins and, of a rail, once when it is over:
 *
 *   tick: probe the wallet ▸ what is wrong now? ▸ begin an episode for what is new ▸ end those that
 *         are over
 *
 * Episodes are rows, begun and ended in the tx that writes the event: a restart tells nothing twice.
 */
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { Time } from '../ports.ts';
import type { Wallet } from '../wallet/wallet.ts';
import { Rounds } from '../worker/rounds.ts';
import { callWithin } from '../worker/tasks.ts';
import { railEvent } from './event.ts';
import { type Alert, type EventDraft, NO_AGENT } from './outbox.ts';
import type { OutboxQueries } from './outbox-queries.ts';
import {
  STUCK_AFTER_MS,
  type StuckItem,
  type StuckKind,
  type StuckQueries,
} from './stuck-queries.ts';

const TICK_MS = 10_000;
const PROBE_MS_MAX = 5_000;
/** Probes in a row that fail before a rail counts as unreachable: half a minute is a restart. */
const PROBES_FAILED_MAX = 3;

export interface WatchDeps {
  readonly engine: LedgerEngine;
  readonly wallet: Wallet;
  readonly outbox: OutboxQueries;
  readonly stuck: StuckQueries;
  readonly time: Time;
  readonly log: Logger;
  readonly probeMsMax?: number;
}

interface Condition {
  readonly alert: Alert;
  readonly subject: string;
  readonly reason: string;
  readonly draft: EventDraft;
}

export class Watch {
  readonly #deps: WatchDeps;
  readonly #rounds = new Rounds(() =>
    this.#round().catch((error) =>
      this.#deps.log.error({ err: error }, 'alerts cannot be looked for'),
    ),
  );
  #probesFailed = 0;
  #unreachable: string | null = null;
  readonly #stopping = new AbortController();

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    // As the last process left it: only an answer ends it.
    const told = deps.outbox.episodes().find(({ alert }) => alert === 'rail_degraded');
    this.#unreachable = told?.reason ?? null;
  }

  /** Why the wallet counts as unreachable; null where it answers. */
  get unreachable(): string | null {
    return this.#unreachable;
  }

  start(): void {
    this.#rounds.start(TICK_MS);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#rounds.stop();
  }

  /** One round; a round that is still running is joined, not doubled. Never rejects. */
  tick(): Promise<void> {
    return this.#rounds.tick();
  }

  async #round(): Promise<void> {
    await this.#probe();
    if (this.#stopping.signal.aborted) return;
    const wanted = new Map(this.#conditions().map((found) => [keyOf(found), found]));
    const told = new Map(this.#deps.outbox.episodes().map((episode) => [keyOf(episode), episode]));
    for (const [key, condition] of wanted) if (!told.has(key)) await this.#begin(condition);
    for (const [key, { alert, subject }] of told) {
      if (!wanted.has(key)) await this.#end(alert, subject);
    }
  }

  async #probe(): Promise<void> {
    const { wallet, probeMsMax = PROBE_MS_MAX } = this.#deps;
    const signal = AbortSignal.any([AbortSignal.timeout(probeMsMax), this.#stopping.signal]);
    try {
      await callWithin(signal, (within) => wallet.identity(within));
      this.#probesFailed = 0;
      this.#unreachable = null;
    } catch (error) {
      this.#probesFailed++;
      if (this.#probesFailed < PROBES_FAILED_MAX) return;
      const silent = `no answer within ${probeMsMax} ms`;
      this.#unreachable = signal.aborted ? silent : (error as Error).message;
    }
  }

  #conditions(): Condition[] {
    const { wallet, outbox, stuck, time } = this.#deps;
    const found: Condition[] = [];
    if (this.#unreachable !== null) {
      const reason = this.#unreachable;
      const draft = railEvent(wallet.rail, 'unreachable', reason);
      found.push({ alert: 'rail_degraded', subject: wallet.rail, reason, draft });
    }
    const { dead } = outbox.counts();
    if (dead > 0) {
      const reason = `${dead} events are dead letters`;
      found.push({
        alert: 'webhook_undelivered',
        subject: 'webhook',
        reason,
        draft: { event: 'webhook_undelivered', agentNo: NO_AGENT, fields: { dead_letters: dead } },
      });
    }
    // Last, so that of what is both stuck and late the reason is told that needs a human.
    return [...found, ...[...stuck.items(time.now()), ...stuck.needHuman()].map(stuckCondition)];
  }

  async #begin({ alert, subject, reason, draft }: Condition): Promise<void> {
    const { engine, log } = this.#deps;
    const outcome = await engine.execute({ kind: 'begin_episode', alert, subject, reason, draft });
    if (isRefusal(outcome) || !outcome.changed) return;
    log.error({ alert, subject, reason }, `alert: ${WHAT_TO_DO[alert]}`);
  }

  async #end(alert: Alert, subject: string): Promise<void> {
    const { engine, log } = this.#deps;
    const draft = alert === 'rail_degraded' ? railEvent(subject, 'unreachable', null) : null;
    const outcome = await engine.execute({ kind: 'end_episode', alert, subject, draft });
    if (isRefusal(outcome) || !outcome.changed) return;
    log.info({ alert, subject }, 'an alert is over');
  }
}

const WHAT_TO_DO: Readonly<Record<Alert, string>> = {
  rail_degraded: 'the wallet does not answer; what is in flight stays held until it does',
  item_stuck: 'something has been on its way for too long; see "A payment that does not end"',
  webhook_undelivered: 'events were given up; mend the receiver, then "webhooks replay" them',
};

const keyOf = ({ alert, subject }: { alert: Alert; subject: string }): string =>
  `${alert} ${subject}`;

const ID_FIELD: Readonly<Record<StuckKind, string>> = {
  payment: 'transaction_id',
  payout: 'payout_id',
  waiting_payout: 'payout_id',
  deposit: 'deposit_id',
  approval: 'approval_id',
};

function stuckCondition({ kind, id, agentNo, amount, since, ...item }: StuckItem): Condition {
  const hours = STUCK_AFTER_MS[kind] / (60 * 60 * 1_000);
  const reason = item.reason ?? `not at its end after ${hours} h`;
  const fields = { kind, [ID_FIELD[kind]]: id, amount_msat: amount, since, reason };
  return {
    alert: 'item_stuck',
    subject: id,
    reason,
    draft: { event: 'item_stuck', agentNo, fields },
  };
}
