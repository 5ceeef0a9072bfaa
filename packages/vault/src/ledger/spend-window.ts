/**
 * What one agent was charged in the last 24 h, in O(1): a running sum over one-minute buckets. A
 * charge sits in the minute of its reserve. A bucket leaves when all of it is older than 24 h, so
 * spend leaves up to 60 s late and never early.
 */
export const MINUTE_MS = 60_000;
/** The current minute and the 1,440 before it. */
export const WINDOW_MINUTES = 1_441;

export interface SpendBucket {
  readonly minute: number;
  readonly msat: number;
}

export const minuteOf = (atMs: number): number => Math.floor(atMs / MINUTE_MS);
/** The row that a minute uses; the minute that used it before has left the window. */
export const slotOf = (minute: number): number => minute % WINDOW_MINUTES;
export const isInWindow = (minute: number, nowMinute: number): boolean =>
  minute > nowMinute - WINDOW_MINUTES;

export class SpendWindow {
  /** Ascending minutes; entries before #first have left. */
  #minutes: number[] = [];
  #amounts: number[] = [];
  #first = 0;
  #sum = 0;

  constructor(buckets: readonly SpendBucket[] = []) {
    for (const bucket of buckets) this.#insert(bucket.minute, bucket.msat);
  }

  /** Msat charged in the window that ends now. Call with times that never run backwards. */
  spent(nowMinute: number): number {
    this.#dropOld(nowMinute);
    return this.#sum;
  }

  /** Adds a charge and returns its bucket, or null where its minute has already left. */
  add(minute: number, msat: number, nowMinute: number): SpendBucket | null {
    this.#dropOld(nowMinute);
    if (!isInWindow(minute, nowMinute)) return null;
    return { minute, msat: this.#insert(minute, msat) };
  }

  #insert(minute: number, msat: number): number {
    this.#sum += msat;
    let at = this.#minutes.length;
    // Charges are for recent minutes: this looks at one entry, rarely at more.
    while (at > this.#first && this.#minutes[at - 1]! > minute) at--;
    if (at > this.#first && this.#minutes[at - 1] === minute) {
      this.#amounts[at - 1]! += msat;
      return this.#amounts[at - 1]!;
    }
    this.#minutes.splice(at, 0, minute);
    this.#amounts.splice(at, 0, msat);
    return msat;
  }

  #dropOld(nowMinute: number): void {
    const minutes = this.#minutes;
    while (this.#first < minutes.length && !isInWindow(minutes[this.#first]!, nowMinute)) {
      this.#sum -= this.#amounts[this.#first]!;
      this.#first++;
    }
    if (this.#first > WINDOW_MINUTES) {
      this.#minutes = minutes.slice(this.#first);
      this.#amounts = this.#amounts.slice(this.#first);
      this.#first = 0;
    }
  }
}
