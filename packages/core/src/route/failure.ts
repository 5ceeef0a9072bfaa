/**
 * What a failed attempt means: whether the next candidate is tried, what the breaker hears, and what
 * the caller is told if nobody else answers. One table for statuses, one for everything else.
 * A failed attempt never costs the agent anything.
 */
import type { Report } from './breaker/state.ts';

export type FailureKind =
  | 'rate_limited'
  | 'timeout'
  | 'not_connected'
  | 'broken'
  | 'credentials'
  | 'model_missing'
  | 'server_error'
  | 'redirect'
  | 'not_a_completion'
  | 'error_in_answer';

export interface Failure {
  readonly kind: FailureKind;
  readonly status: number | null;
  readonly message: string;
  readonly retryAfterSecs: number | null;
}

/** A redirect is not followed: a provider could point the prompt and its key anywhere. */
export const FAILURES: Record<FailureKind, { readonly breaker: Report }> = {
  rate_limited: { breaker: 'failing' },
  timeout: { breaker: 'failing' },
  not_connected: { breaker: 'failing' },
  broken: { breaker: 'failing' },
  credentials: { breaker: 'failing' },
  model_missing: { breaker: 'nothing' },
  server_error: { breaker: 'failing' },
  redirect: { breaker: 'failing' },
  not_a_completion: { breaker: 'failing' },
  error_in_answer: { breaker: 'failing' },
};

/** Upstream status → kind of failure; null = the request itself is at fault, or it is an answer. */
export function failureOfStatus(status: number): FailureKind | null {
  if (status === 401 || status === 402 || status === 403) return 'credentials';
  if (status === 404) return 'model_missing';
  if (status === 408) return 'timeout';
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_error';
  if (status >= 300 && status < 400) return 'redirect';
  return null;
}

const RETRY_AFTER_SECS_MAX = 3600;

/** RFC 9110 §10.2.3: delta-seconds or an HTTP date; null where absent or unreadable. */
export function parseRetryAfter(
  value: string | string[] | undefined,
  nowMs: number,
): number | null {
  const text = Array.isArray(value) ? value[0] : value;
  if (text === undefined) return null;
  const trimmed = text.trim();
  if (/^\d{1,9}$/.test(trimmed)) return Math.min(Number(trimmed), RETRY_AFTER_SECS_MAX);
  // Date.parse alone takes almost anything, "-5" for one.
  const atMs = /^[A-Za-z]{3,9},? .* GMT$/.test(trimmed) ? Date.parse(trimmed) : Number.NaN;
  if (Number.isNaN(atMs)) return null;
  return Math.min(Math.max(0, Math.ceil((atMs - nowMs) / 1000)), RETRY_AFTER_SECS_MAX);
}
