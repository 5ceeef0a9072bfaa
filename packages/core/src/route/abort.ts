/** Timers and signals that can end an attempt, and which of them did. */
import type { Abort } from '../stream/live-stream.ts';

export interface AbortOrder {
  /** The last word on everything, ms. */
  readonly totalMs: number;
  readonly streaming: boolean;
  /** The drain is over: ends the attempt, and the stream that may come of it. */
  readonly shutdown: AbortSignal;
  /** The caller has left. A stream that has not begun ends; a whole answer is read on, as the provider bills it. */
  readonly clientGone: AbortSignal;
}

export interface AttemptAbort extends Abort {
  /** The stream has begun: from here on the relay decides what a caller who leaves ends. */
  outliveClient(): void;
}

export function createAbort(order: AbortOrder): AttemptAbort {
  const controller = new AbortController();
  let reason: Abort['reason'] = null;
  let phase: NodeJS.Timeout | null = null;
  const fire = (why: 'timeout' | 'abandoned') => {
    if (reason !== null) return;
    reason = why;
    controller.abort();
  };
  const onAbandon = () => fire('abandoned');
  const total = setTimeout(() => fire('timeout'), order.totalMs);
  const reasons = order.streaming ? [order.shutdown, order.clientGone] : [order.shutdown];
  for (const signal of reasons) {
    if (signal.aborted) fire('abandoned');
    else signal.addEventListener('abort', onAbandon, { once: true });
  }
  return {
    signal: controller.signal,
    get reason() {
      return reason;
    },
    fire,
    within(ms) {
      if (phase !== null) clearTimeout(phase);
      phase = ms === 0 ? null : setTimeout(() => fire('timeout'), ms);
    },
    outliveClient() {
      order.clientGone.removeEventListener('abort', onAbandon);
    },
    done() {
      clearTimeout(total);
      if (phase !== null) clearTimeout(phase);
      for (const signal of reasons) signal.removeEventListener('abort', onAbandon);
    },
  };
}
