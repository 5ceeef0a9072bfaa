/**
 * The vault's refusals: code → HTTP status, and whether the same command may be sent again
 * unchanged with a chance of another answer. Core branches on the code, never on the text.
 */
export const VAULT_ERRORS = {
  invalid_request: { status: 400, transient: false },
  invalid_json: { status: 400, transient: false },
  invalid_cursor: { status: 400, transient: false },
  /** Missing, malformed, unknown, revoked or expired agent token. */
  invalid_token: { status: 401, transient: false },
  /** Missing or wrong operator or internal token. */
  unauthorized: { status: 401, transient: false },
  insufficient_balance: { status: 402, transient: false },
  policy_denied: { status: 403, transient: false },
  /** Over a limit, and a human was asked; `approval_id` says where. */
  approval_required: { status: 403, transient: false },
  agent_disabled: { status: 403, transient: false },
  insufficient_scope: { status: 403, transient: false },
  not_found: { status: 404, transient: false },
  method_not_allowed: { status: 405, transient: false },
  idempotency_conflict: { status: 409, transient: false },
  already_released: { status: 409, transient: false },
  already_settled: { status: 409, transient: false },
  /** This invoice is being paid or has been paid, or waits for a human at the same agent's asking. */
  already_paid: { status: 409, transient: false },
  /** The approval has ended already. */
  already_resolved: { status: 409, transient: false },
  already_settled_differently: { status: 409, transient: false },
  /** An agent has as many usable tokens as it may have. */
  too_many_tokens: { status: 409, transient: false },
  /** This ecash was deposited before. */
  already_deposited: { status: 409, transient: false },
  /** The mint has not issued this ecash, or it was spent before. */
  token_spent: { status: 409, transient: false },
  /** An agent has as many waiting deposits as it may have. */
  too_many_deposits: { status: 409, transient: false },
  expired: { status: 409, transient: false },
  request_too_large: { status: 413, transient: false },
  unsupported_media_type: { status: 415, transient: false },
  /** Too many requests of one token, or too much written in a day; `retry-after` says when. */
  rate_limited: { status: 429, transient: true },
  /** The engine's queue is full; nothing was applied. */
  overloaded: { status: 503, transient: true },
  draining: { status: 503, transient: true },
  /** The disk is full, read-only or failing: nothing new is accepted, nothing acknowledged is lost. */
  storage_unavailable: { status: 503, transient: true },
  /** The commit's outcome is not known; ask again with the same id. */
  outcome_unknown: { status: 503, transient: true },
  /** Payments on this rail are stopped until the operator has looked at it. */
  rail_frozen: { status: 503, transient: true },
  /** The wallet does not answer; nothing was changed. */
  wallet_unavailable: { status: 503, transient: true },
  /** Restored from a backup: nothing is held or paid until the operator has finished the recovery. */
  recovering: { status: 503, transient: true },
  /** Recovery cannot be finished yet: of `unasked` payments the wallet has not said what it knows. */
  wallet_not_asked: { status: 409, transient: true },
  /** The vault is not in recovery mode. */
  not_recovering: { status: 409, transient: false },
  internal_error: { status: 500, transient: true },
} as const satisfies Record<string, { status: number; transient: boolean }>;

export type VaultErrorCode = keyof typeof VAULT_ERRORS;

export interface VaultErrorBody {
  error: { code: VaultErrorCode; message: string; [detail: string]: unknown };
}
