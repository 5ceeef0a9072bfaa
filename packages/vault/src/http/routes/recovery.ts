import { z } from 'zod';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendOutcome } from '../errors.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { refusals } from '../schemas.ts';

/** The end of the recovery mode that a restored vault starts in. */
export async function recoveryRoutes(app: App, { config, engine }: VaultParts): Promise<void> {
  app.addHook('onRequest', requireOperator(config.adminToken));
  app.post(
    '/operator/recovery/finish',
    {
      schema: {
        summary: 'Hold and pay again, after a restore',
        description:
          'Only when what happened since the backup has been looked at: payments that the rails made, tokens that were revoked, and that every core has delivered what it billed (undelivered_settlements 0 on its /health).',
        tags: ['operator'],
        security: [{ operator: [] }],
        response: {
          200: z.object({ mode: z.literal('normal'), ledger_epoch: z.string() }),
          ...refusals('unauthorized', 'not_recovering', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const outcome = await engine.execute({
        kind: 'finish_recovery',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
      });
      return sendOutcome(reply, outcome, ({ ledgerEpoch }) => ({
        mode: 'normal' as const,
        ledger_epoch: ledgerEpoch,
      }));
    },
  );
}
