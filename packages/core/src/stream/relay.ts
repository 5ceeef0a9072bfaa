/**
 * The provider's bytes to the caller, event by event, metered on the side. Bytes pass unchanged;
 * only a few things are kept back: the end mark (our comment goes before it), a usage-only chunk
 * (removed, or completed with our bill, at the end), and a damaged event (it breaks the stream:
 * dropping it could corrupt a tool call unseen).
 *
 * Pull-based: nothing is read while the caller has not taken what was read before, and the
 * provider's idle timer runs only while the provider is being waited for.
 */
import type { ClientStream } from '../ports.ts';
import { FINISH_WAIT_MS } from './hold-back.ts';
import { judgeEvent } from './judge-event.ts';
import type { LiveStream } from './live-stream.ts';
import type { Meter } from './meter.ts';
import { closed, type SseEvent, SseEventTooLargeError } from './sse.ts';
import type { StreamWriter } from './writer.ts';

export type StreamEnd =
  /** All of the answer came, or the provider's end mark. */
  { kind: 'whole' } | Broken | { kind: 'client_gone' };

export interface Broken {
  readonly kind: 'broken';
  readonly message: string;
  readonly timedOut: boolean;
}

export interface Relayed {
  readonly end: StreamEnd;
  readonly meter: Meter;
  /** The provider's usage-only chunk, kept back. */
  readonly usageEvent: SseEvent | null;
  /** The provider's end mark, kept back; null = it sent none. */
  readonly endEvent: SseEvent | null;
  /** The provider numbered its events. */
  readonly hasIds: boolean;
}

export interface RelayOrder {
  readonly stream: LiveStream;
  readonly client: ClientStream;
  readonly writer: StreamWriter;
  readonly idleMs: number;
  /** What the provider does for a caller who left: stop, or be read to the end. */
  readonly onDisconnect: 'cancel' | 'drain';
  /** Called as text is delivered. */
  readonly onProgress: (meter: Meter) => void;
}

/** As FINISH_WAIT_MS, for a caller that has left. */
const USAGE_WAIT_MS = 2_000;

export async function relay(order: RelayOrder): Promise<Relayed> {
  const { stream, client } = order;
  const relaying = createRelaying(order);
  const onGone = () => leave(order, relaying.meter);
  client.gone.addEventListener('abort', onGone, { once: true });
  if (client.gone.aborted) onGone();
  let end: StreamEnd | null;
  try {
    end = await relaying.pass(stream.first);
    while (end === null) end = await readNext(order, relaying);
  } finally {
    client.gone.removeEventListener('abort', onGone);
    stream.abort.done();
  }
  if (end.kind === 'whole') stream.body.discard();
  else stream.body.cancel();
  const { meter, usageEvent, endEvent, hasIds } = relaying;
  return { end, meter, usageEvent, endEvent, hasIds };
}

/** The caller is gone: stop paying for tokens nobody reads, unless only the usage is still to come. */
function leave(order: RelayOrder, meter: Meter): void {
  const { abort } = order.stream;
  if (meter.isFinished) abort.within(USAGE_WAIT_MS);
  else if (order.onDisconnect === 'cancel') abort.fire('abandoned');
}

async function readNext(order: RelayOrder, relaying: Relaying): Promise<StreamEnd | null> {
  const { body, splitter, abort } = order.stream;
  const finished = relaying.meter.isFinished;
  // From the last finish reason on there is one timer, whatever trickles in (or the one that `leave`
  // has set where the caller left).
  if (!finished) abort.within(order.idleMs);
  else if (!relaying.finishing) {
    relaying.finishing = true;
    if (!order.client.gone.aborted) abort.within(FINISH_WAIT_MS);
  }
  const chunk = await body.next();
  if (!finished) abort.within(0);
  switch (chunk.kind) {
    case 'chunk':
      try {
        return await relaying.pass(splitter.push(chunk.bytes));
      } catch (error) {
        if (!(error instanceof SseEventTooLargeError)) throw error;
        const end = await relaying.pass(error.events);
        return end ?? { kind: 'broken', message: error.message, timedOut: false };
      }
    case 'end': {
      const rest = splitter.end();
      // A provider that forgot the last line break meant the event; ours must not be glued to it.
      const end = rest === null ? null : await relaying.pass([{ ...rest, raw: closed(rest.raw) }]);
      return end ?? endWithoutDone(relaying.meter);
    }
    case 'failed':
    case 'aborted':
      return interrupted(order, chunk, relaying.meter);
  }
}

/** A provider that forgot [DONE] after every finish reason has still given a whole answer. */
function endWithoutDone(meter: Meter): StreamEnd {
  if (meter.isFinished) return { kind: 'whole' };
  return { kind: 'broken', message: 'the provider ended the stream early', timedOut: false };
}

function interrupted(
  order: RelayOrder,
  chunk: { kind: 'failed'; message: string } | { kind: 'aborted' },
  meter: Meter,
): StreamEnd {
  if (order.client.gone.aborted) return { kind: 'client_gone' };
  // Nothing is missing but the usage or the end marker.
  if (meter.isFinished) return { kind: 'whole' };
  if (order.stream.abort.reason === 'timeout') {
    return { kind: 'broken', message: 'the provider stopped sending', timedOut: true };
  }
  if (order.stream.abort.reason === 'abandoned') {
    return { kind: 'broken', message: 'arbstr is shutting down', timedOut: false };
  }
  const message = chunk.kind === 'failed' ? chunk.message : 'aborted';
  return {
    kind: 'broken',
    message: `the connection to the provider broke (${message})`,
    timedOut: false,
  };
}

interface Relaying {
  readonly meter: Meter;
  /** The timer of a finished stream runs. */
  finishing: boolean;
  readonly usageEvent: SseEvent | null;
  readonly endEvent: SseEvent | null;
  readonly hasIds: boolean;
  /** Forwards what may pass; null = go on reading. */
  pass(events: readonly SseEvent[]): Promise<StreamEnd | null>;
}

function createRelaying(order: RelayOrder): Relaying {
  const { client, writer } = order;
  const meter = order.stream.newMeter();
  let usageEvent: SseEvent | null = null;
  let endEvent: SseEvent | null = null;
  let hasIds = false;

  /** What the caller gets of one event (nothing, where it is kept back), or the end that it means. */
  function judge(event: SseEvent): Buffer | null | StreamEnd {
    const verdict = judgeEvent(event, meter);
    switch (verdict.kind) {
      case 'damaged':
      case 'error':
        return { kind: 'broken', message: verdict.message, timedOut: false };
      case 'done':
        endEvent = event;
        return { kind: 'whole' };
      case 'usage_only':
        usageEvent = event;
        return null;
      case 'empty':
        return event.raw;
      case 'content':
      case 'other':
        return writer.pass(event, verdict.json);
    }
  }

  async function pass(events: readonly SseEvent[]): Promise<StreamEnd | null> {
    const forward: Buffer[] = [];
    let end: StreamEnd | null = null;
    for (const event of events) {
      hasIds ||= event.setsId;
      const judged = judge(event);
      if (judged !== null && 'kind' in judged) {
        end = judged;
        break;
      }
      if (judged !== null) forward.push(judged);
    }
    if (forward.length > 0) {
      order.onProgress(meter);
      const bytes = forward.length === 1 ? forward[0]! : Buffer.concat(forward);
      const taken = client.gone.aborted || (await client.write(bytes));
      if (!taken && order.onDisconnect === 'cancel' && !meter.isFinished) {
        return end ?? { kind: 'client_gone' };
      }
    }
    if (end !== null && client.gone.aborted) return { kind: 'client_gone' };
    return end;
  }

  return {
    meter,
    finishing: false,
    get usageEvent() {
      return usageEvent;
    },
    get endEvent() {
      return endEvent;
    },
    get hasIds() {
      return hasIds;
    },
    pass,
  };
}
