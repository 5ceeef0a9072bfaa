/** Reservations as they stand on disk, in the shape of the wire. */
import { type Msat, type Reservation, subMsat, ZERO_MSAT } from '@arbstr/shared';
import { and, asc, eq, gt, sql } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { agents, reservations } from '../db/schema.ts';

export type ReservationQueries = ReturnType<typeof createReservationQueries>;

export function createReservationQueries(db: BetterSQLite3Database) {
  const withAgent = () =>
    db
      .select({ row: reservations, agentId: agents.id })
      .from(reservations)
      .leftJoin(agents, eq(agents.no, reservations.agentNo));

  // With the plus the order's own index, over all there ever was, is not preferred to the open ones'.
  const heldId = sql`+${reservations.id}`;

  return {
    find(id: string): Reservation | undefined {
      const found = withAgent().where(eq(reservations.id, id)).get();
      return found && reservationBody(found.row, found.agentId);
    },

    /** Open holds, ascending by id; of one core where `coreId` is given. */
    openHolds(coreId: string | null, afterId: string, limit: number): Reservation[] {
      return withAgent()
        .where(
          and(
            // Literal, as in the index: a bound value would read every reservation there ever was.
            sql`${reservations.state} = 'held'`,
            coreId === null ? undefined : eq(reservations.coreId, coreId),
            gt(heldId, afterId),
          ),
        )
        .orderBy(asc(heldId))
        .limit(limit)
        .all()
        .map(({ row, agentId }) => reservationBody(row, agentId));
    },
  };
}

function reservationBody(
  row: typeof reservations.$inferSelect,
  agentId: string | null,
): Reservation {
  return {
    reservation_id: row.id,
    agent_id: agentId,
    core_id: row.coreId,
    correlation_id: row.correlationId,
    model: row.model,
    state: row.state,
    amount_msats: row.amount,
    actual_msats: row.charged,
    refunded_msats: refundOf(row),
    shortfall_msats: row.charged === null ? null : subMsat(row.asked!, row.charged),
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    ended_at: row.endedAt,
  };
}

function refundOf(row: typeof reservations.$inferSelect): Msat | null {
  switch (row.state) {
    case 'held':
      return null;
    case 'settled':
      return subMsat(row.amount, row.charged!);
    case 'released':
    case 'expired':
      return row.amount;
    case 'settled_late':
      return ZERO_MSAT;
  }
}
