import { setTimeout as after } from 'node:timers/promises';
import { z } from 'zod';
import { refuse } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { sendOutcome, sendRefusal } from '../errors.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { refusals } from '../schemas.ts';

const finishBody = z.strictObject({ force: z.boolean().optional() }).nullish();

/** How long a finish waits for the wallet to say what it has not said yet. */
const ASK_MS_MAX = 5_000;

/** The end of the recovery mode that a restored vault starts in. */
export async function recoveryRoutes(app: App, parts: VaultParts): Promise<void> {
  const { config, engine, runner } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));
  app.post(
    '/operator/recovery/finish',
    {
      schema: {
        summary: 'Hold and pay again, after a restore',
        description:
          'Only when what happened since the backup has been looked at: payments that the rails made, tokens that were revoked, and that every core has delivered what it billed (undelivered_settlements 0 on its /health). Refused while the wallet has not said of each payment that waits for a human or is in flight what it knows of it; `force` does without, for a wallet that is gone for good.',
        tags: ['operator'],
        security: [{ operator: [] }],
        body: finishBody,
        response: {
          200: z.object({ mode: z.literal('normal'), ledger_epoch: z.string() }),
          ...refusals('unauthorized', 'not_recovering', 'wallet_not_asked', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const count = () => (engine.recovering ? runner.unasked() : 0);
      const force = request.body?.force === true;
      if (!force && count() > 0) {
        await Promise.race([runner.tick(), after(ASK_MS_MAX, undefined, { ref: false })]);
      }
      const unasked = count();
      if (unasked > 0 && !force) {
        return sendRefusal(
          reply,
          refuse(
            'wallet_not_asked',
            `the wallet has yet to say what it knows of ${unasked} payments, and finishing may give back the money of some that were made; nothing was changed. Where the wallet is gone for good, --force ("force": true) finishes all the same`,
            { unasked },
          ),
        );
      }
      const outcome = await engine.execute({
        kind: 'finish_recovery',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        unasked,
      });
      return sendOutcome(reply, outcome, ({ ledgerEpoch }) => ({
        mode: 'normal' as const,
        ledger_epoch: ledgerEpoch,
      }));
    },
  );
}
