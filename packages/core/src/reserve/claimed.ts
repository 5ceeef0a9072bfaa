/**
 * RESERVE under a caller's Idempotency-Key. The reservation's id is derived from agent, key and the
 * number of the try, so that of all cores that are asked only one can hold, and bill, each try. A
 * try that ended unbilled makes room for the next number.
 *
 * Here the vault is asked before the journal is written, not beside it: until the vault has said
 * "held", the id may be another core's, and a journal row would make recovery release it.
 */
import type { Reservation } from '@arbstr/shared';
import { KEY_KEPT_MS } from '../claim/claims.ts';
import { notKept, stillRunning, tooManyTries, unresolved } from '../claim/refusals.ts';
import { claimedReservationId } from '../claim/reservation-id.ts';
import type { Refusal } from '../errors.ts';
import type { JournalIntent } from '../ports.ts';
import type { Hold } from './hold.ts';
import {
  askVault,
  holdOf,
  type ReserveDeps,
  type ReserveOrder,
  refusalOf,
  refuseWhileBehind,
  storageRefusal,
} from './reserve.ts';

const TRIES_MAX = 16;

type Placed = Hold | Refusal | 'taken';

export async function reserveClaimed(
  deps: ReserveDeps,
  order: ReserveOrder,
  key: string,
): Promise<Hold | Refusal> {
  for (let n = 0; n < TRIES_MAX; n++) {
    const blocked = refuseWhileBehind(deps);
    if (blocked !== null) return blocked;
    const reservationId = claimedReservationId(order.agentId, key, n);
    const placed = deps.journal.has(reservationId)
      ? 'taken'
      : await place(deps, order, reservationId);
    if (placed !== 'taken') return placed;
    const standing = await standingOf(deps, reservationId);
    if (standing !== 'ended_unbilled') return standing;
  }
  return tooManyTries(TRIES_MAX);
}

async function place(
  deps: ReserveDeps,
  { agentToken, ...rest }: ReserveOrder,
  reservationId: string,
): Promise<Placed> {
  deps.live.add(reservationId);
  const intent: JournalIntent = { ...rest, reservationId, createdAtMs: deps.nowMs() };
  const { reply } = await askVault(deps, intent, agentToken);
  if (reply.kind !== 'ok' || reply.value.state !== 'held') {
    // Where the call may have arrived all the same, the hold has no owner and expires in HOLD_SECS.
    deps.live.remove(reservationId);
    const isTaken =
      reply.kind === 'ok' ||
      (reply.kind === 'refused' &&
        (reply.code === 'idempotency_conflict' || reply.code === 'already_released'));
    return isTaken ? 'taken' : refusalOf(reply, intent);
  }
  const hold = holdOf(deps, intent, reply.value);
  try {
    await deps.journal.intend(intent);
    return hold;
  } catch (error) {
    await hold.release('reserve_failed');
    return storageRefusal((error as Error).message);
  }
}

/** What became of a try that somebody has made before. */
async function standingOf(
  deps: ReserveDeps,
  reservationId: string,
): Promise<Refusal | 'ended_unbilled'> {
  const reply = await deps.vault.reservation(reservationId);
  // Journaled here, and the vault does not know it yet, or cannot be asked: it has no end so far.
  if (reply.kind !== 'ok') return stillRunning();
  const { value } = reply;
  if (deps.nowMs() - value.created_at > KEY_KEPT_MS && value.state !== 'held') {
    return 'ended_unbilled';
  }
  switch (value.state) {
    case 'released':
      return 'ended_unbilled';
    case 'settled':
    case 'settled_late':
      return notKept(value.actual_msats ?? 0);
    case 'expired':
      return neverDispatched(deps, value) ? 'ended_unbilled' : unresolved();
    case 'held': {
      if (!neverDispatched(deps, value)) return stillRunning();
      const released = await deps.vault.release(reservationId, 'reserve_unanswered');
      return released.kind === 'ok' ? 'ended_unbilled' : stillRunning();
    }
  }
}

/** Ours, and not in the journal: its reserve was never answered, so nothing was sent for it. */
const neverDispatched = ({ journal, live }: ReserveDeps, reservation: Reservation): boolean =>
  reservation.core_id === journal.coreId &&
  !journal.has(reservation.reservation_id) &&
  !live.has(reservation.reservation_id);
