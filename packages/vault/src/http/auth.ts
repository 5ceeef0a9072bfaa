import { hash, timingSafeEqual } from 'node:crypto';
import { HEADERS } from '@arbstr/shared';
import type { FastifyRequest } from 'fastify';
import type { AgentQueries, AuthenticatedAgent } from '../agent/agent-queries.ts';
import { tokenHash } from '../agent/token.ts';
import { insufficientScope, VaultError } from '../errors.ts';
import { OPERATOR } from '../ledger/replay-key.ts';
import type { Time } from '../ports.ts';

/** Compares in a time that tells neither the secret nor its length: hashes have one length. */
export function secretMatcher(secret: string): (given: string) => boolean {
  const expected = hash('sha256', secret, 'buffer');
  return (given) => timingSafeEqual(hash('sha256', given, 'buffer'), expected);
}

export function requireInternal(internalToken: string) {
  const matches = secretMatcher(internalToken);
  return async (request: FastifyRequest): Promise<void> => {
    const given = request.headers[HEADERS.internalToken];
    if (typeof given !== 'string' || !matches(given)) {
      throw new VaultError('unauthorized', `missing or wrong ${HEADERS.internalToken}`);
    }
  };
}

export function requireOperator(adminToken: string) {
  const matches = secretMatcher(adminToken);
  return async (request: FastifyRequest): Promise<void> => {
    const given = bearerOf(request);
    if (given === null || !matches(given)) {
      throw new VaultError('unauthorized', 'this needs the operator token (VAULT_ADMIN_TOKEN)');
    }
    request.principal = OPERATOR;
  };
}

/** Who may read an agent's own resources: that agent, or the operator. */
export type Reader = { role: 'operator' } | { role: 'agent'; agent: AuthenticatedAgent };

export interface AgentReaderDeps {
  readonly adminToken: string;
  readonly agents: AgentQueries;
  readonly time: Time;
}

const READING = new Set(['GET', 'HEAD']);

/** The operator, or the agent whose token has the scope that the method needs. */
export function agentReader({ adminToken, agents, time }: AgentReaderDeps) {
  const isOperator = secretMatcher(adminToken);
  return (request: FastifyRequest): Reader => {
    const given = bearerOf(request);
    if (given === null) throw new VaultError('invalid_token', 'this needs an agent token');
    if (isOperator(given)) {
      request.principal = OPERATOR;
      return { role: 'operator' };
    }
    const agent = agents.authenticate(tokenHash(given), time.now());
    if (!agent) throw new VaultError('invalid_token', 'unknown, expired or revoked agent token');
    const needed = READING.has(request.method) ? 'read' : 'spend';
    if (!agent.scopes.includes(needed)) {
      throw VaultError.of(insufficientScope(needed, agent.scopes));
    }
    request.principal = agent.id;
    return { role: 'agent', agent };
  };
}

/** The agent that `:id` names for this reader. Another agent's id does not exist for an agent. */
export function readableAgentId(reader: Reader, id: string): string {
  if (reader.role === 'agent' && (id === 'me' || id === reader.agent.id)) return reader.agent.id;
  if (reader.role === 'operator' && id !== 'me') return id;
  throw new VaultError('not_found', 'no such agent');
}

function bearerOf(request: FastifyRequest): string | null {
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
  return match?.[1] ?? null;
}
