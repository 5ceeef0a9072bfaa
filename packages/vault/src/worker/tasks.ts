/**
 * Work on many things at once, each with timers of its own, so that one that hangs or fails holds
 * up no other and no stop. What is not done is tried again with a backoff, for ever.
 */
import type { Logger } from 'pino';
import type { Time } from '../ports.ts';

const BACKOFF_MIN_MS = 1_000;
/** What hangs is tried at least this often. */
const BACKOFF_MAX_MS = 300_000;
/** At once; what is more waits on disk. */
const RUNNING_MAX = 256;
/**
 * Of them for what was tried before: what hangs takes its place again and again, and whoever makes
 * much of it must not keep what is new from ever being tried.
 */
const AGAIN_MAX = 192;
/** Things that wait for their next try. Above it all are forgotten, and tried once too early. */
const WAITING_MAX = 10_000;
/** How long a stop waits for calls under way; what has not answered is unknown, and asked for later. */
const STOP_WAIT_MS = 2_000;

export interface TasksDeps {
  /** What it works on, for the log. */
  readonly what: string;
  readonly time: Time;
  readonly log: Logger;
  /** After which the silence of whoever is called counts as no answer. Read at each call. */
  readonly timing: { readonly callMs: number };
}

interface Backoff {
  readonly tries: number;
  readonly nextMs: number;
}

/** Bounded also where whoever is called ignores the signal. Rejects when it aborts. */
export async function callWithin<T>(
  signal: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  // A signal that is over tells nobody of its abort any more.
  signal.throwIfAborted();
  let onAbort = () => {};
  const silence = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Error('no answer in time'));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([call(signal), silence]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

export class Tasks {
  readonly #deps: TasksDeps;
  readonly #running = new Map<string, Promise<void>>();
  readonly #backoff = new Map<string, Backoff>();
  readonly #stopping = new AbortController();

  constructor(deps: TasksDeps) {
    this.#deps = deps;
  }

  /** False while it rests after a try that did not end it. */
  isDue(id: string): boolean {
    return (this.#backoff.get(id)?.nextMs ?? 0) <= this.#deps.time.now();
  }

  /**
   * Begins work on a thing, unless it is under way, or too many are. Null is done; a reason, or an
   * error, is why it has to be tried again. Undefined where nothing runs.
   */
  begin(id: string, work: () => Promise<string | null>): Promise<void> | undefined {
    const known = this.#running.get(id);
    if (known !== undefined) return known;
    const max = this.#backoff.has(id) ? AGAIN_MAX : RUNNING_MAX;
    if (this.#stopping.signal.aborted || this.#running.size >= max) return undefined;
    const running = work()
      .catch((error: unknown) => (error as Error).message)
      .then((reason) => this.#rest(id, reason))
      .finally(() => this.#running.delete(id));
    this.#running.set(id, running);
    return running;
  }

  /** Resolves when all that was begun has ended or was given up. */
  async idle(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Begins nothing more; what is under way is given up after a moment. */
  async stop(): Promise<void> {
    const patience = setTimeout(() => this.#stopping.abort(), STOP_WAIT_MS);
    await this.idle();
    clearTimeout(patience);
    this.#stopping.abort();
  }

  /** As `begin`; resolves when it has ended, or when the caller has waited long enough. */
  async now(id: string, work: () => Promise<string | null>, patienceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    });
    await Promise.race([this.begin(id, work), patience]);
    clearTimeout(timer);
  }

  call<T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const timeout = AbortSignal.timeout(this.#deps.timing.callMs);
    return callWithin(AbortSignal.any([timeout, this.#stopping.signal]), call);
  }

  #rest(id: string, reason: string | null): void {
    const { what, time, log } = this.#deps;
    const tries = (this.#backoff.get(id)?.tries ?? 0) + 1;
    this.#backoff.delete(id);
    if (reason === null) return;
    if (this.#backoff.size >= WAITING_MAX) this.#backoff.clear();
    const waitMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(tries - 1, 20));
    this.#backoff.set(id, { tries, nextMs: time.now() + waitMs });
    const line = { [`${what}_id`]: id, reason, tries, again_in_ms: waitMs };
    log.warn(line, `a ${what} is not at its end`);
  }
}
