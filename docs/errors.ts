/**
 * Makes `docs/errors.md` from the two tables of error codes: `node docs/errors.ts`, then
 * `pnpm run fix`, which pads the tables. A test compares the file with what this makes, and the
 * types demand a sentence for every code.
 */
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CORE_ERRORS, type CoreErrorCode } from '../packages/core/src/errors.ts';
import { VAULT_ERRORS, type VaultErrorCode } from '../packages/shared/src/error-code.ts';

export const RESERVED = 'Reserved: nothing answers with it yet.';

export const CORE_WHEN: Record<CoreErrorCode, string> = {
  invalid_json: 'The body is not JSON, is cut off, or is no JSON object.',
  invalid_request: 'A field has the wrong type or value; `param` names it.',
  unsupported_parameter:
    'A parameter that changes price or model outside of what was reserved (the operator may allow it per provider: `allow_params`), that needs what one seller alone would remember (`previous_response_id`, `conversation`, `background`, an item by its id), or that no seller of the model can take; `param` names it, and the message the way around.',
  context_length_exceeded: 'The prompt is larger than the context window of every provider.',
  invalid_api_key:
    'The token is missing, wrong, revoked or expired. The message has the command that makes one.',
  insufficient_balance:
    'The agent has less available (`available_msats`) than the request may cost (`required_msats`). Lower `max_tokens`, or have the operator add funds.',
  policy_denied:
    "The agent's spend policy refuses, or the routing policy (`policy`) leaves no provider; `rule` says which limit.",
  approval_required:
    "The request is over a limit of the agent's spend policy and waits for the operator (`approval_id`, `expires_at`). Once approved, one such request passes within 10 minutes.",
  model_not_allowed: "The agent's spend policy does not allow the model (`allowed_models`).",
  unknown_policy: '`X-Arbstr-Policy` names a routing policy that is not configured.',
  insufficient_scope: 'The token may not spend.',
  agent_disabled: 'The operator has disabled the agent.',
  model_not_found:
    'No provider serves the model, or none at this endpoint; `GET /v1/models` lists what is served where.',
  not_found:
    'No such route, or no request of yours with this id. Responses are not stored: `GET /v1/responses/…` finds none.',
  idempotency_conflict:
    'The `Idempotency-Key` belongs to another body, to a request that is still running (`x-should-retry: true`), or to one that was billed and whose answer is not kept (`cost_msats`). Nothing was charged for this one.',
  request_too_large: 'The body is above `server.body_limit_mb`.',
  unsupported_media_type: 'The content type is malformed; send `application/json`.',
  rate_limited:
    'The caller is beyond `server.rate_limit_rps` or `server.max_concurrency_per_caller`, or every provider answered 429; `retry-after` says when to come again. Or too many requests of the agent have failed at providers that may charge for them. Nothing was charged.',
  provider_error:
    'Every provider failed, and nothing was charged. Inside a stream: it broke, and what was delivered is billed.',
  provider_timeout:
    'As `provider_error`, because no provider answered in time, or a stream stood still.',
  no_healthy_provider:
    'Every provider of the model rests: after repeated failures, or because it asked for a pause. `retry-after` says until when.',
  vault_unavailable:
    'The vault does not answer, is in recovery mode, or too many settlements wait for it. Nothing was sent or charged.',
  overloaded:
    'Too many requests are under way here or at the providers, or statistics take too long to read. Nothing was charged.',
  draining:
    'This core is shutting down. Where `x-should-retry` is false, the prompt was already sent and is billed.',
  storage_unavailable: 'The journal cannot be written, so nothing was dispatched or charged.',
  internal_error:
    'A fault of arbstr. If the request had been dispatched, it is billed as the log says.',
};

export const VAULT_WHEN: Record<VaultErrorCode, string> = {
  already_deposited: 'This ecash was deposited before; where it was yours, `deposit_id` says when.',
  recovering:
    'The vault was restored from a backup and holds or pays nothing until the operator has looked at what happened since and finished the recovery (`recovery finish`). Settles and releases are booked.',
  wallet_not_asked:
    'Recovery is not finished: of `unasked` payments of the backup the wallet has not said yet what it knows. `"force": true` (`recovery finish --force`) does without.',
  not_recovering: 'There is no recovery to finish.',
  token_spent: 'The mint has not issued this ecash, or it was spent before. Nothing was credited.',
  too_many_deposits: 'The agent has 100 unpaid deposits; wait until some are paid or expire.',
  invalid_request: 'A field has the wrong type or value. Nothing was changed.',
  invalid_json: 'The body is not JSON.',
  invalid_cursor: 'The cursor is not one that this list has given out.',
  invalid_token: 'The agent token is missing, malformed, unknown, revoked or expired.',
  unauthorized: "The operator's or the internal token is missing or wrong.",
  insufficient_balance: 'The agent has less available than is to be held. Nothing was changed.',
  policy_denied: 'The spend policy forbids this amount now; `rule` says which limit.',
  approval_required:
    'Over a limit (`rule`); `approval_id` waits for the operator until `expires_at`. Nothing was held.',
  agent_disabled: 'The operator has disabled the agent; its money is untouched.',
  insufficient_scope:
    'The token may not do this: `spend` is for what changes something, `read` for what does not.',
  not_found: 'No such route, agent or reservation.',
  method_not_allowed: 'The route exists, but not with this method.',
  idempotency_conflict:
    'The same key or reservation id was used with another content. Nothing was changed.',
  already_released: 'The hold was released and the agent has its money back.',
  already_settled: 'The reservation was charged, and cannot be released or extended.',
  already_paid:
    'This invoice is being paid or has been paid, or you have asked for it and a human has yet to decide; `transaction_id` says by which payment, if it is yours.',
  already_resolved: 'The approval has ended already; `status` says how.',
  already_settled_differently: 'Another bill was charged for this reservation; it stands.',
  too_many_tokens: 'The agent has as many usable tokens as it may have; revoke some.',
  expired: 'The hold has expired and the agent has its money back; it cannot be extended.',
  request_too_large: 'The body is too large.',
  unsupported_media_type: 'The body was not sent as JSON.',
  rate_limited:
    'Too many requests of one token, or in 24 h too many idempotency keys of one caller, 10,000 payments of one agent, or 1,000 payments or deposits that were not paid. Nothing was changed; `retry-after` says when to come back.',
  overloaded: 'Too many commands wait. Nothing was changed.',
  draining: 'The vault is stopping. Nothing was changed.',
  storage_unavailable:
    'The disk is full, read-only or failing. Nothing was changed; what was acknowledged is safe.',
  outcome_unknown: 'Whether it was applied is not known. Ask again with the same id.',
  wallet_unavailable: 'The wallet does not answer. Nothing was changed; ask again.',
  rail_frozen:
    'Payments on this rail are stopped until the operator has looked at what it did; nothing was changed.',
  internal_error: 'A fault of arbstr; the command was undone.',
};

export function errorsPage(): string {
  const core = Object.entries(CORE_ERRORS).map(
    ([code, { status, type, retry }]) =>
      `| \`${code}\` | ${status} | \`${type}\` | ${retry ? 'yes' : ''} | ${CORE_WHEN[code as CoreErrorCode]} |`,
  );
  const vault = Object.entries(VAULT_ERRORS).map(
    ([code, { status, transient }]) =>
      `| \`${code}\` | ${status} | ${transient ? 'yes' : ''} | ${VAULT_WHEN[code as VaultErrorCode]} |`,
  );
  return `# Errors

Made by \`node docs/errors.ts\` from \`packages/core/src/errors.ts\` and \`packages/shared/src/error-code.ts\`.

## Core

\`{"error": {"message", "type", "param", "code", …}}\`, as the OpenAI SDKs read it; details stand inside \`error\`. _Retry_: sent again unchanged it may succeed, at no cost (\`x-should-retry: true\`, which the SDKs obey). A provider's own 4xx about the request keeps its status and words, in this shape.

| code | status | type | retry | when |
|---|---|---|---|---|
${core.join('\n')}

## Vault

\`{"error": {"code", "message", …}}\`. _Retry_: the same command may be sent again unchanged with a chance of another answer.

| code | status | retry | when |
|---|---|---|---|
${vault.join('\n')}
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('errors.md', import.meta.url), errorsPage());
}
