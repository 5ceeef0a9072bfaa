/** What is known of sellers and payouts: reads of committed rows. */
import type { Msat } from '@arbstr/shared';
import { and, desc, eq, gt, gte, isNotNull, lt, ne, sql } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { accounts, payouts, sellers } from '../db/schema.ts';
import type { PayoutState } from './payout.ts';

export type PayoutRecord = typeof payouts.$inferSelect;
export type PayoutQueries = ReturnType<typeof createPayoutQueries>;

export interface PayoutFilter {
  readonly status?: PayoutState | undefined;
  readonly provider?: string | undefined;
}

export function createPayoutQueries(db: BetterSQLite3Database) {
  const balance = (id: number): Msat =>
    db.select({ balance: accounts.balance }).from(accounts).where(eq(accounts.id, id)).get()!
      .balance as Msat;
  return {
    seller(name: string) {
      const row = db.select().from(sellers).where(eq(sellers.name, name)).get();
      if (!row) return undefined;
      return { ...row, payable: balance(row.payableAccount), held: balance(row.heldAccount) };
    },

    find: (id: string): PayoutRecord | undefined =>
      db.select().from(payouts).where(eq(payouts.id, id)).get(),

    /** Newest first. @param before the last id of the page before, or null */
    list: (before: string | null, limit: number, filter: PayoutFilter): PayoutRecord[] =>
      db
        .select()
        .from(payouts)
        .where(
          and(
            before === null ? undefined : lt(payouts.id, before),
            filter.status === undefined ? undefined : eq(payouts.state, filter.status),
            filter.provider === undefined ? undefined : eq(payouts.seller, filter.provider),
          ),
        )
        .orderBy(desc(payouts.id))
        .limit(limit)
        .all(),

    /** Names of sellers that are owed enough; the ledger decides whether they are paid now. */
    due: (): string[] =>
      db
        .select({ name: sellers.name })
        .from(sellers)
        .innerJoin(accounts, eq(accounts.id, sellers.payableAccount))
        .where(
          and(
            isNotNull(sellers.payoutDestination),
            ne(sellers.standing, 'denied'),
            gt(accounts.balance, 0),
            gte(accounts.balance, sellers.payoutThreshold),
          ),
        )
        .all()
        .map(({ name }) => name),

    /** What waits for the operator, newest first: of each seller one at most. */
    waiting: (beforeId: string, limit: number): PayoutRecord[] =>
      db
        .select()
        .from(payouts)
        // Literal, as in the index: bound values would read every payout there ever was.
        .where(
          and(
            sql`${payouts.state} IN ('waiting', 'held', 'in_flight')`,
            eq(payouts.state, 'waiting'),
            lt(payouts.id, beforeId),
          ),
        )
        .orderBy(desc(payouts.id))
        .limit(limit)
        .all(),

    /** What the runner has to bring to its end, ascending by id; of each seller one at most. */
    openIds: (afterId: string, limit: number): string[] =>
      db
        .select({ id: payouts.id })
        .from(payouts)
        // Literal, as in the index: bound values would read every payout there ever was.
        .where(
          and(
            sql`${payouts.state} IN ('waiting', 'held', 'in_flight')`,
            ne(payouts.state, 'waiting'),
            gt(payouts.id, afterId),
          ),
        )
        .orderBy(payouts.id)
        .limit(limit)
        .all()
        .map(({ id }) => id),

    /** That only a human can clear up; of each seller one at most. */
    stuckIds: (): string[] =>
      db
        .select({ id: payouts.id })
        .from(payouts)
        .where(isNotNull(payouts.stuck))
        .orderBy(payouts.id)
        .all()
        .map(({ id }) => id),
  };
}
