/** A round of work now and then, one at a time: whoever asks while one runs joins it. */
export class Rounds {
  readonly #round: () => Promise<void>;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  /** @param round never rejects */
  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  start(everyMs: number): void {
    this.#timer = setInterval(() => void this.tick(), everyMs);
  }

  tick(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  /** Resolves when no round runs that had begun before. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Resolves when the last round is over. */
  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer);
    await this.#running;
  }
}
