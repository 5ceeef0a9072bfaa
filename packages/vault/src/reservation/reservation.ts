/**
 * A reservation: money of one agent that waits for the bill of one request.
 *
 *                 ┌────────▶ settled        the bill came; charge ≤ hold, the rest went back
 *   (reserve) ▶ held ──────▶ released       no bill; everything went back
 *                 └────────▶ expired ─────▶ settled_late
 *                            nobody came      the bill came after the money had gone back: charged
 *                            in time          from what is available now, the rest is a loss
 *
 *   (release of an unknown id) ▶ released      a tombstone, without agent or amount: a reserve that
 *                                              arrives late must not become a hold without an owner
 *   (settle of an unknown id)  ▶ settled_late  with the agent's id only, after a restore
 *
 * settled, released and settled_late are final. Amounts in msat, times in Unix ms.
 */
import { type Msat, type ReservationState, subMsat, ZERO_MSAT } from '@arbstr/shared';

interface Identity {
  readonly id: string;
  readonly coreId: string | null;
  readonly correlationId: string | null;
  readonly model: string | null;
  readonly requestedModel: string | null;
  /** The reserve came without an id and is found by its correlation id. */
  readonly byCorrelation: boolean;
  readonly amount: Msat;
  readonly createdAt: number;
  readonly expiresAt: number;
}

interface Owned extends Identity {
  readonly agentNo: number;
  /** What the reserve answered as available after the hold; null where there was no reserve. */
  readonly balanceAfterHold: Msat | null;
  /** Approvals whose grants the hold has taken; nearly always none. */
  readonly approvalIds: readonly string[];
}

interface Ended {
  readonly endedAt: number;
}

/** What a settle was asked for and what it did. */
interface Bill {
  readonly asked: Msat;
  readonly charged: Msat;
  readonly balanceAfterEnd: Msat;
  readonly usage: Usage;
}

export interface HeldReservation extends Owned {
  readonly state: 'held';
}

export interface SettledReservation extends Owned, Ended, Bill {
  readonly state: 'settled';
}

export interface ReleasedReservation extends Owned, Ended {
  readonly state: 'released';
}

export interface Tombstone extends Identity, Ended {
  readonly state: 'released';
  readonly agentNo: null;
}

export interface ExpiredReservation extends Owned, Ended {
  readonly state: 'expired';
}

export interface LateReservation extends Owned, Ended, Bill {
  readonly state: 'settled_late';
}

export type StoredReservation =
  | HeldReservation
  | SettledReservation
  | ReleasedReservation
  | Tombstone
  | ExpiredReservation
  | LateReservation;

export type EndedReservation = Exclude<StoredReservation, HeldReservation>;

/** What core reported with the bill; kept as it came, never used to compute money. */
export interface Usage {
  readonly provider?: string | undefined;
  readonly provider_cost_msats?: Msat | undefined;
  readonly tokens_in?: number | undefined;
  readonly tokens_out?: number | undefined;
  readonly latency_ms?: number | undefined;
  readonly baseline_msats?: Msat | undefined;
  readonly estimated?: boolean | undefined;
}

/** What went back to the agent when this reservation ended. */
export function refundOf(reservation: EndedReservation): Msat {
  switch (reservation.state) {
    case 'settled':
      return subMsat(reservation.amount, reservation.charged);
    case 'released':
    case 'expired':
      return reservation.amount;
    case 'settled_late':
      return ZERO_MSAT;
  }
}

export function shortfallOf(bill: { asked: Msat; charged: Msat }): Msat {
  return subMsat(bill.asked, bill.charged);
}

/** What a refusal shows of the reservation that stands in the way. */
export function storedState(reservation: StoredReservation): Record<string, unknown> {
  const shown: { state: ReservationState; [key: string]: unknown } = {
    reservation_id: reservation.id,
    state: reservation.state,
    amount_msats: reservation.amount,
  };
  if ('charged' in reservation) {
    shown.actual_msats = reservation.charged;
    shown.shortfall_msats = shortfallOf(reservation);
  }
  return shown;
}
