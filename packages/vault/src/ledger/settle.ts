import { type Msat, minMsat, msat, type SettleAnswer, subMsat } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import {
  type ExpiredReservation,
  type HeldReservation,
  type LateReservation,
  refundOf,
  type SettledReservation,
  shortfallOf,
  storedState,
} from '../reservation/reservation.ts';
import { canCredit, canDebit } from './account.ts';
import { balanceAlert } from './alert.ts';
import type { Settle } from './command.ts';
import { type Decision, type Effect, NO_EFFECTS, no, transfer } from './effect.ts';
import { consumeGrants, consumeLateGrants } from './grants.ts';
import { chargeEffects, earningFacts, earningOf } from './sellers.ts';
import { minuteOf } from './spend-window.ts';
import type { AgentState, LedgerView } from './view.ts';

/** held → settled, expired → settled_late; every other state answers what it already is. */
export function settle(view: LedgerView, command: Settle, now: number): Decision<SettleAnswer> {
  const cost = command.usage.provider_cost_msats;
  if (cost !== undefined && cost > command.asked) {
    return no(
      refuse('invalid_request', 'provider_cost_msats must not be above actual_msats', {
        param: 'provider_cost_msats',
      }),
    );
  }
  const known = view.reservation(command.reservationId);
  if (known === undefined) return settleUnknown(view, command, now);
  switch (known.state) {
    case 'held':
      return settleHeld(view, known, command, now);
    case 'expired':
      return settleExpired(view, known, command, now);
    case 'settled':
    case 'settled_late':
      return replay(known, command);
    case 'released':
      return no(
        refuse(
          'already_released',
          'the hold was released and the agent has its money back; nothing was charged',
          storedState(known),
        ),
      );
  }
}

function settleHeld(
  view: LedgerView,
  held: HeldReservation,
  command: Settle,
  now: number,
): Decision<SettleAnswer> {
  const agent = view.agent(held.agentNo);
  // Never more than was held: the agent agreed to the ceiling, not to the bill.
  const charged = minMsat(command.asked, held.amount);
  const refunded = subMsat(held.amount, charged);
  if (!canCredit(view.revenue, charged)) return no(outOfRange());
  const settled: SettledReservation = {
    ...held,
    state: 'settled',
    endedAt: now,
    asked: command.asked,
    charged,
    balanceAfterEnd: msat(agent.available.balance + refunded),
    usage: command.usage,
  };
  const minute = minuteOf(held.createdAt);
  const earning = earningOf(view, command.usage, charged);
  const effects: Effect[] = [
    { effect: 'end_reservation', from: 'held', reservation: settled },
    ...chargeEffects('charge', agent.held.id, view.revenue.id, charged, earning, held.id),
    ...consumeGrants(held, now),
    ...transfer('refund', agent.held.id, agent.available.id, refunded, held.id),
    ...spend(agent.no, minute, charged),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'RESERVATION_SETTLED',
      facts: {
        reservation_id: held.id,
        correlation_id: held.correlationId,
        asked: command.asked,
        charged,
        refunded,
        balance: settled.balanceAfterEnd,
        ...earningFacts(earning),
        usage: command.usage,
      },
    },
    ...balanceAlert(view, agent, settled.balanceAfterEnd, now),
  ];
  return { outcome: answer(settled), effects };
}

function settleExpired(
  view: LedgerView,
  expired: ExpiredReservation,
  command: Settle,
  now: number,
): Decision<SettleAnswer> {
  const agent = view.agent(expired.agentNo);
  const due = minMsat(command.asked, expired.amount);
  const bill = lateBill(agent, due);
  if (!fits(view, agent, bill)) return no(outOfRange());
  const late: LateReservation = {
    ...expired,
    state: 'settled_late',
    endedAt: now,
    asked: command.asked,
    charged: bill.charged,
    balanceAfterEnd: bill.balance,
    usage: command.usage,
  };
  const effects: Effect[] = [
    { effect: 'end_reservation', from: 'expired', reservation: late },
    ...consumeLateGrants(view, expired, now),
    ...lateEffects(view, agent, late, bill, false),
  ];
  return { outcome: answer(late), effects };
}

/** A bill for a reservation that this ledger has never seen (it was restored to before it). */
function settleUnknown(view: LedgerView, command: Settle, now: number): Decision<SettleAnswer> {
  const agent = command.agentId === null ? undefined : view.agentById(command.agentId);
  if (agent === undefined) {
    return no(
      refuse(
        'not_found',
        command.agentId === null
          ? 'no such reservation; with agent_id it would be booked as a late settle'
          : 'no such reservation and no such agent',
      ),
    );
  }
  const bill = lateBill(agent, command.asked);
  if (!fits(view, agent, bill)) return no(outOfRange());
  const late: LateReservation = {
    state: 'settled_late',
    id: command.reservationId,
    agentNo: agent.no,
    coreId: null,
    correlationId: command.correlationId,
    model: command.model,
    requestedModel: null,
    byCorrelation: false,
    amount: msat(0),
    createdAt: now,
    expiresAt: now,
    balanceAfterHold: null,
    approvalIds: [],
    endedAt: now,
    asked: command.asked,
    charged: bill.charged,
    balanceAfterEnd: bill.balance,
    usage: command.usage,
  };
  const effects: Effect[] = [
    { effect: 'insert_reservation', reservation: late },
    ...lateEffects(view, agent, late, bill, true),
  ];
  return { outcome: answer(late), effects };
}

interface LateBill {
  readonly charged: Msat;
  readonly lost: Msat;
  readonly balance: Msat;
}

/** What the agent can pay now of what is due, and what the operator loses. */
function lateBill(agent: AgentState, due: Msat): LateBill {
  const available = msat(agent.available.balance);
  const charged = minMsat(due, available);
  return { charged, lost: subMsat(due, charged), balance: subMsat(available, charged) };
}

function fits(view: LedgerView, agent: AgentState, bill: LateBill): boolean {
  return (
    canDebit(agent.available, bill.charged) &&
    canDebit(view.loss, bill.lost) &&
    canCredit(view.revenue, bill.charged + bill.lost)
  );
}

function lateEffects(
  view: LedgerView,
  agent: AgentState,
  late: LateReservation,
  bill: LateBill,
  unknown: boolean,
): Effect[] {
  const earning = earningOf(view, late.usage, bill.charged);
  const facts = {
    reservation_id: late.id,
    correlation_id: late.correlationId,
    asked: late.asked,
    charged: bill.charged,
    lost: bill.lost,
    balance: bill.balance,
    ...earningFacts(earning),
    usage: late.usage,
    ...(unknown ? { unknown: true, model: late.model } : {}),
  };
  return [
    ...chargeEffects(
      'late_charge',
      agent.available.id,
      view.revenue.id,
      bill.charged,
      earning,
      late.id,
    ),
    // Earned and lost at once: the books show what late bills cost the operator.
    ...transfer('loss', view.loss.id, view.revenue.id, bill.lost, late.id),
    ...spend(agent.no, minuteOf(late.createdAt), bill.charged),
    { effect: 'audit', chain: agent.no, action: 'RESERVATION_SETTLED_LATE', facts },
    ...balanceAlert(view, agent, bill.balance, late.endedAt),
  ];
}

function spend(agentNo: number, minute: number, amount: number): Effect[] {
  return amount === 0 ? [] : [{ effect: 'spend', agentNo, minute, amount }];
}

/** The same bill again gets the stored answer; another one never changes what was charged. */
function replay(
  known: SettledReservation | LateReservation,
  command: Settle,
): Decision<SettleAnswer> {
  const costAgrees =
    command.usage.provider_cost_msats === undefined ||
    command.usage.provider_cost_msats === known.usage.provider_cost_msats;
  if (known.asked !== command.asked || !costAgrees) {
    return no(
      refuse(
        'already_settled_differently',
        `${known.charged} msat were charged for another bill; nothing was changed`,
        storedState(known),
      ),
    );
  }
  return { outcome: answer(known), effects: NO_EFFECTS };
}

function answer(bill: SettledReservation | LateReservation): SettleAnswer {
  return {
    settled: true,
    actual_msats: bill.charged,
    refunded_msats: refundOf(bill),
    shortfall_msats: shortfallOf(bill),
    remaining_balance_msats: bill.balanceAfterEnd,
    ...(bill.state === 'settled_late' ? { late: true as const } : {}),
  };
}

const outOfRange = (): Refusal =>
  refuse('invalid_request', 'the amount would take an account out of the exact range', {
    param: 'actual_msats',
  });
