import type { Msat, ReserveAnswer } from '@arbstr/shared';
import { subMsat, ZERO_MSAT } from '@arbstr/shared';
import type { Grant } from '../approval/grant.ts';
import { insufficientScope, type Refusal, refuse } from '../errors.ts';
import { type Forbidden, isForbidden, policyFor } from '../policy/spend-policy.ts';
import {
  type HeldReservation,
  type StoredReservation,
  storedState,
} from '../reservation/reservation.ts';
import { canCredit } from './account.ts';
import type { Reserve } from './command.ts';
import { type Decision, type Effect, NO_EFFECTS, no, transfer } from './effect.ts';
import { grantsFor, takeGrants } from './grants.ts';
import { type AgentState, isUsable, type LedgerView } from './view.ts';

/**
 * available → held. The checks stand in the order in which they are answered: who, whether this
 * was answered before, may the agent do anything, can it pay, do its limits allow it.
 */
export function reserve(view: LedgerView, command: Reserve, now: number): Decision<ReserveAnswer> {
  const token = view.token(command.tokenHash);
  if (!token || !isUsable(token, now)) return no(invalidToken());
  if (!token.scopes.includes('spend')) return no(insufficientScope('spend', token.scopes));

  const known = command.byCorrelation
    ? view.reservationByCorrelation(token.agentNo, command.correlationId)
    : view.reservation(command.reservationId);
  const agent = view.agent(token.agentNo);
  if (known) return replay(view, known, agent, command);

  if (agent.disabledAt !== null) return no(agentDisabled(agent.id));
  const names = [command.requestedModel, command.model];
  const policy = policyFor(agent.policy, { kind: 'model', names });
  if (isForbidden(policy)) return no(policyForbids(policy, command));
  if (agent.available.balance < command.amount)
    return no(insufficientBalance(agent, command.amount));
  const grants = grantsFor(view, agent, policy, command, now);
  if ('outcome' in grants) return grants;
  if (!canCredit(agent.held, command.amount)) {
    return no(refuse('invalid_request', 'the sum of open holds would leave the exact range'));
  }

  return hold(view, agent, command, grants, now);
}

function hold(
  view: LedgerView,
  agent: AgentState,
  command: Reserve,
  grants: readonly Grant[],
  now: number,
): Decision<ReserveAnswer> {
  const { amount } = command;
  const balanceAfterHold = subMsat(agent.available.balance as Msat, amount);
  const reservation: HeldReservation = {
    state: 'held',
    id: command.reservationId,
    agentNo: agent.no,
    coreId: command.coreId,
    correlationId: command.correlationId,
    model: command.model,
    requestedModel: command.requestedModel,
    byCorrelation: command.byCorrelation,
    amount,
    createdAt: now,
    expiresAt: now + command.holdMs,
    balanceAfterHold,
    approvalIds: grants.map(({ approvalId }) => approvalId),
  };
  const effects: Effect[] = [
    { effect: 'insert_reservation', reservation },
    ...takeGrants(grants, reservation.id),
    ...transfer('hold', agent.available.id, agent.held.id, amount, reservation.id),
    {
      effect: 'audit',
      chain: agent.no,
      action: 'RESERVATION_HELD',
      facts: {
        reservation_id: reservation.id,
        amount,
        expires_at: reservation.expiresAt,
        correlation_id: reservation.correlationId,
        model: reservation.model,
        requested_model: reservation.requestedModel ?? undefined,
        core_id: reservation.coreId ?? undefined,
        by_correlation: reservation.byCorrelation || undefined,
        approval_ids: grants.length > 0 ? reservation.approvalIds : undefined,
        balance: balanceAfterHold,
      },
    },
  ];
  return { outcome: answer(view, reservation, agent.id), effects };
}

/**
 * A reserve that was answered before: the same request gets the stored answer and the state as it
 * is now, so that nobody dispatches on a hold that has ended.
 */
function replay(
  view: LedgerView,
  known: StoredReservation,
  agent: AgentState,
  command: Reserve,
): Decision<ReserveAnswer> {
  if (known.agentNo === null) {
    return no(
      refuse(
        'already_released',
        'this reservation was released before it was made; use a new reservation id',
        storedState(known),
      ),
    );
  }
  const same =
    known.agentNo === agent.no &&
    known.amount === command.amount &&
    known.correlationId === command.correlationId &&
    known.model === command.model &&
    // Two cores that derive the same id must not both believe that the hold is theirs.
    known.coreId === command.coreId;
  if (!same || known.balanceAfterHold === null) {
    return no(
      refuse(
        'idempotency_conflict',
        'this reservation exists with another content; nothing was changed',
        storedState(known),
      ),
    );
  }
  return { outcome: answer(view, known, agent.id), effects: NO_EFFECTS };
}

function answer(
  view: LedgerView,
  reservation: Exclude<StoredReservation, { agentNo: null }>,
  agentId: string,
): ReserveAnswer {
  return {
    reservation_id: reservation.id,
    state: reservation.state,
    agent_id: agentId,
    remaining_balance_msats: reservation.balanceAfterHold as Msat,
    expires_at: reservation.expiresAt,
    ledger_epoch: view.epoch,
  };
}

export const invalidToken = (): Refusal =>
  refuse('invalid_token', 'unknown, expired or revoked agent token');

export const agentDisabled = (agentId: string): Refusal =>
  refuse('agent_disabled', 'the operator has disabled this agent; its money is untouched', {
    agent_id: agentId,
  });

export function insufficientBalance(agent: AgentState, amount: Msat, fee = ZERO_MSAT): Refusal {
  const fees = fee === ZERO_MSAT ? '' : `, and ${fee} that fees may take`;
  return refuse(
    'insufficient_balance',
    `the agent has ${agent.available.balance} msat available and needs ${amount}${fees}; the operator can deposit more`,
    { current_balance_msats: agent.available.balance, requested_msats: amount },
  );
}

function policyForbids({ rule }: Forbidden, command: Reserve): Refusal {
  const details = { rule, limit_msats: null, requested_msats: command.amount };
  return refuse('policy_denied', FORBIDDING[rule](command), details);
}

const FORBIDDING: Record<Forbidden['rule'], (command: Reserve) => string> = {
  no_policy: () => 'the agent has no spend policy and may spend nothing; the operator can set one',
  unreadable_policy: () =>
    "the agent's spend policy cannot be read, so it may spend nothing; the operator can set a new one",
  allowed_models: ({ requestedModel, model }) =>
    `the agent's spend policy does not allow the model ${requestedModel ?? model}`,
  allowed_destinations: () => "the agent's spend policy does not allow this destination",
};
