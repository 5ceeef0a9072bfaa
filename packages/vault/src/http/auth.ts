import { hash as digest, timingSafeEqual } from 'node:crypto';
import { HEADERS } from '@arbstr/shared';
import type { FastifyRequest } from 'fastify';
import type { AuthenticatedAgent } from '../agent/agent-queries.ts';
import { tokenHash } from '../agent/token.ts';
import { insufficientScope, VaultError } from '../errors.ts';
import { OPERATOR } from '../ledger/replay-key.ts';
import type { VaultParts } from './parts.ts';

/** Compares in a time that tells neither the secret nor its length: hashes have one length. */
function secretMatcher(secret: string): (given: string) => boolean {
  const expected = digest('sha256', secret, 'buffer');
  return (given) => timingSafeEqual(digest('sha256', given, 'buffer'), expected);
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

type AgentReaderDeps = Pick<VaultParts, 'config' | 'agents' | 'time' | 'rateLimit'>;

const READING = new Set(['GET', 'HEAD']);

/** The operator, or the agent whose token has the scope that the method needs. */
export function agentReader({ config, agents, time, rateLimit }: AgentReaderDeps) {
  const isOperator = secretMatcher(config.adminToken);
  return (request: FastifyRequest): Reader => {
    const given = bearerOf(request);
    if (given === null) throw new VaultError('invalid_token', 'this needs an agent token');
    if (isOperator(given)) {
      request.principal = OPERATOR;
      return { role: 'operator' };
    }
    const hash = tokenHash(given);
    const agent = agents.authenticate(hash, time.now());
    if (!agent) throw new VaultError('invalid_token', 'unknown, expired or revoked agent token');
    const waitSecs = rateLimit.take(hash);
    if (waitSecs > 0) {
      throw new VaultError('rate_limited', 'too many requests with this token', {
        retry_after_secs: waitSecs,
      });
    }
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

/** The agent that `:id` names, where this request may read it. */
export function agentByUrl(parts: AgentReaderDeps) {
  const readerOf = agentReader(parts);
  return (request: FastifyRequest, id: string) => {
    const agent = parts.agents.find(readableAgentId(readerOf(request), id));
    if (!agent) throw new VaultError('not_found', 'no such agent');
    return agent;
  };
}

export function bearerOf(request: FastifyRequest): string | null {
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '');
  return match?.[1] ?? null;
}
