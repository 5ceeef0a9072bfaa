/** Revenue out, as the operator asks for it. */
import { z } from 'zod';
import { isRefusal } from '../../errors.ts';
import { outsideType, readDestination } from '../../payment/destination.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { markReplay, sendRefusal } from '../errors.ts';
import type { VaultParts } from '../parts.ts';
import { destinationSchema, paymentAnswer, paymentBody } from '../payment-body.ts';
import { replayKeyOf } from '../replay-key.ts';
import { positiveMsat, refusals } from '../schemas.ts';

export async function operatorWithdrawalRoutes(app: App, parts: VaultParts): Promise<void> {
  const { config, engine, payments, runner, time, newId, wallet } = parts;
  app.addHook('onRequest', requireOperator(config.adminToken));

  app.post(
    '/operator/withdrawals',
    {
      schema: {
        summary: 'Pay out revenue and what was taken back from agents',
        tags: ['operator'],
        security: [{ operator: [] }],
        body: z.strictObject({
          destination: destinationSchema.meta({ description: 'An invoice or a Lightning address' }),
          amount_msat: positiveMsat
            .optional()
            .meta({ description: 'Needed where the invoice does not name its own amount' }),
        }),
        response: {
          200: paymentAnswer,
          ...refusals(
            'unauthorized',
            'insufficient_balance',
            'already_paid',
            'rail_frozen',
            'idempotency_conflict',
          ),
        },
      },
    },
    async (request, reply) => {
      const { destination: text, amount_msat: amount } = request.body;
      const type = outsideType(text);
      if (typeof type !== 'string') return sendRefusal(reply, type);
      const nowMs = time.now();
      const read = readDestination({ type, text, amount, nowMs, networks: config.networks });
      if ('refused' in read) return sendRefusal(reply, read);
      const outcome = await engine.execute({
        kind: 'withdraw_revenue',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        treasuryId: newId('agent'),
        transactionId: newId('transfer'),
        destination: read.destination,
        amount: read.amount,
        feeBound: wallet.feeBoundMsat,
        rail: wallet.rail,
      });
      if (isRefusal(outcome)) return sendRefusal(reply, outcome);
      if (outcome.state === 'held' && !outcome.replayed) {
        await runner.sendNow(outcome.transactionId);
      }
      markReplay(reply, outcome);
      return reply.send(paymentBody(payments.find(outcome.transactionId)!, false));
    },
  );
}
