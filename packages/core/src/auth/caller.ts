/** Who is asking. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { AgentScope } from '@arbstr/shared';
import type { Secret } from '../config/secret.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { Vault } from '../ports.ts';
import { INVALID_TOKEN } from '../reserve/reserve.ts';

export type Caller =
  | {
      readonly kind: 'agent';
      readonly agentId: string;
      readonly token: string;
      readonly scopes: readonly AgentScope[];
      /** By the agent's spend policy; null = all. The vault's reserve has the last word. */
      readonly allowedModels: ReadonlySet<string> | null;
    }
  /** The holder of server.auth_token. */
  | { readonly kind: 'operator' }
  /** Free mode without server.auth_token. */
  | { readonly kind: 'anonymous' };

/** Whose something is that core keeps: an agent's id, or in free mode the role of the caller. */
export const ownerOf = (caller: Caller): string =>
  caller.kind === 'agent' ? caller.agentId : caller.kind;

/** RFC 6750 §2.1; null where there is no bearer token. */
export function bearerToken(header: string | undefined): string | null {
  const match = /^Bearer +([^\s]+) *$/i.exec(header ?? '');
  return match?.[1] ?? null;
}

/** Constant time whatever the lengths: both sides are hashed first. */
export function isSecret(candidate: string | null, secret: Secret): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(candidate ?? ''), digest(secret.reveal()));
}

const CACHE_MS = 5_000;
const CACHE_ENTRIES_MAX = 10_000;
const TOKEN_CHARS_MAX = 256;

export interface Authenticator {
  agent(token: string | null): Promise<Caller | Refusal>;
  /** Forget a token that the vault has just refused. */
  forget(token: string): void;
}

/** The vault's word on a token, kept 5 s (reserve checks again). Refusals are not kept. */
export function createAuthenticator(vault: Vault, nowMs: () => number): Authenticator {
  const cache = new Map<string, { caller: Caller; untilMs: number }>();
  return {
    async agent(token) {
      if (token === null || token.length > TOKEN_CHARS_MAX) {
        return refuse('invalid_api_key', INVALID_TOKEN);
      }
      const cached = cache.get(token);
      if (cached !== undefined && cached.untilMs > nowMs()) return cached.caller;
      const reply = await vault.authenticate(token);
      if (reply.kind === 'ok') {
        const { agent_id: agentId, scopes, allowed_models } = reply.value;
        const allowedModels = allowed_models === null ? null : new Set(allowed_models);
        const caller: Caller = { kind: 'agent', agentId, token, scopes, allowedModels };
        if (cache.size >= CACHE_ENTRIES_MAX) cache.clear();
        cache.set(token, { caller, untilMs: nowMs() + CACHE_MS });
        return caller;
      }
      cache.delete(token);
      if (reply.kind === 'refused' && reply.code === 'invalid_token') {
        return refuse('invalid_api_key', INVALID_TOKEN);
      }
      return refuse(
        'vault_unavailable',
        'The vault does not answer, so the token cannot be checked. Nothing was charged. Try again; the operator finds the reason on GET /health.',
      );
    },
    forget: (token) => cache.delete(token),
  };
}
