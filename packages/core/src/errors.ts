import { openaiError } from './openai/error-body.ts';

/**
 * Every refusal of core, in one table: code → HTTP status, OpenAI error type, and whether the SDK's
 * own retry can help at no cost (`x-should-retry`). In each case the money is where it was before
 * the request, unless the comment says otherwise.
 */
export const CORE_ERRORS = {
  invalid_json: { status: 400, type: 'invalid_request_error', retry: false },
  invalid_request: { status: 400, type: 'invalid_request_error', retry: false },
  unsupported_parameter: { status: 400, type: 'invalid_request_error', retry: false },
  context_length_exceeded: { status: 400, type: 'invalid_request_error', retry: false },
  invalid_api_key: { status: 401, type: 'authentication_error', retry: false },
  insufficient_balance: { status: 402, type: 'insufficient_quota', retry: false },
  policy_denied: { status: 403, type: 'permission_error', retry: false },
  /** Over the agent's limit; a human was asked, and the same request may pass once they agree. */
  approval_required: { status: 403, type: 'permission_error', retry: false },
  /** The agent's spend policy names the models that it may use. */
  model_not_allowed: { status: 403, type: 'permission_error', retry: false },
  unknown_policy: { status: 400, type: 'invalid_request_error', retry: false },
  insufficient_scope: { status: 403, type: 'permission_error', retry: false },
  agent_disabled: { status: 403, type: 'permission_error', retry: false },
  model_not_found: { status: 404, type: 'invalid_request_error', retry: false },
  not_found: { status: 404, type: 'invalid_request_error', retry: false },
  /** The same key: another body, still running, or an answer that is not kept. Never billed twice. */
  idempotency_conflict: { status: 409, type: 'invalid_request_error', retry: false },
  request_too_large: { status: 413, type: 'invalid_request_error', retry: false },
  unsupported_media_type: { status: 415, type: 'invalid_request_error', retry: false },
  rate_limited: { status: 429, type: 'rate_limit_error', retry: true },
  /** Every candidate failed; failed attempts cost the agent nothing. */
  provider_error: { status: 502, type: 'api_error', retry: false },
  provider_timeout: { status: 504, type: 'api_error', retry: false },
  no_healthy_provider: { status: 503, type: 'api_error', retry: true },
  vault_unavailable: { status: 503, type: 'api_error', retry: true },
  overloaded: { status: 503, type: 'api_error', retry: true },
  draining: { status: 503, type: 'api_error', retry: true },
  /** The journal cannot be written, so nothing may be dispatched. */
  storage_unavailable: { status: 503, type: 'api_error', retry: true },
  internal_error: { status: 500, type: 'api_error', retry: false },
} as const satisfies Record<string, { status: number; type: string; retry: boolean }>;

export type CoreErrorCode = keyof typeof CORE_ERRORS;

/** An answer that is an error: what the HTTP layer writes, as plain data. */
export interface Refusal {
  readonly kind: 'refused';
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly message: string;
  readonly param: string | null;
  /** Stand beside the message, inside `error`. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterSecs: number | null;
  readonly shouldRetry: boolean;
}

interface RefusalOptions {
  param?: string | null;
  details?: Record<string, unknown>;
  retryAfterSecs?: number | null;
  shouldRetry?: boolean;
}

const RETRY_AFTER_SECS_DEFAULT = 1;

export function refuse(
  code: CoreErrorCode,
  message: string,
  options: RefusalOptions = {},
): Refusal {
  const { status, type, retry } = CORE_ERRORS[code];
  const shouldRetry = options.shouldRetry ?? retry;
  return {
    kind: 'refused',
    status,
    type,
    code,
    message,
    param: options.param ?? null,
    details: options.details ?? {},
    retryAfterSecs:
      options.retryAfterSecs ??
      (status === 503 || status === 429 ? RETRY_AFTER_SECS_DEFAULT : null),
    shouldRetry,
  };
}

/** A provider's own 4xx about the request: its status and words, in our shape. */
export function refuseAsProvider(
  status: number,
  error: { message: string; type: string | null; code: string | null; param: string | null },
): Refusal {
  return {
    kind: 'refused',
    status,
    type: error.type ?? 'invalid_request_error',
    code: error.code,
    message: error.message,
    param: error.param,
    details: {},
    retryAfterSecs: null,
    shouldRetry: false,
  };
}

export const refusalBody = (refusal: Refusal) => openaiError(refusal, refusal.details);
