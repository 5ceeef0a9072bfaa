/**
 * What becomes of a held payment: it is sent, seen, and ends. Each step is a conditional change of
 * the state that it expects, so that two that meet cannot both win.
 */
import { type Msat, minMsat, msat, subMsat, ZERO_MSAT } from '@arbstr/shared';
import { refuse } from '../errors.ts';
import {
  type EndedPayment,
  type FailedPayment,
  type HeldPayment,
  holdOf,
  type InFlightPayment,
  NEVER_SENT,
  type OpenPayment,
  type RequestedPayment,
  type SucceededPayment,
} from '../payment/payment.ts';
import { balanceAlert } from './alert.ts';
import type { EndPayment, SeePayment, SendPayment, StickPayment } from './command.ts';
import { type Decision, type Effect, NO_EFFECTS, no, transfer } from './effect.ts';
import type { OrderEnded, PaymentSeen, PaymentSent } from './outcome.ts';
import { createdFacts, succeededFacts } from './payment-facts.ts';
import { freezeOnExcess, frozen } from './rail.ts';
import { minuteOf } from './spend-window.ts';
import type { AgentState, LedgerView } from './view.ts';

/** held → in_flight, durable before the wallet is called. */
export function sendPayment(
  view: LedgerView,
  command: SendPayment,
  now: number,
): Decision<PaymentSent> {
  const payment = view.payment(command.paymentId);
  if (payment?.state !== 'held') {
    return no(refuse('not_found', 'no such payment waits to be sent; nothing was changed'));
  }
  const refused = frozen(view, payment.rail);
  if (refused) return no(refused);
  const sent: InFlightPayment = {
    ...payment,
    state: 'in_flight',
    walletIdentity: command.walletIdentity,
    sentAt: now,
    seen: false,
    stuck: null,
  };
  return {
    outcome: { payment: sent },
    effects: [
      { effect: 'change_payment', from: 'held', payment: sent },
      {
        effect: 'audit',
        chain: sent.agentNo,
        action: 'PAYMENT_SENT',
        facts: {
          transaction_id: sent.id,
          correlation_id: sent.correlationId,
          wallet_identity: sent.walletIdentity,
        },
      },
    ],
  };
}

/** The wallet has said that it has this payment: from now on `absent` means that it forgot. */
export function seePayment(view: LedgerView, command: SeePayment): Decision<PaymentSeen> {
  const payment = view.payment(command.paymentId);
  if (payment?.state !== 'in_flight' || (payment.seen && payment.stuck === null)) {
    return { outcome: { seen: false }, effects: NO_EFFECTS };
  }
  const seen: InFlightPayment = { ...payment, seen: true, stuck: null };
  return {
    outcome: { seen: true },
    effects: [
      { effect: 'change_payment', from: 'in_flight', payment: seen },
      {
        effect: 'audit',
        chain: payment.agentNo,
        action: 'PAYMENT_SEEN',
        facts: { transaction_id: payment.id, correlation_id: payment.correlationId },
      },
    ],
  };
}

/** What the wallet says cannot be believed. It stays in flight, and is asked for all the same. */
export function stickPayment(
  view: LedgerView,
  { paymentId, reason }: StickPayment,
): Decision<{ stuck: boolean }> {
  const payment = view.payment(paymentId);
  if (payment?.state !== 'in_flight' || payment.stuck === reason) {
    return { outcome: { stuck: false }, effects: NO_EFFECTS };
  }
  return {
    outcome: { stuck: true },
    effects: [
      { effect: 'change_payment', from: 'in_flight', payment: { ...payment, stuck: reason } },
      {
        effect: 'audit',
        chain: payment.agentNo,
        action: 'PAYMENT_STUCK',
        facts: { transaction_id: payment.id, correlation_id: payment.correlationId, reason },
      },
    ],
  };
}

/**
 * in_flight → succeeded | failed, on the wallet's proof. The first end stands: the same again
 * changes nothing, and another one is a contradiction that only a human can clear up.
 */
export function endPayment(
  view: LedgerView,
  command: EndPayment,
  now: number,
): Decision<OrderEnded> {
  const payment = view.payment(command.paymentId);
  if (payment === undefined || payment.state === 'requested' || payment.state === 'held') {
    return no(refuse('not_found', 'no such payment is in flight; nothing was changed'));
  }
  const { result } = command;
  if (payment.state !== 'in_flight') {
    const contradicted = payment.state !== result.state;
    return {
      outcome: { state: payment.state, applied: false, contradicted, excess: ZERO_MSAT },
      effects: NO_EFFECTS,
    };
  }
  if (result.state === 'failed') {
    const failed: FailedPayment = {
      ...payment,
      state: 'failed',
      endedAt: now,
      failure: result.reason,
    };
    const effects = giveBack(view.agent(payment.agentNo), payment, failed, 'PAYMENT_FAILED');
    return { outcome: ended('failed', ZERO_MSAT), effects };
  }
  return succeed(view, payment, result, now);
}

function succeed(
  view: LedgerView,
  payment: InFlightPayment,
  result: Extract<EndPayment['result'], { state: 'succeeded' }>,
  now: number,
): Decision<OrderEnded> {
  const agent = view.agent(payment.agentNo);
  // Never more than was held, whatever the wallet took: the rest is the operator's loss.
  const fee = minMsat(result.feeMsat, payment.maxFee);
  const excess = subMsat(result.feeMsat, fee);
  const refunded = subMsat(payment.maxFee, fee);
  const succeeded: SucceededPayment = {
    ...payment,
    state: 'succeeded',
    endedAt: now,
    fee,
    preimage: result.preimage,
    token: result.token,
  };
  const { id } = payment;
  const effects: Effect[] = [
    { effect: 'change_payment', from: 'in_flight', payment: succeeded },
    ...transfer('payment', agent.held.id, view.railSimulated.id, payment.amount, id),
    ...transfer('fee', agent.held.id, view.feesSimulated.id, fee, id),
    ...transfer('overcharge', view.loss.id, view.feesSimulated.id, excess, id),
    ...transfer('refund', agent.held.id, agent.available.id, refunded, id),
    spend(payment, fee),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'PAYMENT_SETTLED',
      facts: {
        transaction_id: id,
        correlation_id: payment.correlationId,
        ...succeededFacts(succeeded),
        refunded,
        excess: excess || undefined,
        balance: agent.available.balance + refunded,
      },
    },
    ...balanceAlert(view, agent, msat(agent.available.balance + refunded), now),
    ...freezeOnExcess({ what: 'payment', ...payment }, excess, now),
  ];
  return { outcome: ended('succeeded', excess), effects };
}

const ended = (state: EndedPayment['state'], excess: Msat): OrderEnded => ({
  state,
  applied: true,
  contradicted: false,
  excess,
});

/** A charge sits in the minute of its hold. */
function spend(payment: OpenPayment, fee: Msat): Effect {
  const minute = minuteOf(payment.createdAt);
  return { effect: 'spend', agentNo: payment.agentNo, minute, amount: payment.amount + fee };
}

type GivenBack = 'PAYMENT_FAILED' | 'APPROVAL_DENIED' | 'APPROVAL_TIMEOUT';

/** held → available, all of it. `available` where another command of the batch has moved it. */
export function giveBack(
  agent: AgentState,
  payment: OpenPayment,
  failed: FailedPayment,
  action: GivenBack,
  more: { facts?: object; available?: number } = {},
): Effect[] {
  const hold = holdOf(payment);
  return [
    { effect: 'change_payment', from: payment.state, payment: failed },
    ...transfer('refund', agent.held.id, agent.available.id, hold, payment.id),
    {
      effect: 'audit',
      chain: agent.no,
      action,
      facts: {
        transaction_id: payment.id,
        correlation_id: payment.correlationId,
        refunded: hold,
        failure: failed.failure,
        balance: (more.available ?? agent.available.balance) + hold,
        ...more.facts,
      },
    },
  ];
}

/**
 * From one agent to another, in one tx. It passes through a shared account that is empty before and
 * after, so that each agent's chain names transfers of its own only.
 */
export function moveInside(
  view: LedgerView,
  payment: HeldPayment | RequestedPayment,
  payer: AgentState,
  payee: AgentState,
  now: number,
  from: 'available' | 'held',
): { payment: SucceededPayment; effects: Effect[] } {
  const moved: SucceededPayment = {
    ...payment,
    ...NEVER_SENT,
    state: 'succeeded',
    endedAt: now,
    fee: ZERO_MSAT,
    preimage: null,
    token: null,
  };
  const { id, amount } = moved;
  const transit = view.transit.id;
  const isNew = from === 'available';
  const balance = payer.available.balance - (isNew ? amount : 0);
  const effects: Effect[] = [
    isNew
      ? { effect: 'insert_payment', payment: moved }
      : { effect: 'change_payment', from: payment.state, payment: moved },
    ...transfer('payment', payer[from].id, transit, amount, id),
    spend(payment, ZERO_MSAT),
    {
      effect: 'audit',
      chain: payer.no,
      action: 'PAYMENT_MOVED',
      facts: {
        ...createdFacts(moved),
        approval_id: moved.approvalId ?? undefined,
        charged: amount,
        balance,
      },
    },
    ...balanceAlert(view, payer, msat(balance), now),
    ...transfer('payment', transit, payee.available.id, amount, id),
    {
      effect: 'audit',
      chain: payee.no,
      action: 'PAYMENT_RECEIVED',
      facts: {
        transaction_id: id,
        correlation_id: moved.correlationId,
        from_agent: payer.id,
        amount,
        balance: msat(payee.available.balance + amount),
      },
    },
  ];
  return { payment: moved, effects };
}
