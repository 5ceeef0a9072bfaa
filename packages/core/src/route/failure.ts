/**
 * The failure matrix: what a failed attempt means. Every attempt that fails has one of these kinds,
 * and the kind alone decides what happens next, what the breaker hears, what the caller is told if
 * nobody else answers, and whether the provider may have charged for it. A failed attempt never costs
 * the agent anything. `docs/failures.md` is made of these tables.
 */
import type { CoreErrorCode } from '../errors.ts';
import type { UpstreamError } from '../openai/error-body.ts';
import type { CoolDown, Verdict } from './breaker/registry.ts';

export interface FailureRule {
  /** Whom it says something about; null = nobody, the breaker hears nothing. */
  readonly blames: 'provider' | 'model' | null;
  readonly coolDown: CoolDown;
  /** Passing by itself and surely unbilled, so that the same provider may be asked again after a wait. */
  readonly again: boolean;
  /** The provider may have worked on the prompt, and charge for it: logged as lost, bounded per agent. */
  readonly mayBeBilled: boolean;
  /** What the caller is told where every candidate has failed like this. */
  readonly code: Extract<
    CoreErrorCode,
    'rate_limited' | 'provider_timeout' | 'provider_error' | 'context_length_exceeded'
  >;
  /** `x-should-retry` where every candidate has failed like this: it can help, and costs nothing. */
  readonly shouldRetry: boolean;
}

const PROVIDER_FAILS = {
  blames: 'provider',
  coolDown: 'usual',
  again: false,
  mayBeBilled: false,
  code: 'provider_error',
  shouldRetry: false,
} as const satisfies FailureRule;

/** A redirect is not followed: a provider could point the prompt and its key anywhere. */
export const FAILURES = {
  not_connected: { ...PROVIDER_FAILS, again: true, shouldRetry: true },
  rate_limited: { ...PROVIDER_FAILS, again: true, code: 'rate_limited', shouldRetry: true },
  // Core has asked again itself already; an SDK on top of that would multiply the load.
  server_error: { ...PROVIDER_FAILS, again: true },
  timeout: { ...PROVIDER_FAILS, mayBeBilled: true, code: 'provider_timeout' },
  broken: { ...PROVIDER_FAILS, mayBeBilled: true },
  damaged_event: { ...PROVIDER_FAILS, mayBeBilled: true },
  not_a_completion: { ...PROVIDER_FAILS, mayBeBilled: true },
  error_in_answer: { ...PROVIDER_FAILS, mayBeBilled: true },
  redirect: PROVIDER_FAILS,
  credentials: { ...PROVIDER_FAILS, coolDown: 'credentials' },
  payment: { ...PROVIDER_FAILS, coolDown: 'payment' },
  model_missing: { ...PROVIDER_FAILS, blames: 'model' },
  model_overloaded: { ...PROVIDER_FAILS, blames: 'model', again: true },
  context_too_small: { ...PROVIDER_FAILS, blames: null, code: 'context_length_exceeded' },
} as const satisfies Record<string, FailureRule>;

export type FailureKind = keyof typeof FAILURES;

export interface Failure {
  readonly kind: FailureKind;
  readonly status: number | null;
  readonly message: string;
  readonly retryAfterMs: number | null;
}

/** How a stream can end after its first byte has gone to the caller: nothing can be tried again. */
export const STREAM_ENDS = {
  whole: { heard: 'healthy' },
  broken: {
    heard: 'failing',
    scope: 'provider',
    coolDown: 'usual',
    pauseMs: 0,
    repeated: false,
  },
  client_gone: { heard: 'nothing' },
} as const satisfies Record<string, Verdict>;

/** Upstream statuses, first match; null = the request itself is at fault, so nobody else is asked. */
export const STATUSES: readonly {
  readonly from: number;
  readonly to: number;
  readonly kind: FailureKind | null;
}[] = [
  { from: 300, to: 399, kind: 'redirect' },
  { from: 401, to: 401, kind: 'credentials' },
  { from: 402, to: 402, kind: 'payment' },
  { from: 403, to: 403, kind: 'credentials' },
  { from: 404, to: 405, kind: 'model_missing' },
  { from: 408, to: 408, kind: 'timeout' },
  { from: 429, to: 429, kind: 'rate_limited' },
  // The provider's own upstream may have worked on it: not surely unbilled.
  { from: 504, to: 504, kind: 'timeout' },
  { from: 524, to: 524, kind: 'timeout' },
  { from: 400, to: 499, kind: null },
  { from: 500, to: 999, kind: 'server_error' },
];

/**
 * What an error status means, given the provider's words. Words decide only where a status says
 * several things: 403 is also moderation, overload is often one model's, and some say 400 to a model
 * that they lack.
 */
export function failureOfAnswer(status: number, error: UpstreamError): FailureKind | null {
  const { code, message } = error;
  if (status === 403 && /moderation|flagged|content[ _]policy/i.test(`${code} ${message}`)) {
    return null;
  }
  if (status === 400 || status === 403) {
    if (/^(?:model_not_found|model_not_available|unknown_model)$/i.test(code ?? '')) {
      return 'model_missing';
    }
    if (status === 403 && /\baccess to (?:the )?model\b/i.test(message)) return 'model_missing';
  }
  if (status === 400 || status === 413) {
    if (code === 'context_length_exceeded') return 'context_too_small';
    if (/maximum context length|context (?:window|length) exceeded/i.test(message)) {
      return 'context_too_small';
    }
  }
  if ((status === 429 || status >= 500) && MODEL_OVERLOADED.test(message))
    return 'model_overloaded';
  return STATUSES.find(({ from, to }) => status >= from && status <= to)?.kind ?? null;
}

const MODEL_OVERLOADED =
  /\bmodel\b.{0,80}\b(?:overloaded|at capacity|no capacity|capacity exceeded)|capacity exceeded for this model/i;

/** What the breaker hears. `repeated`: the same request has failed at this provider before. */
export function verdictOf(failure: Failure, pauseMsMax: number, repeated: boolean): Verdict {
  const { blames, coolDown } = FAILURES[failure.kind];
  if (blames === null) return { heard: 'nothing' };
  const pauseMs = Math.min(failure.retryAfterMs ?? 0, pauseMsMax);
  return { heard: 'failing', scope: blames, coolDown, pauseMs, repeated };
}

const RETRY_AFTER_MS_MAX = 3_600_000;

/** The headers that say when to come back, OpenAI's own in milliseconds first; ms, or null where none can be read. */
export function retryAfterOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): number | null {
  const exact = textOf(headers['retry-after-ms']);
  if (exact !== null && /^\d{1,9}(?:\.\d+)?$/.test(exact)) {
    return Math.min(Math.ceil(Number(exact)), RETRY_AFTER_MS_MAX);
  }
  return parseRetryAfter(headers['retry-after'], nowMs);
}

/** RFC 9110 §10.2.3: delta-seconds or an HTTP date; ms, null where absent or unreadable. */
export function parseRetryAfter(
  value: string | string[] | undefined,
  nowMs: number,
): number | null {
  const text = textOf(value);
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text) * 1000, RETRY_AFTER_MS_MAX);
  // Date.parse alone takes almost anything, "-5" for one.
  const atMs = /^[A-Za-z]{3,9},? .* GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) return null;
  return Math.min(Math.max(0, atMs - nowMs), RETRY_AFTER_MS_MAX);
}

function textOf(value: string | string[] | undefined): string | null {
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined ? null : text.trim();
}
