import { type Msat, msat, type ReleaseAnswer, ZERO_MSAT } from '@arbstr/shared';
import { LEDGER_CHAIN } from '../audit/action.ts';
import { refuse } from '../errors.ts';
import {
  type HeldReservation,
  type ReleasedReservation,
  storedState,
  type Tombstone,
} from '../reservation/reservation.ts';
import type { Release } from './command.ts';
import { type Decision, NO_EFFECTS, no, transfer } from './effect.ts';
import { returnGrants } from './grants.ts';
import type { LedgerView } from './view.ts';

/** held → released; an unknown id gets a tombstone; an expired hold has already gone back. */
export function release(view: LedgerView, command: Release, now: number): Decision<ReleaseAnswer> {
  const known = view.reservation(command.reservationId);
  if (known === undefined) return forbid(command, now);
  switch (known.state) {
    case 'held':
      return giveBack(view, known, command, now);
    case 'released':
      return { outcome: answer(known.amount), effects: NO_EFFECTS };
    case 'expired':
      return { outcome: answer(ZERO_MSAT), effects: NO_EFFECTS };
    case 'settled':
    case 'settled_late':
      return no(
        refuse(
          'already_settled',
          `${known.charged} msat were charged; a settled reservation cannot be released`,
          storedState(known),
        ),
      );
  }
}

function giveBack(
  view: LedgerView,
  held: HeldReservation,
  command: Release,
  now: number,
): Decision<ReleaseAnswer> {
  const agent = view.agent(held.agentNo);
  const released: ReleasedReservation = { ...held, state: 'released', endedAt: now };
  return {
    outcome: answer(held.amount),
    effects: [
      { effect: 'end_reservation', from: 'held', reservation: released },
      ...returnGrants(held),
      ...transfer('refund', agent.held.id, agent.available.id, held.amount, held.id),
      {
        effect: 'audit',
        chain: agent.no,
        action: 'RESERVATION_RELEASED',
        facts: {
          reservation_id: held.id,
          correlation_id: held.correlationId,
          refunded: held.amount,
          balance: agent.available.balance + held.amount,
          reason: command.reason ?? undefined,
        },
      },
    ],
  };
}

/** The reserve may still be on its way: remember that its id was given up. */
function forbid(command: Release, now: number): Decision<ReleaseAnswer> {
  const tombstone: Tombstone = {
    state: 'released',
    id: command.reservationId,
    agentNo: null,
    coreId: null,
    correlationId: null,
    model: null,
    requestedModel: null,
    byCorrelation: false,
    amount: msat(0),
    createdAt: now,
    expiresAt: now,
    endedAt: now,
  };
  return {
    outcome: answer(ZERO_MSAT),
    effects: [
      { effect: 'insert_reservation', reservation: tombstone },
      {
        effect: 'audit',
        chain: LEDGER_CHAIN,
        action: 'RESERVATION_FORBIDDEN',
        facts: { reservation_id: tombstone.id, reason: command.reason ?? undefined },
      },
    ],
  };
}

const answer = (refunded: Msat): ReleaseAnswer => ({ released: true, refunded_msats: refunded });
