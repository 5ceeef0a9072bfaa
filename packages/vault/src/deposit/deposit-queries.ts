/** What is known of deposits: reads of committed rows. */
import { and, desc, eq, gt, isNotNull, lt, max, sql } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { agents, deposits } from '../db/schema.ts';
import type { Rail } from '../wallet/wallet.ts';

export type DepositRecord = typeof deposits.$inferSelect;
export type DepositQueries = ReturnType<typeof createDepositQueries>;

export function createDepositQueries(db: BetterSQLite3Database) {
  return {
    find: (id: string): DepositRecord | undefined =>
      db.select().from(deposits).where(eq(deposits.id, id)).get(),

    agentIdOf: (agentNo: number): string =>
      db.select({ id: agents.id }).from(agents).where(eq(agents.no, agentNo)).get()!.id,

    /** Newest first. @param before the last id of the page before, or null */
    list: (agentNo: number, before: string | null, limit: number): DepositRecord[] =>
      db
        .select()
        .from(deposits)
        .where(
          and(eq(deposits.agentNo, agentNo), before === null ? undefined : lt(deposits.id, before)),
        )
        .orderBy(desc(deposits.id))
        .limit(limit)
        .all(),

    /** Of the last receipt that was credited; 0 where none was. */
    lastReceipt: (rail: Rail): number =>
      db
        .select({ last: max(deposits.receiptIndex) })
        .from(deposits)
        .where(and(eq(deposits.rail, rail), isNotNull(deposits.receiptIndex)))
        .get()?.last ?? 0,

    /** Of ecash that was accepted and of which nobody knows yet what it gave; ascending by id. */
    pendingEcashIds: (afterId: string, limit: number): string[] =>
      db
        .select({ id: deposits.id })
        .from(deposits)
        .where(
          and(
            // Literal, as in the index: a bound value would read every deposit there ever was.
            sql`${deposits.state} = 'pending'`,
            eq(deposits.type, 'cashu_token'),
            gt(deposits.id, afterId),
          ),
        )
        .orderBy(deposits.id)
        .limit(limit)
        .all()
        .map(({ id }) => id),
  };
}
