import { HOLD_SECS_MAX } from '@arbstr/shared';
import { refuse } from '../errors.ts';
import { type HeldReservation, storedState } from '../reservation/reservation.ts';
import type { Extend } from './command.ts';
import { type Decision, NO_EFFECTS, no } from './effect.ts';
import type { Extended } from './outcome.ts';
import type { LedgerView } from './view.ts';

/** Gives an open hold more time, at most an hour from now; never less than it has. */
export function extend(view: LedgerView, command: Extend, now: number): Decision<Extended> {
  const known = view.reservation(command.reservationId);
  if (known === undefined) {
    return no(refuse('not_found', 'no such reservation'));
  }
  switch (known.state) {
    case 'held':
      return moveExpiry(known, now + Math.min(command.holdMs, HOLD_SECS_MAX * 1000));
    case 'expired':
      return ended('expired', 'the hold has expired and the agent has its money back', known);
    case 'released':
      return ended('already_released', 'the hold was released', known);
    case 'settled':
    case 'settled_late':
      return ended('already_settled', 'the reservation is settled', known);
  }
}

function moveExpiry(held: HeldReservation, expiresAt: number): Decision<Extended> {
  if (expiresAt <= held.expiresAt) {
    return { outcome: { expires_at: held.expiresAt }, effects: NO_EFFECTS };
  }
  return {
    outcome: { expires_at: expiresAt },
    effects: [
      { effect: 'move_expiry', reservation: { ...held, expiresAt } },
      {
        effect: 'audit',
        chain: held.agentNo,
        action: 'RESERVATION_EXTENDED',
        facts: {
          reservation_id: held.id,
          correlation_id: held.correlationId,
          expires_at: expiresAt,
        },
      },
    ],
  };
}

function ended(
  code: 'expired' | 'already_released' | 'already_settled',
  message: string,
  known: Parameters<typeof storedState>[0],
): Decision<Extended> {
  return no(refuse(code, message, storedState(known)));
}
