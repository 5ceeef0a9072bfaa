/** What only the simulated wallet needs: somebody who says when it was paid. */
import { z } from 'zod';
import { VaultError } from '../../errors.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { depositAnswer, depositOfRecord } from '../deposit-body.ts';
import type { VaultParts } from '../parts.ts';
import { agentParams, positiveMsat, refusals } from '../schemas.ts';

/** Nobody pays a simulated invoice with money, so the operator says when it is paid. */
export async function simulatedDepositRoutes(app: App, parts: VaultParts): Promise<void> {
  const { deposits, depositWatcher, simulated } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  app.post(
    '/operator/simulated/deposits/:id/pay',
    {
      schema: {
        summary: 'Pay a deposit of the simulated wallet, as somebody outside would',
        tags: ['operator'],
        security: [{ operator: [] }],
        params: agentParams,
        body: z.strictObject({ amount_msat: positiveMsat.optional() }).nullish(),
        response: { 200: depositAnswer, ...refusals('unauthorized', 'not_found') },
      },
    },
    async (request, reply) => {
      const deposit = deposits.find(request.params.id);
      if (simulated === null || !deposit?.paymentHash) {
        throw new VaultError('not_found', 'no such simulated deposit by invoice');
      }
      const paid = request.body?.amount_msat ?? deposit.amount;
      if (paid < deposit.amount) {
        throw new VaultError('invalid_request', 'less than the invoice asks for', {
          param: 'amount_msat',
        });
      }
      // Paid before: the wallet takes it once, and the answer says what it has taken.
      simulated.receive(deposit.paymentHash, paid);
      await depositWatcher.look();
      const now = deposits.find(deposit.id)!;
      return reply.send(depositOfRecord(now, deposits.agentIdOf(now.agentNo)));
    },
  );
}
