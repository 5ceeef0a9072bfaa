/** A round of work now and then, one at a time: whoever asks while one runs joins it. */
export class Rounds {
  readonly #round: () => Promise<void>;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;

  constructor(round: () => Promise<void>) {
    this.#round = round;
  }

  /** @param onError for a round that may reject */
  start(everyMs: number, onError?: (error: unknown) => void): void {
    this.#timer = setInterval(() => {
      const round = this.tick();
      if (onError) round.catch(onError);
    }, everyMs);
  }

  /** Rejects where the round does. */
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
