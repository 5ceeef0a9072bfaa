import type { Clock, Time } from '../ports.ts';

/**
 * The ledger's time: the wall clock, except where that was set back. Then it goes on at the pace
 * of real time, from the last moment that the ledger has written, until the wall clock is ahead
 * again: limits and expiry neither jump back nor stand still.
 */
export class LedgerTime implements Time {
  readonly #clock: Clock;
  #nowMs: number;
  #elapsedMs: number;

  /** @param startMs the time of the ledger's last commit */
  constructor(clock: Clock, startMs: number) {
    this.#clock = clock;
    this.#nowMs = startMs;
    this.#elapsedMs = clock.elapsed();
  }

  readonly now = (): number => {
    const elapsedMs = this.#clock.elapsed();
    const onward = this.#nowMs + Math.max(0, elapsedMs - this.#elapsedMs);
    this.#elapsedMs = elapsedMs;
    this.#nowMs = Math.max(onward, this.#clock.now());
    return this.#nowMs;
  };
}
