/** Agent tokens as their operator manages them: made, listed and ended; shown once, when made. */
import { agentScopeSchema, idSchema } from '@arbstr/shared';
import { z } from 'zod';
import type { TokenRecord } from '../../agent/agent-queries.ts';
import { newAgentToken, tokenHash } from '../../agent/token.ts';
import { noSuchAgent } from '../../ledger/agents.ts';
import { isUsable } from '../../ledger/view.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendOutcome, sendRefusal } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, noBody, pageAnswer, refusals, timeSchema } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const TOKEN_ID = /^tok_[0-9A-Z]{26}$/;
/** Ten years: whoever wants none gives no expiry. */
const EXPIRES_SECS_MAX = 10 * 365 * 24 * 3600;
/** 30 days: long enough to roll a fleet. */
const OVERLAP_SECS_MAX = 30 * 24 * 3600;

const secsSchema = (min: number, max: number) =>
  z
    .int({ error: 'must be an integer number of seconds' })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` });

const issueBody = z
  .strictObject({
    scopes: z
      .array(agentScopeSchema)
      .min(1)
      .max(agentScopeSchema.options.length)
      .refine((scopes) => new Set(scopes).size === scopes.length, { error: 'names one twice' })
      .optional()
      .meta({ description: 'By default those of the newest usable token' }),
    expires_in_secs: secsSchema(1, EXPIRES_SECS_MAX).optional(),
    overlap_secs: secsSchema(0, OVERLAP_SECS_MAX)
      .nullable()
      .default(0)
      .meta({ description: 'How long the older tokens stay usable; null leaves them alone' }),
  })
  .nullish();

const tokenFields = {
  token_id: idSchema('agentToken'),
  scopes: z.array(agentScopeSchema),
  created_at: timeSchema,
  expires_at: timeSchema.nullable(),
} as const;

const issueAnswer = z.object({
  agent_id: idSchema('agent'),
  ...tokenFields,
  /** Null in an idempotent replay: a token is shown once. */
  token: z.string().nullable(),
});

const listedToken = z.object({
  ...tokenFields,
  /** Since when it is unusable, or from when on it will be. */
  revoked_at: timeSchema.nullable(),
  usable: z.boolean(),
});

export async function operatorTokenRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, time, newId, randomBytes } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  app.post(
    '/agents/:id/tokens',
    {
      schema: {
        summary: 'Rotate: make a token, shown once; the older ones end after the overlap',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        body: issueBody,
        response: {
          201: issueAnswer,
          ...refusals(
            'unauthorized',
            'not_found',
            'agent_disabled',
            'too_many_tokens',
            'idempotency_conflict',
          ),
        },
      },
    },
    async (request, reply) => {
      const { scopes, expires_in_secs, overlap_secs = 0 } = request.body ?? {};
      const token = newAgentToken(randomBytes);
      const outcome = await engine.execute({
        kind: 'issue_token',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        agentId: request.params.id,
        tokenId: newId('agentToken'),
        hash: tokenHash(token),
        scopes: scopes ?? null,
        expiresInMs: expires_in_secs === undefined ? null : expires_in_secs * 1000,
        overlapMs: overlap_secs === null ? null : overlap_secs * 1000,
      });
      reply.code(201);
      return sendOutcome(reply, outcome, (issued) => ({
        agent_id: issued.agentId,
        token_id: issued.tokenId,
        token: issued.replayed ? null : token,
        scopes: issued.scopes,
        created_at: issued.createdAt,
        expires_at: issued.expiresAt,
      }));
    },
  );

  app.get(
    '/agents/:id/tokens',
    {
      schema: {
        summary: "An agent's tokens, newest first; never the tokens themselves",
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject(pageQuery),
        response: {
          200: z.object({ tokens: z.array(listedToken), ...pageAnswer }),
          ...refusals('unauthorized', 'not_found', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const agent = agents.find(request.params.id);
      if (!agent) return sendRefusal(reply, noSuchAgent());
      const { cursor, limit } = request.query;
      const before = cursor === undefined ? null : decodeCursor('tokens', cursor, TOKEN_ID);
      const now = time.now();
      const found = agents
        .tokens(agent.no, before, limit + 1)
        .map((token) => tokenBody(token, now));
      const page = pageOf('tokens', found, limit, ({ token_id }) => token_id);
      return reply.send(pageBody('tokens', page));
    },
  );

  app.delete(
    '/agents/:id/tokens/:token_id',
    {
      schema: {
        summary: 'Revoke a token: it is refused from now on',
        tags: TAGS,
        security: SECURITY,
        params: agentParams.extend({ token_id: z.string().max(64) }),
        body: noBody,
        response: {
          200: z.object({
            agent_id: idSchema('agent'),
            token_id: idSchema('agentToken'),
            revoked_at: timeSchema,
          }),
          ...refusals('unauthorized', 'not_found', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const outcome = await engine.execute({
        kind: 'revoke_token',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        agentId: request.params.id,
        tokenId: request.params.token_id,
      });
      return sendOutcome(reply, outcome, (revoked) => ({
        agent_id: revoked.agentId,
        token_id: revoked.tokenId,
        revoked_at: revoked.revokedAt,
      }));
    },
  );
}

function tokenBody(token: TokenRecord, now: number) {
  return {
    token_id: token.id,
    scopes: token.scopes.split(' ') as z.output<typeof agentScopeSchema>[],
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    revoked_at: token.revokedAt,
    usable: isUsable(token, now),
  };
}
