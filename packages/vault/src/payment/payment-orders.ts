/** Payments as the runner brings them to their end. */
import { isRefusal } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { Orders, SentOrder } from '../worker/runner.ts';
import { type InFlightPayment, orderOf } from './payment.ts';
import type { PaymentQueries } from './payment-queries.ts';

const ROUND_MS = 500;

export function paymentOrders(engine: LedgerEngine, payments: PaymentQueries): Orders {
  return {
    what: 'payment',
    everyMs: ROUND_MS,
    arrive: async () => {},
    open: (afterId, max) =>
      engine.recovering ? payments.unendedIds(afterId, max) : payments.openIds(afterId, max),
    find(id) {
      const payment = payments.find(id);
      if (payment?.state === 'requested' && payment.payeeNo === null && engine.recovering) {
        return { state: 'requested', id, order: orderOf(payment) };
      }
      if (payment?.state === 'held') return { state: 'held', id };
      return payment?.state === 'in_flight' ? sentOrder(payment) : undefined;
    },
    async send(paymentId, walletIdentity) {
      const sent = await engine.execute({ kind: 'send_payment', paymentId, walletIdentity });
      return isRefusal(sent) ? sent : sentOrder(sent.payment);
    },
    async adopt(paymentId) {
      const outcome = await engine.execute({ kind: 'adopt_payment', paymentId });
      return isRefusal(outcome) ? outcome : outcome.adopted;
    },
    see: (paymentId) => engine.execute({ kind: 'see_payment', paymentId }),
    stick: (paymentId, reason) => engine.execute({ kind: 'stick_payment', paymentId, reason }),
    end: (paymentId, result) => engine.execute({ kind: 'end_payment', paymentId, result }),
  };
}

const sentOrder = (payment: InFlightPayment): SentOrder => ({
  state: 'in_flight',
  id: payment.id,
  order: orderOf(payment),
  walletIdentity: payment.walletIdentity,
  seen: payment.seen,
  stuck: payment.stuck,
});
