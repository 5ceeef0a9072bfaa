/**
 * Follows one seller's feed: reads it, waits, reads it again, for ever. What was last read well stays
 * until it has expired, whatever comes afterwards. One reading at a time.
 */
import type { ProviderConfig } from '../config/types.ts';
import type { FeedSource } from '../ports.ts';
import type { Feed } from './feed.ts';
import { type Earlier, NOTHING_EARLIER, type Reading, readBalance, readList } from './reading.ts';
import { expiresAfterMs, type FeedStanding, pauseMs, standingOf } from './standing.ts';
import { acceptPrices, NO_MEMORY, type PriceMemory } from './sudden.ts';

/** For the list and what belongs to it; then the connection is given up. */
const READING_MS = 10_000;
/** A price that is doubted is looked at again so soon. */
const CONFIRM_MS = 1_000;

export interface FollowerDeps {
  readonly source: FeedSource;
  readonly nowMs: () => number;
  readonly random: () => number;
  readonly log: {
    warn(facts: object, message: string): void;
    info(facts: object, message: string): void;
  };
  /** What is offered may be another now. */
  readonly onChange: () => void;
}

/** What is known of a feed, for whoever looks. */
export interface FeedState {
  readonly standing: FeedStanding;
  readonly readAtMs: number | null;
  readonly lastError: { readonly atMs: number; readonly message: string } | null;
  /** Readings that failed since the start. */
  readonly failures: number;
  /** null = not known: no node with accounts, no key, or it does not say. */
  readonly balanceMsat: number | null;
  readonly balanceError: string | null;
}

export class Follower {
  readonly #deps: FollowerDeps;
  #provider: ProviderConfig;
  #feed: Feed | null = null;
  #earlier: Earlier = NOTHING_EARLIER;
  #memory: PriceMemory = NO_MEMORY;
  #readAtMs: number | null = null;
  #lastError: FeedState['lastError'] = null;
  #failures = 0;
  #failuresInRow = 0;
  #balance: { readonly msat: number } | { readonly wrong: string } | null = null;
  #timer: NodeJS.Timeout | null = null;
  #expiry: NodeJS.Timeout | null = null;
  readonly #stop = new AbortController();
  /** Resolves when the first reading is over, well or not. */
  readonly first: Promise<void>;

  constructor(provider: ProviderConfig, deps: FollowerDeps) {
    this.#provider = provider;
    this.#deps = deps;
    this.first = this.#run();
  }

  get provider(): ProviderConfig {
    return this.#provider;
  }

  get feed(): Feed | null {
    return this.#feed;
  }

  get balanceMsat(): number | null {
    return this.#balance !== null && 'msat' in this.#balance ? this.#balance.msat : null;
  }

  state(): FeedState {
    return {
      standing: this.#standing(),
      readAtMs: this.#readAtMs,
      lastError: this.#lastError,
      failures: this.#failures,
      balanceMsat: this.balanceMsat,
      balanceError: this.#balance !== null && 'wrong' in this.#balance ? this.#balance.wrong : null,
    };
  }

  /** The same seller with another interval, or other terms. */
  goOnWith(provider: ProviderConfig): void {
    const before = this.#refreshMs();
    this.#provider = provider;
    if (this.#refreshMs() === before) return;
    this.#awaitExpiry();
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#wait(this.#refreshMs());
  }

  stop(): void {
    this.#stop.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#expiry !== null) clearTimeout(this.#expiry);
  }

  async #run(): Promise<void> {
    this.#timer = null;
    let retryAfterMs: number | null = null;
    try {
      retryAfterMs = await this.#read();
    } catch (error) {
      // A feed that trips us up must not take the others with it: it is not used.
      this.#feed = null;
      this.#readAtMs = null;
      this.#earlier = NOTHING_EARLIER;
      this.#fail(`cannot be used (${(error as Error).message})`);
      this.#withdraw();
    }
    if (this.#stop.signal.aborted) return;
    const order = { refreshMs: this.#refreshMs(), failures: this.#failuresInRow, retryAfterMs };
    const pause = pauseMs(order, this.#deps.random());
    const isDoubted = this.#memory.doubted.size > 0 && this.#failuresInRow === 0;
    this.#wait(isDoubted ? Math.min(pause, CONFIRM_MS) : pause);
  }

  /**
   * Nobody reads while a seller asks us to wait, so that its list would be sold at prices that no
   * longer hold. A timer may be early by the clock, and the clock may be set.
   */
  #awaitExpiry(): void {
    if (this.#expiry !== null) clearTimeout(this.#expiry);
    if (this.#readAtMs === null) return;
    const longestMs = expiresAfterMs(this.#refreshMs());
    const leftMs = this.#readAtMs + longestMs - this.#deps.nowMs();
    this.#expiry = setTimeout(
      () => (this.#standing() === 'expired' ? this.#withdraw() : this.#awaitExpiry()),
      Math.min(Math.max(leftMs, 0), longestMs) + 1,
    ).unref();
  }

  /** What was offered by a list that is not used any more would be sold at its prices for ever. */
  #withdraw(): void {
    try {
      this.#deps.onChange();
    } catch (error) {
      // It is not this list, then: whoever reads the one that it is hears of it.
      const reason = (error as Error).message;
      this.#deps.log.warn({ provider: this.#provider.name, reason }, 'prices cannot be taken');
    }
  }

  /** Answers what the seller asked us to wait, ms. */
  async #read(): Promise<number | null> {
    const { source, onChange } = this.#deps;
    const provider = this.#provider;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(READING_MS)]);
    const [reading, balance] = await Promise.all([
      readList(source, provider, this.#earlier, signal),
      hasAccount(provider) ? readBalance(source, provider, signal) : null,
    ]);
    if (this.#stop.signal.aborted) return null;
    this.#balance = balance;
    if (reading.kind === 'read') this.#take(reading);
    else this.#fail(reading.message);
    onChange();
    if (reading.kind === 'failed') return reading.retryAfterMs;
    this.#succeed();
    return null;
  }

  #take({ feed, hash, details }: Reading & { kind: 'read' }): void {
    this.#readAtMs = this.#deps.nowMs();
    this.#awaitExpiry();
    if (feed === null) return;
    const accepted = acceptPrices(feed, this.#memory);
    this.#feed = accepted.feed;
    this.#memory = accepted.memory;
    // While a price is doubted, a list that is as it was is news: it confirms it.
    this.#earlier = { hash: accepted.memory.doubted.size > 0 ? null : hash, details };
  }

  #succeed(): void {
    if (this.#failuresInRow > 0) {
      const { name } = this.#provider;
      this.#deps.log.info({ provider: name }, 'the feed of a provider is read again');
    }
    this.#failuresInRow = 0;
    this.#lastError = null;
  }

  #fail(message: string): void {
    const { log, nowMs } = this.#deps;
    if (this.#failuresInRow === 0) {
      log.warn(
        { provider: this.#provider.name, reason: message },
        'the feed of a provider cannot be read; what was last read stays for a while',
      );
    }
    this.#failuresInRow++;
    this.#failures++;
    this.#lastError = { atMs: nowMs(), message };
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => void this.#run(), ms).unref();
  }

  #standing(): FeedStanding {
    const age = {
      readAtMs: this.#readAtMs,
      hasFailed: this.#failures > 0,
      refreshMs: this.#refreshMs(),
    };
    return standingOf(age, this.#deps.nowMs());
  }

  #refreshMs(): number {
    const { discovery } = this.#provider;
    if (discovery === null) throw new Error('a provider without a feed is followed');
    return discovery.refreshMs;
  }
}

/** Nodes of Routstr sell against an account that is paid in advance. */
const hasAccount = ({ kind, apiKey }: ProviderConfig): boolean =>
  kind === 'routstr' && apiKey !== null;
