/**
 * One attempt: one request to one candidate, up to the point where an answer is known to have begun
 * (a stream with its first content) or to be whole (everything else). Until then nothing has gone
 * to the caller, so every failure here may move on to the next candidate.
 */
import { namesStreamOptions, readUpstreamError, type UpstreamError } from '../openai/error-body.ts';
import type {
  BodyChunk,
  Upstream,
  UpstreamBody,
  UpstreamHeaders,
  UpstreamReply,
} from '../ports.ts';
import { createMeter, type Meter } from '../stream/meter.ts';
import {
  createSseSplitter,
  type SseEvent,
  SseEventTooLargeError,
  type SseSplitter,
} from '../stream/sse.ts';
import type { Candidate } from './choose.ts';
import { type Failure, type FailureKind, failureOfStatus, parseRetryAfter } from './failure.ts';

export type AttemptResult =
  | { kind: 'whole'; headers: UpstreamHeaders; bytes: Buffer; meter: Meter }
  | { kind: 'streaming'; headers: UpstreamHeaders; stream: LiveStream }
  | { kind: 'failed'; failure: Failure }
  /** The provider refuses the request itself; no other candidate would answer otherwise. */
  | { kind: 'request_refused'; status: number; error: UpstreamError; headers: UpstreamHeaders }
  /** The caller left, or the process ends. `sent`: the provider may have seen the request. */
  | { kind: 'abandoned'; sent: boolean };

/** A stream whose first events have been read and judged, but not yet sent to anybody. */
export interface LiveStream {
  readonly first: readonly SseEvent[];
  readonly splitter: SseSplitter;
  readonly body: UpstreamBody;
  readonly abort: Abort;
}

export interface AttemptDeps {
  readonly upstream: Upstream;
  readonly nowMs: () => number;
}

export interface AttemptOrder {
  readonly candidate: Candidate;
  /** With our usage request, and without any for a provider that refuses it. */
  readonly body: Buffer;
  readonly plainBody: () => Buffer;
  readonly streaming: boolean;
  readonly correlationId: string;
  readonly anotherIsLeft: boolean;
  /** The drain is over: ends the attempt, and the stream that may come of it. */
  readonly shutdown: AbortSignal;
  /** The caller has left. A stream that has not begun ends; a whole answer is read on, as the provider bills it. */
  readonly clientGone: AbortSignal;
}

/** A whole answer, bytes: above any model's output, below what would hurt. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const ERROR_BYTES_MAX = 64 * 1024;
/** One SSE event, bytes: room for an image in base64. */
export const EVENT_BYTES_MAX = 8 * 1024 * 1024;
/** Held back until the first content; a provider that sends more without any is broken. */
const PREAMBLE_EVENTS_MAX = 1_000;
const PREAMBLE_BYTES_MAX = EVENT_BYTES_MAX + 1024 * 1024;
/** An error status is the verdict; its body, which may dribble, only words it. */
const ERROR_BODY_MS = 2_000;

/** Who ended an attempt early. The first reason stays. */
export interface Abort {
  readonly signal: AbortSignal;
  readonly reason: 'timeout' | 'abandoned' | null;
  fire(reason: 'timeout' | 'abandoned'): void;
  /** Restarts the timer that runs while bytes are awaited; 0 stops it. */
  within(ms: number): void;
  /** Stops every timer and listener. */
  done(): void;
}

export async function attempt(deps: AttemptDeps, order: AttemptOrder): Promise<AttemptResult> {
  const abort = createAbort(order);
  let handedOver = false;
  try {
    armFirst(abort, order);
    let reply = await send(deps, order, order.body, abort);
    let error = await refusalOf(reply, abort);
    if (error !== null && refusesUsageRequest(error, order)) {
      reply = await send(deps, order, order.plainBody(), abort);
      error = await refusalOf(reply, abort);
    }
    if (reply.kind !== 'answer') return endedEarly(reply, abort);
    if (error !== null) return judgeError(error, reply, deps.nowMs());
    const result = order.streaming ? await openStream(reply, abort) : await readWhole(reply, abort);
    handedOver = result.kind === 'streaming';
    return result;
  } finally {
    if (handedOver) abort.outliveClient();
    else abort.done();
  }
}

function createAbort(order: AttemptOrder): Abort & { outliveClient(): void } {
  const controller = new AbortController();
  let reason: Abort['reason'] = null;
  let phase: NodeJS.Timeout | null = null;
  const fire = (why: 'timeout' | 'abandoned') => {
    if (reason !== null) return;
    reason = why;
    controller.abort();
  };
  const onAbandon = () => fire('abandoned');
  const total = setTimeout(() => fire('timeout'), order.candidate.provider.timeouts.totalMs);
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

/** These bind only while somebody else could still answer; the total time is the last word. */
function armFirst(abort: Abort, order: AttemptOrder): void {
  if (!order.anotherIsLeft) return;
  const { firstTokenMs, answerMs } = order.candidate.provider.timeouts;
  abort.within(order.streaming ? firstTokenMs : answerMs);
}

function send(
  deps: AttemptDeps,
  order: AttemptOrder,
  body: Buffer,
  abort: Abort,
): Promise<UpstreamReply> {
  return deps.upstream.send(order.candidate.provider, {
    body,
    correlationId: order.correlationId,
    streaming: order.streaming,
    signal: abort.signal,
  });
}

interface RefusedReply {
  readonly status: number;
  readonly error: UpstreamError;
}

/** OpenAI's servers say 400 to a parameter that they do not know, Mistral's 422. */
function refusesUsageRequest(
  { status, error }: RefusedReply,
  { streaming }: AttemptOrder,
): boolean {
  return streaming && (status === 400 || status === 422) && namesStreamOptions(error);
}

/** Reads the body of an answer that is an error; null where it is none. */
async function refusalOf(reply: UpstreamReply, abort: Abort): Promise<RefusedReply | null> {
  if (reply.kind !== 'answer' || (reply.status >= 200 && reply.status < 300)) return null;
  abort.within(ERROR_BODY_MS);
  const body = await readAll(reply.body, ERROR_BYTES_MAX);
  if (body.kind !== 'end') reply.body.cancel();
  const contentType = headerOf(reply.headers, 'content-type') ?? undefined;
  return { status: reply.status, error: readUpstreamError(reply.status, contentType, body.bytes) };
}

function judgeError(
  refused: RefusedReply,
  reply: UpstreamReply & { kind: 'answer' },
  nowMs: number,
): AttemptResult {
  const kind = failureOfStatus(refused.status);
  if (kind === null) {
    return { kind: 'request_refused', ...refused, headers: reply.headers };
  }
  return failed(kind, refused.error.message, {
    status: refused.status,
    retryAfterSecs: parseRetryAfter(reply.headers['retry-after'], nowMs),
  });
}

function endedEarly(reply: UpstreamReply, abort: Abort): AttemptResult {
  if (abort.reason === 'abandoned') {
    return { kind: 'abandoned', sent: reply.kind !== 'aborted' || reply.sent };
  }
  if (abort.reason === 'timeout') return failed('timeout', 'no answer in time');
  if (reply.kind === 'failed') return failed(reply.failure.kind, reply.failure.message);
  return failed('broken', 'the connection ended early');
}

function failed(
  kind: FailureKind,
  message: string,
  more: { status?: number; retryAfterSecs?: number | null } = {},
): AttemptResult {
  return {
    kind: 'failed',
    failure: {
      kind,
      message,
      status: more.status ?? null,
      retryAfterSecs: more.retryAfterSecs ?? null,
    },
  };
}

// ── Answers that come whole ──────────────────────────────────────────────────────────────────────

async function readWhole(
  reply: UpstreamReply & { kind: 'answer' },
  abort: Abort,
): Promise<AttemptResult> {
  const body = await readAll(reply.body, ANSWER_BYTES_MAX);
  if (body.kind !== 'end') reply.body.cancel();
  if (abort.reason !== null) return endedEarly(reply, abort);
  if (body.kind === 'too_large') {
    return failed('not_a_completion', `the answer is larger than ${ANSWER_BYTES_MAX} bytes`);
  }
  if (body.kind === 'failed') return failed('broken', body.message);
  const meter = createMeter();
  const kind = meter.observeAnswer(parseJson(body.bytes));
  if (kind === 'error')
    return failed('error_in_answer', meter.error?.message ?? 'error in a 200 answer');
  if (kind !== 'completion') {
    return failed(
      'not_a_completion',
      'the provider answered 200 with something that is no completion',
    );
  }
  return { kind: 'whole', headers: reply.headers, bytes: body.bytes, meter };
}

type ReadAll =
  | { kind: 'end'; bytes: Buffer }
  | { kind: 'too_large'; bytes: Buffer }
  | { kind: 'failed'; bytes: Buffer; message: string };

async function readAll(body: UpstreamBody, bytesMax: number): Promise<ReadAll> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk: BodyChunk = await body.next();
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

/** Reads until the first content (or the end), so that an error in the first frames is not committed. */
async function openStream(
  reply: UpstreamReply & { kind: 'answer' },
  abort: Abort,
): Promise<AttemptResult> {
  const contentType = headerOf(reply.headers, 'content-type') ?? '';
  if (!/^text\/event-stream\b/i.test(contentType)) {
    return readUnstreamed(reply, abort);
  }
  const splitter = createSseSplitter({ eventBytesMax: EVENT_BYTES_MAX });
  const probe = createMeter();
  const first: SseEvent[] = [];
  for (;;) {
    const chunk = await reply.body.next();
    if (chunk.kind !== 'chunk') {
      reply.body.cancel();
      if (chunk.kind === 'end') return failed('broken', 'the stream ended before any content');
      return endedEarly({ kind: 'failed', failure: brokenBy(chunk) }, abort);
    }
    const step = judgeFirst(splitter, probe, chunk.bytes, first);
    if (step === 'begun') break;
    if (step !== 'more') {
      reply.body.cancel();
      return failed(step.kind, step.message);
    }
  }
  abort.within(0);
  const stream: LiveStream = { first, splitter, body: reply.body, abort };
  return { kind: 'streaming', headers: reply.headers, stream };
}

const brokenBy = (chunk: BodyChunk): { kind: 'broken'; message: string } => ({
  kind: 'broken',
  message: chunk.kind === 'failed' ? chunk.message : 'aborted',
});

/** Looks at events without counting them: the relay meters each one as it passes. */
function judgeFirst(
  splitter: SseSplitter,
  probe: Meter,
  bytes: Buffer,
  first: SseEvent[],
): 'more' | 'begun' | { kind: FailureKind; message: string } {
  let events: SseEvent[];
  try {
    events = splitter.push(bytes);
  } catch (error) {
    if (error instanceof SseEventTooLargeError)
      return { kind: 'not_a_completion', message: error.message };
    throw error;
  }
  let begun = false;
  for (const event of events) {
    first.push(event);
    if (event.data === null || event.data === '' || begun) continue;
    if (event.data.startsWith('[DONE]')) {
      // An end without a beginning is no answer.
      if (!probe.hasChunks) return { kind: 'not_a_completion', message: 'an empty stream' };
      begun = true;
      continue;
    }
    const json = parseJson(event.data);
    if (json === undefined)
      return { kind: 'not_a_completion', message: 'the first event is not JSON' };
    const kind = event.event === 'error' ? 'error' : probe.observe(json);
    if (kind === 'error') {
      return {
        kind: 'error_in_answer',
        message: probe.error?.message ?? 'error in the first event',
      };
    }
    begun = kind === 'content' || probe.finishReasons.size > 0;
  }
  if (begun) return 'begun';
  const held = first.reduce((sum, { raw }) => sum + raw.length, 0);
  if (first.length > PREAMBLE_EVENTS_MAX || held > PREAMBLE_BYTES_MAX) {
    return { kind: 'not_a_completion', message: 'no content' };
  }
  return 'more';
}

/** A stream was asked for and something else came: an error in a 200, a page, a whole completion. */
async function readUnstreamed(
  reply: UpstreamReply & { kind: 'answer' },
  abort: Abort,
): Promise<AttemptResult> {
  const result = await readWhole(reply, abort);
  if (result.kind !== 'whole') return result;
  return failed('not_a_completion', 'a stream was asked for and the provider sent a whole answer');
}

export function parseJson(text: string | Buffer): unknown {
  try {
    return JSON.parse(typeof text === 'string' ? text : text.toString('utf8'));
  } catch {
    return undefined;
  }
}

export function headerOf(headers: UpstreamHeaders, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
