/** Spend policies: every change is a new version, in force from the next reserve. */
import { spendPolicySchema } from '@arbstr/shared';
import { z } from 'zod';
import { noSuchAgent } from '../../ledger/agents.ts';
import { policyChange } from '../../policy/policy-fields.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendOutcome, sendRefusal } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { policyBody } from '../policy-body.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, pageAnswer, policyAnswer, refusals, setPolicyAnswer } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const VERSION = /^[1-9]\d{0,15}$/;

export async function operatorPolicyRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, newId } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  const changes = [
    { method: 'PATCH', url: '/operator/agents/:id/policy', mode: 'merge' },
    { method: 'PUT', url: '/agents/:id/policy', mode: 'replace' },
  ] as const;
  for (const { method, url, mode } of changes) {
    app.route({
      method,
      url,
      schema: {
        summary:
          mode === 'merge'
            ? 'Change the named limits; null lifts one'
            : 'Set the whole policy; a limit that is not named is lifted',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        body: spendPolicySchema,
        response: {
          200: setPolicyAnswer,
          ...refusals('unauthorized', 'not_found', 'agent_disabled', 'idempotency_conflict'),
        },
      },
      handler: async (request, reply) => {
        const outcome = await engine.execute({
          kind: 'set_policy',
          correlationId: request.id,
          replayKey: replayKeyOf(request),
          agentId: request.params.id,
          versionId: newId('policyVersion'),
          change: policyChange(request.body),
          mode,
        });
        return sendOutcome(reply, outcome, ({ agentId, policy }) => ({
          agent_id: agentId,
          policy: policyBody(policy),
        }));
      },
    });
  }

  app.get(
    '/agents/:id/policy/versions',
    {
      schema: {
        summary: 'All versions of a policy, newest first',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject(pageQuery),
        response: {
          200: z.object({ versions: z.array(policyAnswer), ...pageAnswer }),
          ...refusals('unauthorized', 'not_found', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const agent = agents.find(request.params.id);
      if (!agent) return sendRefusal(reply, noSuchAgent());
      const { cursor, limit } = request.query;
      const before =
        cursor === undefined
          ? Number.MAX_SAFE_INTEGER
          : Number(decodeCursor('versions', cursor, VERSION));
      const found = agents.policyVersions(agent.no, before, limit + 1).map(policyBody);
      const page = pageOf('versions', found, limit, ({ version }) => version);
      return reply.send(pageBody('versions', page));
    },
  );
}
