/**
 * One attempt: one request to one candidate, up to the point where an answer is known to have begun
 * (a stream with its first content, or all of it where the policy holds it back) or to be whole
 * (everything else). Until then nothing has gone to the caller, so every failure here may move on to
 * the next candidate.
 */

import { type ApiRequest, ENDPOINT_PATHS } from '../openai/api-request.ts';
import {
  namesStreamOptions,
  readUpstreamError,
  refusesBoundKey,
  type UpstreamError,
} from '../openai/error-body.ts';
import type { BoundKey } from '../openai/rewrite-body.ts';
import type { Upstream, UpstreamHeaders, UpstreamReply } from '../ports.ts';
import { holdBack } from '../stream/hold-back.ts';
import type { LiveStream } from '../stream/live-stream.ts';
import type { Meter } from '../stream/meter.ts';
import { type AttemptAbort, createAbort } from './abort.ts';
import type { Candidate } from './choose.ts';
import { type Failure, type FailureKind, failureOfAnswer, retryAfterOf } from './failure.ts';
import { beginStream, headerOf, readAll, readCompletion } from './read-answer.ts';

export type AttemptResult =
  | { kind: 'whole'; headers: UpstreamHeaders; bytes: Buffer; meter: Meter }
  | { kind: 'streaming'; headers: UpstreamHeaders; stream: LiveStream }
  /** `refusal`: what the provider said, where it said something about the request. */
  | { kind: 'failed'; failure: Failure; refusal: ProviderRefusal | null }
  /** The provider refuses the request itself; no other candidate would answer otherwise. */
  | { kind: 'request_refused'; refusal: ProviderRefusal }
  /** The caller left, or the process ends. `sent`: the provider may have seen the request. */
  | { kind: 'abandoned'; sent: boolean };

export interface ProviderRefusal {
  readonly status: number;
  readonly error: UpstreamError;
  readonly headers: UpstreamHeaders;
}

export interface AttemptDeps {
  readonly upstream: Upstream;
  readonly nowMs: () => number;
}

/** What is sent differently to a provider whose 400 has named it. */
export interface Spelling {
  /** Without `stream_options`. */
  readonly plain: boolean;
  /** The output bound under the other one of its two names. */
  readonly otherBound: boolean;
}

export interface AttemptOrder {
  readonly candidate: Candidate;
  readonly request: ApiRequest;
  readonly body: (spelling: Spelling) => Buffer;
  /** The name under which the output bound is sent; null = none is, both are, or there is no other. */
  readonly boundKey: BoundKey | null;
  /** Null = a stream is passed on as soon as it has begun. */
  readonly holdBack: { readonly bytesMax: number; readonly untilMs: number } | null;
  readonly correlationId: string;
  readonly anotherIsLeft: boolean;
  readonly shutdown: AbortSignal;
  readonly clientGone: AbortSignal;
}

const ERROR_BYTES_MAX = 64 * 1024;
/** An error status is the verdict; its body, which may dribble, only words it. */
const ERROR_BODY_MS = 2_000;

export async function attempt(deps: AttemptDeps, order: AttemptOrder): Promise<AttemptResult> {
  const { totalMs } = order.candidate.provider.timeouts;
  const abort = createAbort({ ...order, streaming: order.request.stream, totalMs });
  let handedOver = false;
  try {
    armFirst(abort, order);
    const { reply, refused } = await sendUnderstood(deps, order, abort);
    if (reply.kind !== 'answer') return endedEarly(reply, abort);
    if (refused !== null) return judgeRefused(refused, deps.nowMs());
    const result = await readAnswer(deps, order, reply, abort);
    handedOver = result.kind === 'streaming';
    return result;
  } finally {
    if (handedOver) abort.outliveClient();
    else abort.done();
  }
}

/** These bind only while somebody else could still answer; the total time is the last word. */
function armFirst(abort: AttemptAbort, order: AttemptOrder): void {
  if (!order.anotherIsLeft) return;
  const { firstTokenMs, answerMs } = order.candidate.provider.timeouts;
  abort.within(order.request.stream ? firstTokenMs : answerMs);
}

interface Sent {
  readonly reply: UpstreamReply;
  readonly refused: ProviderRefusal | null;
}

/** Sends; and once more, spelled otherwise, for each thing that the provider says it does not know. */
async function sendUnderstood(
  deps: AttemptDeps,
  order: AttemptOrder,
  abort: AttemptAbort,
): Promise<Sent> {
  let spelling: Spelling = { plain: false, otherBound: false };
  for (;;) {
    const reply = await deps.upstream.send(order.candidate.provider, {
      body: order.body(spelling),
      path: ENDPOINT_PATHS[order.candidate.dialect.endpoint],
      correlationId: order.correlationId,
      streaming: order.request.stream,
      signal: abort.signal,
    });
    const refused = await refusalOf(reply, abort);
    const other = refused === null ? null : otherSpelling(refused, spelling, order);
    if (other === null) return { reply, refused };
    spelling = other;
    abort.within(0);
    armFirst(abort, order);
  }
}

/** OpenAI's servers say 400 to a parameter that they do not know, Mistral's 422. Each thing is changed once. */
function otherSpelling(
  { status, error }: ProviderRefusal,
  spelling: Spelling,
  { request, boundKey }: AttemptOrder,
): Spelling | null {
  if (status !== 400 && status !== 422) return null;
  if (request.stream && !spelling.plain && namesStreamOptions(error)) {
    return { ...spelling, plain: true };
  }
  const isBound = boundKey !== null && !spelling.otherBound && refusesBoundKey(error, boundKey);
  return isBound ? { ...spelling, otherBound: true } : null;
}

/** Reads the body of an answer that is an error; null where it is none. */
async function refusalOf(
  reply: UpstreamReply,
  abort: AttemptAbort,
): Promise<ProviderRefusal | null> {
  if (reply.kind !== 'answer' || (reply.status >= 200 && reply.status < 300)) return null;
  const { status, headers } = reply;
  abort.within(ERROR_BODY_MS);
  const body = await readAll(reply.body, ERROR_BYTES_MAX);
  if (body.kind !== 'end') reply.body.cancel();
  const contentType = headerOf(headers, 'content-type') ?? undefined;
  return { status, headers, error: readUpstreamError(status, contentType, body.bytes) };
}

function judgeRefused(refusal: ProviderRefusal, nowMs: number): AttemptResult {
  const { status, error, headers } = refusal;
  const kind = failureOfAnswer(status, error);
  if (kind === null) return { kind: 'request_refused', refusal };
  const retryAfterMs = retryAfterOf(headers, nowMs);
  return {
    kind: 'failed',
    failure: { kind, message: error.message, status, retryAfterMs },
    refusal: kind === 'context_too_small' ? refusal : null,
  };
}

async function readAnswer(
  deps: AttemptDeps,
  order: AttemptOrder,
  reply: UpstreamReply & { kind: 'answer' },
  abort: AttemptAbort,
): Promise<AttemptResult> {
  const { headers } = reply;
  const { candidate, request } = order;
  const reading = { dialect: candidate.dialect, request, abort };
  if (!request.stream) {
    const read = await readCompletion(reply, reading);
    if (read.kind === 'interrupted') return endedEarly(reply, abort);
    if (read.kind === 'failed') return failed(read.why, read.message);
    return { kind: 'whole', headers, bytes: read.bytes, meter: read.meter };
  }
  const begun = await beginStream(reply, reading);
  if (begun.kind === 'interrupted') return endedEarly(reply, abort);
  if (begun.kind === 'failed') return failed(begun.why, begun.message);
  if (order.holdBack === null) return begun;
  const held = await holdBack({
    ...order.holdBack,
    stream: begun.stream,
    idleMs: candidate.provider.timeouts.idleMs,
    nowMs: deps.nowMs,
  });
  switch (held.kind) {
    case 'streaming':
      return { ...begun, stream: held.stream };
    case 'failed':
      return failed(held.why, held.message);
    case 'aborted':
      return endedEarly(reply, abort);
  }
}

function endedEarly(reply: UpstreamReply, abort: AttemptAbort): AttemptResult {
  if (abort.reason === 'abandoned') {
    return { kind: 'abandoned', sent: reply.kind !== 'aborted' || reply.sent };
  }
  if (abort.reason === 'timeout') return failed('timeout', 'no answer in time');
  if (reply.kind === 'failed') return failed(reply.failure.kind, reply.failure.message);
  return failed('broken', 'the connection ended early');
}

function failed(kind: FailureKind, message: string): AttemptResult {
  return {
    kind: 'failed',
    failure: { kind, message, status: null, retryAfterMs: null },
    refusal: null,
  };
}
