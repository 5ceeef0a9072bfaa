import {
  type AgentScope,
  VAULT_ERRORS,
  type VaultErrorBody,
  type VaultErrorCode,
} from '@arbstr/shared';

/**
 * A business answer of "no": data, not an exception. Nothing was changed by a command that was
 * refused, except where its code says otherwise (`outcome_unknown`).
 */
export interface Refusal {
  refused: VaultErrorCode;
  message: string;
  /** Stand inside `error` on the wire, beside code and message. */
  details?: Record<string, unknown>;
}

export function refuse(
  code: VaultErrorCode,
  message: string,
  details?: Record<string, unknown>,
): Refusal {
  return details === undefined ? { refused: code, message } : { refused: code, message, details };
}

export const insufficientScope = (needed: AgentScope, scopes: readonly AgentScope[]): Refusal =>
  refuse(
    'insufficient_scope',
    `this needs a token with the scope ${needed}; the operator can make one`,
    { required_scope: needed, scopes: [...scopes] },
  );

export function isRefusal(outcome: object): outcome is Refusal {
  return 'refused' in outcome;
}

export function errorBody(refusal: Refusal): VaultErrorBody {
  return { error: { code: refusal.refused, message: refusal.message, ...refusal.details } };
}

export function statusOf(refusal: Refusal): number {
  return VAULT_ERRORS[refusal.refused].status;
}

/** A refusal as an exception, for the places that cannot go on (authentication, parsing). */
export class VaultError extends Error {
  readonly refusal: Refusal;

  constructor(code: VaultErrorCode, message: string, details?: Record<string, unknown>) {
    super(message);
    this.name = 'VaultError';
    this.refusal = refuse(code, message, details);
  }

  static of({ refused, message, details }: Refusal): VaultError {
    return new VaultError(refused, message, details);
  }
}

/** The process cannot start; the message is the whole line that the operator sees. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
