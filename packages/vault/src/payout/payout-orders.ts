/**
 * Payouts as the runner brings them to their end. Before a wallet is told, it is fixed what exactly
 * it pays: whatever is tried again is the same order, which a wallet pays once.
 */
import type { Msat } from '@arbstr/shared';
import type { Logger } from 'pino';
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { NewId } from '../ports.ts';
import type { PaymentTarget, Wallet } from '../wallet/wallet.ts';
import type { Orders, SentOrder } from '../worker/runner.ts';
import type { PayoutQueries, PayoutRecord } from './payout-queries.ts';
import type { TargetOf } from './target.ts';

/** Sellers wait anyway, and each round asks the ledger about all that are due. */
const ROUND_MS = 1_000;

export interface PayoutOrdersDeps {
  readonly engine: LedgerEngine;
  readonly wallet: Pick<Wallet, 'rail' | 'feeBoundMsat'>;
  readonly payouts: PayoutQueries;
  readonly targetOf: TargetOf;
  readonly dailyCap: Msat;
  readonly newId: NewId;
  readonly log: Logger;
}

export function payoutOrders(deps: PayoutOrdersDeps): Orders {
  const { engine, wallet, payouts, targetOf, log } = deps;
  const { rail } = wallet;
  return {
    what: 'payout',
    everyMs: ROUND_MS,
    async arrive() {
      for (const seller of payouts.due()) await openPayout(deps, seller);
    },
    open: payouts.openIds,
    find(id) {
      const payout = payouts.find(id);
      if (payout?.state === 'held') return { state: 'held', id };
      return payout?.state === 'in_flight' ? sentOrder(payout) : undefined;
    },
    async send(payoutId, walletIdentity, signal) {
      const payout = payouts.find(payoutId)!;
      const answer = await targetOf(payout.destination, payout.amount, signal);
      // The runner has given this try up: its silence is no answer, and another may be on its way.
      signal.throwIfAborted();
      if (!answer.ok) {
        const { reason } = answer;
        log.warn({ payout_id: payoutId, provider: payout.seller, reason }, 'a payout failed');
        const result = { state: 'failed', reason } as const;
        const command = { kind: 'end_payout', payoutId, rail, from: 'held', result } as const;
        const ended = await engine.execute(command);
        return isRefusal(ended) ? ended : null;
      }
      const { target } = answer;
      const command = { kind: 'send_payout', payoutId, rail, walletIdentity, target } as const;
      const sent = await engine.execute(command);
      // Judged otherwise meanwhile: it is over, or the next round sees what it is.
      if (isRefusal(sent) || !sent.changed) return isRefusal(sent) ? sent : null;
      return sentOrder(payouts.find(payoutId)!);
    },
    // One that waits is never sent before the operator has judged it, after a restore as well.
    adopt: async () => false,
    see: (payoutId) => engine.execute({ kind: 'see_payout', payoutId }),
    stick: (payoutId, reason) => engine.execute({ kind: 'stick_payout', payoutId, reason }),
    end: (payoutId, result) =>
      engine.execute({ kind: 'end_payout', payoutId, rail, from: 'in_flight', result }),
  };
}

async function openPayout(deps: PayoutOrdersDeps, seller: string): Promise<void> {
  const outcome = await deps.engine.execute({
    kind: 'open_payout',
    payoutId: deps.newId('payout'),
    seller,
    rail: deps.wallet.rail,
    dailyCap: deps.dailyCap,
    feeBound: deps.wallet.feeBoundMsat,
  });
  if (isRefusal(outcome) || outcome.payoutId === null) return;
  deps.log.info({ payout_id: outcome.payoutId, provider: seller }, 'a payout is due');
}

const sentOrder = (payout: PayoutRecord): SentOrder => ({
  state: 'in_flight',
  id: payout.id,
  order: {
    reference: payout.id,
    target: JSON.parse(payout.target!) as PaymentTarget,
    amountMsat: payout.amount,
    maxFeeMsat: payout.maxFee,
  },
  walletIdentity: payout.walletIdentity!,
  seen: payout.seen === 1,
  stuck: payout.stuck,
});
