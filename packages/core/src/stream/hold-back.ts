/**
 * `rescue = "buffer"`: a stream is kept from the caller until it is known to be whole, so that a
 * provider that dies on the way costs time and not the answer. What is held is bounded in bytes and
 * in time; at either bound it goes to the caller as it stands, and the rest is an ordinary stream.
 *
 * Nothing is sent to the caller meanwhile, no keep-alive either: the first byte commits the status
 * and the headers that name who served. So the time bound stays below the minute after which proxies
 * and load balancers commonly give up on an answer that has not begun.
 */
import type { BodyChunk, UpstreamBody } from '../ports.ts';
import { judgeEvent } from './judge-event.ts';
import type { LiveStream } from './live-stream.ts';
import type { Meter } from './meter.ts';
import { closed, type SseEvent, SseEventTooLargeError } from './sse.ts';

export interface HoldBackOrder {
  readonly stream: LiveStream;
  readonly idleMs: number;
  readonly bytesMax: number;
  /** Unix ms. */
  readonly untilMs: number;
  readonly nowMs: () => number;
}

export type HeldBack =
  /** Whole, or at a bound; `stream.first` is what was held. */
  | { kind: 'streaming'; stream: LiveStream }
  | { kind: 'failed'; why: 'broken' | 'damaged_event' | 'error_in_answer'; message: string }
  /** Ended by the attempt's own abort, which knows why. */
  | { kind: 'aborted' };

/** How long a finished stream may take to send its usage and end marker. */
export const FINISH_WAIT_MS = 5_000;

/** RESCUE: from the first dispatch to the first byte, over all attempts. */
export const HOLD_BACK_MS_MAX = 55_000;

export async function holdBack(order: HoldBackOrder): Promise<HeldBack> {
  const { abort, body, splitter } = order.stream;
  const held = createHeld(order);
  let step = held.take(order.stream.first);
  let finishing = false;
  while (step === 'more') {
    if (held.bytes > order.bytesMax || order.nowMs() >= order.untilMs) {
      abort.within(0);
      return { kind: 'streaming', stream: { ...order.stream, first: held.events } };
    }
    const finished = held.meter.isFinished;
    if (!finished) abort.within(order.idleMs);
    else if (!finishing) {
      // From the last finish reason on there is one timer, whatever trickles in.
      finishing = true;
      abort.within(FINISH_WAIT_MS);
    }
    const read = body.next();
    const chunk = await within(read, order.untilMs - order.nowMs());
    if (chunk === null) {
      abort.within(0);
      const resumed = { ...order.stream, first: held.events, body: afterRead(body, read) };
      return { kind: 'streaming', stream: resumed };
    }
    try {
      step = held.read(chunk, splitter);
    } catch (error) {
      if (!(error instanceof SseEventTooLargeError)) throw error;
      step = { kind: 'failed', why: 'broken', message: error.message };
    }
  }
  abort.within(0);
  if (step !== 'whole') {
    body.cancel();
    return step;
  }
  body.discard();
  return {
    kind: 'streaming',
    stream: { ...order.stream, first: held.events, body: ENDED },
  };
}

/** Null = the time is over first; the read goes on. */
async function within(read: Promise<BodyChunk>, ms: number): Promise<BodyChunk | null> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  return Promise.race([read, over]).finally(() => clearTimeout(timer));
}

/** The body from a read on that is under way. */
function afterRead(body: UpstreamBody, read: Promise<BodyChunk>): UpstreamBody {
  let pending: Promise<BodyChunk> | null = read;
  return {
    next() {
      const next = pending ?? body.next();
      pending = null;
      return next;
    },
    cancel: () => body.cancel(),
    discard: () => body.discard(),
  };
}

/** What is left of a stream that was read to its end. */
export const ENDED: UpstreamBody = {
  next: async () => ({ kind: 'end' }),
  cancel() {},
  discard() {},
};

type Step = 'more' | 'whole' | Exclude<HeldBack, { kind: 'streaming' }>;

interface Held {
  readonly meter: Meter;
  readonly events: SseEvent[];
  readonly bytes: number;
  take(events: readonly SseEvent[]): Step;
  read(chunk: BodyChunk, splitter: LiveStream['splitter']): Step;
}

function createHeld(order: HoldBackOrder): Held {
  const meter = order.stream.newMeter();
  const events: SseEvent[] = [];
  let bytes = 0;

  function take(more: readonly SseEvent[]): Step {
    for (const event of more) {
      const verdict = judgeEvent(event, meter);
      if (verdict.kind === 'damaged') {
        return { kind: 'failed', why: 'damaged_event', message: verdict.message };
      }
      if (verdict.kind === 'error') {
        return { kind: 'failed', why: 'error_in_answer', message: verdict.message };
      }
      events.push(event);
      bytes += event.raw.length;
      if (verdict.kind === 'done') return 'whole';
    }
    return 'more';
  }

  /** A provider that forgot [DONE] after every finish reason has still given a whole answer. */
  const orWhole = (step: Step): Step => (meter.isFinished ? 'whole' : step);

  return {
    meter,
    events,
    get bytes() {
      return bytes;
    },
    take,
    read(chunk, splitter) {
      switch (chunk.kind) {
        case 'chunk':
          return take(splitter.push(chunk.bytes));
        case 'end': {
          const rest = splitter.end();
          const step = rest === null ? 'more' : take([{ ...rest, raw: closed(rest.raw) }]);
          if (step !== 'more') return step;
          const why = 'broken';
          const message = 'the provider ended the stream early';
          return orWhole({ kind: 'failed', why, message });
        }
        case 'failed':
          return orWhole({ kind: 'failed', why: 'broken', message: chunk.message });
        case 'aborted':
          // Only the timer of a finished stream lacks nothing but usage or the end mark.
          return order.stream.abort.reason === 'timeout'
            ? orWhole({ kind: 'aborted' })
            : { kind: 'aborted' };
      }
    },
  };
}
