/**
 * Brings orders to their end, for ever, payments of agents as payouts of sellers: what is held is
 * sent, what is in flight is asked for until the wallet proves what became of it. Unknown is not
 * failed: it only means that we ask again, without an age limit, also after a restart.
 *
 *   requested  ▸ in recovery mode alone: wallet.lookup ▸ the wallet has it ▸ held
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
import { isRefusal, type Refusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { OrderEnded } from '../ledger/outcome.ts';
import type { Time } from '../ports.ts';
import type {
  Failed,
  LookupOutcome,
  PayOrder,
  PayOutcome,
  Succeeded,
  Wallet,
} from '../wallet/wallet.ts';
import { Rounds } from './rounds.ts';
import { Tasks } from './tasks.ts';

export interface RunnerTiming {
  /** How long a caller of `sendNow` waits for the end before it is told that it is under way. */
  readonly answerMs: number;
  /** After which a wallet's silence counts as unknown. */
  readonly callMs: number;
}
export const RUNNER_TIMING: RunnerTiming = { answerMs: 10_000, callMs: 60_000 };

/** Open orders looked at in one round; the next round goes on behind them. */
const ROUND_MAX = 1_000;

/** Waits for a human. Only of a restored ledger: it may have been let go and sent since the backup. */
export interface AskedOrder {
  readonly state: 'requested';
  readonly id: string;
  readonly order: PayOrder;
}
export interface HeldOrder {
  readonly state: 'held';
  readonly id: string;
}
export interface SentOrder {
  readonly state: 'in_flight';
  readonly id: string;
  /** What the wallet is told. The same for every try. */
  readonly order: PayOrder;
  readonly walletIdentity: string;
  readonly seen: boolean;
  /** Why only a human can clear it up; null where nobody has to. */
  readonly stuck: string | null;
}

/** The rows that are brought to their end, and the commands that change them. */
export interface Orders {
  readonly what: 'payment' | 'payout';
  /** Between two rounds. */
  readonly everyMs: number;
  /** Begins what comes due by itself, before each round. */
  arrive(): Promise<void>;
  /** Ids of what there is to do, ascending. */
  open(afterId: string, max: number): readonly string[];
  /** Undefined where there is nothing to do. */
  find(id: string): AskedOrder | HeldOrder | SentOrder | undefined;
  /** requested → held: the wallet has been told of it, so somebody had let it go. True if it was. */
  adopt(id: string): Promise<boolean | Refusal>;
  /** held → in_flight, durable before the wallet is told. Null where it has ended instead. */
  send(
    id: string,
    walletIdentity: string,
    signal: AbortSignal,
  ): Promise<SentOrder | Refusal | null>;
  /** The wallet has it: from now on `absent` means that it forgot. */
  see(id: string): Promise<unknown>;
  stick(id: string, reason: string): Promise<unknown>;
  end(id: string, result: Succeeded | Failed): Promise<OrderEnded | Refusal>;
}

export interface RunnerDeps {
  readonly engine: LedgerEngine;
  readonly wallet: Wallet;
  readonly time: Time;
  readonly log: Logger;
  readonly timing: RunnerTiming;
}

export class Runner {
  readonly #orders: Orders;
  readonly #deps: RunnerDeps;
  readonly #tasks: Tasks;
  readonly #rounds = new Rounds(() => this.#round());
  /** Of a restored ledger: those of which the wallet has said what it knows. */
  readonly #asked = new Set<string>();
  #after = '';

  constructor(orders: Orders, deps: RunnerDeps) {
    this.#orders = orders;
    this.#deps = deps;
    this.#tasks = new Tasks({ ...deps, what: orders.what });
  }

  start(): void {
    this.#rounds.start(this.#orders.everyMs);
  }

  /** One round; resolves when everything that it began has answered or was given up. */
  async tick(): Promise<void> {
    await this.#rounds.tick();
    await this.#tasks.idle();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
    await this.#tasks.stop();
  }

  /** Sends what is held now; resolves at its end, or when the caller has waited long enough. */
  sendNow(id: string): Promise<void> {
    return this.#tasks.now(id, () => this.#bringOn(id), this.#deps.timing.answerMs);
  }

  /** Of those that a wallet is asked for in recovery mode: how many it has yet to answer for. */
  unasked(): number {
    const orders = this.#orders;
    let count = 0;
    let ids: readonly string[];
    for (let after = ''; ; after = ids.at(-1)!) {
      ids = orders.open(after, ROUND_MAX);
      for (const id of ids) {
        const state = this.#asked.has(id) ? undefined : orders.find(id)?.state;
        // What is held is sent, never given back: whatever a wallet says of it changes nothing.
        if (state === 'requested' || state === 'in_flight') count += 1;
      }
      if (ids.length < ROUND_MAX) return count;
    }
  }

  async #round(): Promise<void> {
    const { log } = this.#deps;
    const orders = this.#orders;
    try {
      await orders.arrive();
      const open = orders.open(this.#after, ROUND_MAX);
      this.#after = open.length < ROUND_MAX ? '' : open.at(-1)!;
      for (const id of open) {
        if (this.#tasks.isDue(id)) void this.#tasks.begin(id, () => this.#bringOn(id));
      }
    } catch (error) {
      log.error({ err: error }, `open ${orders.what}s cannot be read; they are tried again`);
    }
  }

  /** Null at its end, else why it has to be looked at again. */
  async #bringOn(id: string): Promise<string | null> {
    const found = this.#orders.find(id);
    if (found === undefined) return null;
    if (found.state === 'requested') return this.#lookFor(found);
    return found.state === 'held' ? this.#send(id) : this.#track(found);
  }

  /** Before recovery is finished: from then on its time may give the money back. */
  async #lookFor({ id, order }: AskedOrder): Promise<string | null> {
    const { wallet, log } = this.#deps;
    const { state } = await this.#ask((signal) => wallet.lookup(order, signal));
    const isKnown = state === 'succeeded' || state === 'pending';
    const adopted = isKnown && (await this.#orders.adopt(id));
    // The wallet's word counts once the ledger has it: else recovery could be finished without it.
    if (typeof adopted === 'object') return adopted.message;
    if (state !== 'unknown') this.#asked.add(id);
    if (!isKnown) return `it waits for a human, and the wallet says of it: ${state}`;
    if (!adopted) {
      return 'it waits for a human, and what the wallet has is another payment of its invoice';
    }
    log.warn(
      { [`${this.#orders.what}_id`]: id, wallet_says: state },
      'approved and sent since the backup: it stays held, and ends when recovery is finished',
    );
    return null;
  }

  async #send(id: string): Promise<string | null> {
    const paused = this.#paused();
    if (paused !== null) return paused;
    const { wallet } = this.#deps;
    const identity = await this.#tasks.call((signal) => wallet.identity(signal));
    const sent = await this.#tasks.call((signal) => this.#orders.send(id, identity, signal));
    if (sent === null) return null;
    return isRefusal(sent) ? sent.message : this.#pay(sent);
  }

  /** The same order as ever, so that a wallet that has it already does not pay it again. */
  async #pay(sent: SentOrder): Promise<string | null> {
    const paused = this.#paused();
    if (paused !== null) return paused;
    const { wallet } = this.#deps;
    return this.#take(sent, await this.#ask((signal) => wallet.pay(sent.order, signal)));
  }

  async #track(sent: SentOrder): Promise<string | null> {
    const { wallet, engine } = this.#deps;
    const identity = await this.#tasks.call((signal) => wallet.identity(signal));
    if (identity !== sent.walletIdentity) {
      if (engine.recovering) this.#asked.add(sent.id);
      return this.#giveToHuman(sent, `it was sent by another wallet (${identity} is here)`);
    }
    const outcome = await this.#ask((signal) => wallet.lookup(sent.order, signal));
    if (engine.recovering && outcome.state !== 'unknown') this.#asked.add(sent.id);
    switch (outcome.state) {
      case 'pending':
        await this.#orders.see(sent.id);
        return 'still in flight';
      case 'absent':
        if (!sent.seen) return this.#pay(sent);
        return this.#giveToHuman(sent, 'the wallet had it and has no record of it any more');
      default:
        return this.#take(sent, outcome);
    }
  }

  async #take(sent: SentOrder, outcome: PayOutcome): Promise<string | null> {
    if (outcome.state === 'unknown') return outcome.reason;
    if (outcome.state === 'succeeded' && !this.#isProven(sent, outcome.preimage)) {
      return this.#giveToHuman(
        sent,
        'the wallet says that it succeeded and shows a wrong preimage',
      );
    }
    const ended = await this.#orders.end(sent.id, outcome);
    if (isRefusal(ended)) return ended.message;
    this.#report(sent, outcome, ended);
    return null;
  }

  #report({ id }: SentOrder, outcome: Succeeded | Failed, ended: OrderEnded): void {
    const { log } = this.#deps;
    const { what } = this.#orders;
    if (ended.contradicted) {
      log.error(
        { [`${what}_id`]: id, state: ended.state, wallet_says: outcome.state },
        'a wallet contradicts the end that it had proven; the books stand, look at the wallet',
      );
    }
    if (ended.excess > 0) {
      log.error(
        { [`${what}_id`]: id, excess_msat: ended.excess },
        'a wallet took more fees than it was allowed; they are your loss, the rail is frozen',
      );
    }
    if (what === 'payout') log.info({ payout_id: id, state: ended.state }, 'a payout has ended');
  }

  #isProven({ order: { target } }: SentOrder, preimage: string | null): boolean {
    if (!this.#deps.wallet.provesPayments || target.type !== 'lightning_invoice') return true;
    if (preimage === null) return false;
    return hash('sha256', Buffer.from(preimage, 'hex')) === target.paymentHash;
  }

  /** Its money stays held. Written down, so that it still shows right after a restart. */
  async #giveToHuman({ id, stuck }: SentOrder, reason: string): Promise<string> {
    if (stuck === reason) return reason;
    const { what } = this.#orders;
    await this.#orders.stick(id, reason);
    this.#deps.log.error(
      { [`${what}_id`]: id, reason },
      `a ${what} is stuck: its money stays held until the wallet proves what became of it`,
    );
    return reason;
  }

  #paused(): string | null {
    return this.#deps.engine.paused(this.#deps.wallet.rail);
  }

  /** What a wallet says; silence and errors say nothing. */
  async #ask<T extends LookupOutcome>(
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | PayOutcome> {
    try {
      return await this.#tasks.call(call);
    } catch (error) {
      return { state: 'unknown', reason: (error as Error).message };
    }
  }
}
