/** Reads a 200 until it is known to be an answer: whole, or a stream with its first content. */
import type { Dialect } from '../dialect/dialect.ts';
import type { ApiRequest } from '../openai/api-request.ts';
import type { UpstreamBody, UpstreamHeaders, UpstreamReply } from '../ports.ts';
import { ENDED } from '../stream/hold-back.ts';
import { judgeEvent, parseJson } from '../stream/judge-event.ts';
import type { Abort, LiveStream } from '../stream/live-stream.ts';
import type { Meter } from '../stream/meter.ts';
import {
  createSseSplitter,
  type SseEvent,
  SseEventTooLargeError,
  type SseSplitter,
} from '../stream/sse.ts';
import type { FailureKind } from './failure.ts';

type Answer = UpstreamReply & { kind: 'answer' };

/** What an answer is read as. */
export interface Reading {
  readonly dialect: Dialect;
  readonly request: ApiRequest;
  readonly abort: Abort;
}

type NoAnswer =
  | { kind: 'failed'; why: FailureKind; message: string }
  /** By a timer, the caller or the drain: the abort knows. */
  | { kind: 'interrupted' };

/** A whole answer, bytes: above any model's output, below what would hurt. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** One SSE event, bytes: room for an image in base64. */
const EVENT_BYTES_MAX = 8 * 1024 * 1024;
/** Held back until the first content; a provider that sends more without any is broken. */
const PREAMBLE_EVENTS_MAX = 1_000;
const PREAMBLE_BYTES_MAX = EVENT_BYTES_MAX + 1024 * 1024;

const failed = (why: FailureKind, message: string): NoAnswer => ({ kind: 'failed', why, message });

// ── Answers that come whole ──────────────────────────────────────────────────────────────────────

export interface Completion {
  readonly kind: 'completion';
  readonly bytes: Buffer;
  readonly json: unknown;
  readonly meter: Meter;
}

export async function readCompletion(
  reply: Answer,
  { dialect, request, abort }: Reading,
): Promise<Completion | NoAnswer> {
  const body = await readAll(reply.body, ANSWER_BYTES_MAX);
  if (body.kind !== 'end') reply.body.cancel();
  if (abort.reason !== null) return { kind: 'interrupted' };
  if (body.kind === 'too_large') {
    return failed('not_a_completion', `the answer is larger than ${ANSWER_BYTES_MAX} bytes`);
  }
  if (body.kind === 'failed') return failed('broken', body.message);
  const meter = dialect.newMeter(request);
  const json = parseJson(body.bytes);
  const kind = meter.observeAnswer(json);
  if (kind === 'completion') return { kind, bytes: body.bytes, json, meter };
  if (kind === 'error') {
    return failed('error_in_answer', meter.error?.message ?? 'error in a 200 answer');
  }
  const message = 'the provider answered 200 with something that is no answer';
  return failed('not_a_completion', message);
}

type ReadAll =
  | { kind: 'end'; bytes: Buffer }
  | { kind: 'too_large'; bytes: Buffer }
  | { kind: 'failed'; bytes: Buffer; message: string };

export async function readAll(body: UpstreamBody, bytesMax: number): Promise<ReadAll> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = await body.next();
    switch (chunk.kind) {
      case 'chunk':
        size += chunk.bytes.length;
        chunks.push(chunk.bytes);
        if (size > bytesMax) return { kind: 'too_large', bytes: Buffer.concat(chunks) };
        break;
      case 'end':
        return { kind: 'end', bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) };
      case 'failed':
        return { kind: 'failed', bytes: Buffer.concat(chunks), message: chunk.message };
      case 'aborted':
        return { kind: 'failed', bytes: Buffer.concat(chunks), message: 'aborted' };
    }
  }
}

// ── Streams ──────────────────────────────────────────────────────────────────────────────────────

export interface Begun {
  readonly kind: 'streaming';
  readonly headers: UpstreamHeaders;
  readonly stream: LiveStream;
}

/** Reads until the first content (or the end), so that an error in the first frames is not committed. */
export async function beginStream(reply: Answer, reading: Reading): Promise<Begun | NoAnswer> {
  const { dialect, request, abort } = reading;
  const { body, headers } = reply;
  const contentType = headerOf(headers, 'content-type') ?? '';
  if (!/^text\/event-stream\b/i.test(contentType)) return beginWithWhole(reply, reading);
  const splitter = createSseSplitter({ eventBytesMax: EVENT_BYTES_MAX });
  const newMeter = () => dialect.newMeter(request);
  const probe = newMeter();
  const first: SseEvent[] = [];
  for (;;) {
    const chunk = await body.next();
    if (chunk.kind !== 'chunk') {
      body.cancel();
      if (abort.reason !== null) return { kind: 'interrupted' };
      const message =
        chunk.kind === 'failed' ? chunk.message : 'the stream ended before any content';
      return failed('broken', message);
    }
    const step = judgeFirst(splitter, probe, chunk.bytes, first);
    if (step === 'begun') break;
    if (step !== 'more') {
      body.cancel();
      return step;
    }
  }
  abort.within(0);
  return { kind: 'streaming', headers, stream: { first, splitter, body, abort, newMeter } };
}

/** Looks at events without counting them: whoever passes them on meters each one. */
function judgeFirst(
  splitter: SseSplitter,
  probe: Meter,
  bytes: Buffer,
  first: SseEvent[],
): 'more' | 'begun' | NoAnswer {
  let events: SseEvent[];
  try {
    events = splitter.push(bytes);
  } catch (error) {
    if (!(error instanceof SseEventTooLargeError)) throw error;
    return failed('not_a_completion', error.message);
  }
  let begun = false;
  for (const event of events) {
    first.push(event);
    if (begun) continue;
    const verdict = judgeEvent(event, probe);
    if (verdict.kind === 'damaged') return failed('damaged_event', verdict.message);
    if (verdict.kind === 'error') return failed('error_in_answer', verdict.message);
    // An end without a beginning is no answer.
    if (verdict.kind === 'done' && !probe.hasChunks) {
      return failed('not_a_completion', 'the provider sent an empty stream');
    }
    begun = verdict.kind === 'done' || verdict.kind === 'content' || probe.anyFinished;
  }
  if (begun) return 'begun';
  const held = first.reduce((sum, { raw }) => sum + raw.length, 0);
  if (first.length > PREAMBLE_EVENTS_MAX || held > PREAMBLE_BYTES_MAX) {
    return failed('not_a_completion', 'the provider sent no content');
  }
  return 'more';
}

/** A stream was asked for and something else came: an error in a 200, a page, or a whole completion. */
async function beginWithWhole(reply: Answer, reading: Reading): Promise<Begun | NoAnswer> {
  const { dialect, request, abort } = reading;
  const read = await readCompletion(reply, reading);
  if (read.kind !== 'completion') return read;
  const bytes = dialect.streamOfWhole(read.json);
  if (bytes === null)
    return failed('not_a_completion', 'the answer is no stream, nor can it be one');
  abort.within(0);
  const splitter = createSseSplitter({ eventBytesMax: bytes.length });
  const headers = { ...reply.headers, 'content-type': 'text/event-stream; charset=utf-8' };
  const newMeter = () => dialect.newMeter(request);
  const stream = { first: splitter.push(bytes), splitter, body: ENDED, abort, newMeter };
  return { kind: 'streaming', headers, stream };
}

export function headerOf(headers: UpstreamHeaders, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
