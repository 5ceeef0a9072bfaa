import type { AgentScope } from '@arbstr/shared';
import type { FastifyRequest } from 'fastify';
import { type Authenticator, bearerToken, type Caller, isSecret } from '../auth/caller.ts';
import type { Secret } from '../config/secret.ts';
import { type Refusal, refuse } from '../errors.ts';

export interface AuthDeps {
  /** Null in free mode. */
  readonly authenticator: Authenticator | null;
  /** As configured now. */
  readonly authToken: () => Secret | null;
}

/** Who may spend: an agent where there is a vault, else the holder of server.auth_token, else anybody. */
export async function spender(deps: AuthDeps, request: FastifyRequest): Promise<Caller | Refusal> {
  const token = bearerToken(request.headers.authorization);
  if (deps.authenticator !== null) {
    return withScope(await deps.authenticator.agent(token), 'spend', 'This token may not spend.');
  }
  return tokenHolder(deps.authToken(), token);
}

/** Who may read records of requests: as `reader`, but an agent's token needs the scope for it. */
export async function recordReader(
  deps: AuthDeps,
  request: FastifyRequest,
): Promise<Caller | Refusal> {
  return withScope(await reader(deps, request), 'read', 'This token may not read.');
}

function withScope(caller: Caller | Refusal, needed: AgentScope, what: string): Caller | Refusal {
  if (caller.kind !== 'agent' || caller.scopes.includes(needed)) return caller;
  return refuse(
    'insufficient_scope',
    `${what} The operator can make one with the scope "${needed}" for agent ${caller.agentId}.`,
    { details: { required_scope: needed, scopes: [...caller.scopes] } },
  );
}

/** Who may read: spenders, and the operator besides. */
export async function reader(deps: AuthDeps, request: FastifyRequest): Promise<Caller | Refusal> {
  const token = bearerToken(request.headers.authorization);
  const authToken = deps.authToken();
  if (authToken !== null && isSecret(token, authToken)) return { kind: 'operator' };
  if (deps.authenticator !== null) return deps.authenticator.agent(token);
  return tokenHolder(authToken, token);
}

function tokenHolder(authToken: Secret | null, token: string | null): Caller | Refusal {
  if (authToken === null) return { kind: 'anonymous' };
  if (isSecret(token, authToken)) return { kind: 'operator' };
  return refuse(
    'invalid_api_key',
    'The token is missing or wrong. Send the operator\'s server.auth_token as "Authorization: Bearer …".',
  );
}
