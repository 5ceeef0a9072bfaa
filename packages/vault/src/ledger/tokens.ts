/** Agent tokens: made, replaced and ended. A token's own end is its expiry; an end that is set is a revocation. */
import type { AgentScope } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import { noSuchAgent } from './agents.ts';
import type { IssueToken, RevokeToken } from './command.ts';
import { type Decision, type EndToken, NO_EFFECTS, no } from './effect.ts';
import type { TokenIssued, TokenRevoked } from './outcome.ts';
import { agentDisabled } from './reserve.ts';
import { isUsable, type LedgerView } from './view.ts';

/** Usable at once, of one agent; a program that rotates in a loop must not fill the table unseen. */
export const LIVE_TOKENS_MAX = 16;
const ALL_SCOPES: readonly AgentScope[] = ['spend', 'read'];

/** A new token. The older ones end after the overlap, so that nobody is locked out meanwhile. */
export function issueToken(
  view: LedgerView,
  command: IssueToken,
  now: number,
): Decision<TokenIssued> {
  const agent = view.agentById(command.agentId);
  if (agent === undefined) return no(noSuchAgent());
  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));
  if (agent.no === view.treasuryNo()) return no(notForTheTreasury());
  const live = view.tokensOf(agent.no).filter((token) => isUsable(token, now));
  const ends: EndToken[] = [];
  if (command.overlapMs !== null) {
    const at = now + command.overlapMs;
    for (const { id, hash, revokedAt } of live) {
      if (revokedAt === null || revokedAt > at) ends.push({ effect: 'end_token', id, hash, at });
    }
  }
  const stay = live.length - ends.filter(({ at }) => at <= now).length;
  if (stay >= LIVE_TOKENS_MAX) return no(tooMany());

  const { tokenId, hash } = command;
  const scopes = command.scopes ?? live.at(-1)?.scopes ?? ALL_SCOPES;
  const expiresAt = command.expiresInMs === null ? null : now + command.expiresInMs;
  return {
    outcome: { agentId: agent.id, tokenId, scopes: [...scopes], createdAt: now, expiresAt },
    effects: [
      {
        effect: 'insert_token',
        id: tokenId,
        agentNo: agent.no,
        hash,
        scopes,
        createdAt: now,
        expiresAt,
      },
      ...ends,
      {
        effect: 'audit',
        chain: agent.no,
        action: 'TOKEN_ISSUED',
        facts: {
          token_id: tokenId,
          correlation_id: command.correlationId,
          token_hash: hash,
          scopes: scopes.join(' '),
          expires_at: expiresAt,
          ends: ends.map(({ id, at }) => ({ token_id: id, at })),
        },
      },
    ],
  };
}

/** The token ends now. One that has ended stays as it was; of a disabled agent as well. */
export function revokeToken(
  view: LedgerView,
  command: RevokeToken,
  now: number,
): Decision<TokenRevoked> {
  const agent = view.agentById(command.agentId);
  const token = agent && view.tokensOf(agent.no).find(({ id }) => id === command.tokenId);
  if (agent === undefined || token === undefined) return no(refuse('not_found', 'no such token'));
  const { id, hash } = token;
  if (token.revokedAt !== null && token.revokedAt <= now) {
    const outcome = { agentId: agent.id, tokenId: id, revokedAt: token.revokedAt };
    return { outcome, effects: NO_EFFECTS };
  }
  return {
    outcome: { agentId: agent.id, tokenId: id, revokedAt: now },
    effects: [
      { effect: 'end_token', id, hash, at: now },
      {
        effect: 'audit',
        chain: agent.no,
        action: 'TOKEN_REVOKED',
        facts: { token_id: id, correlation_id: command.correlationId },
      },
    ],
  };
}

/** A token would spend what a withdrawal may not: losses come off first only there. */
const notForTheTreasury = (): Refusal =>
  refuse(
    'invalid_request',
    "the operator's treasury has no tokens; POST /operator/withdrawals pays from it",
  );

const tooMany = (): Refusal =>
  refuse(
    'too_many_tokens',
    `the agent has ${LIVE_TOKENS_MAX} usable tokens; revoke some, or rotate with a shorter overlap`,
  );
