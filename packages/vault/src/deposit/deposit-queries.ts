/** What is known of deposits: reads of committed rows. */
import { and, count, desc, eq, gt, isNotNull, lt, max, sql } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { agents, deposits } from '../db/schema.ts';
import type { RememberedAnswer } from '../ledger/view.ts';
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

    /** Of one agent, by invoice or ecash. */
    pending: (agentNo: number): number =>
      db
        .select({ n: count() })
        .from(deposits)
        // Literal, as in the index.
        .where(and(sql`${deposits.state} = 'pending'`, eq(deposits.agentNo, agentNo)))
        .get()!.n,

    /** When the nth newest was opened of those of an agent since then that nothing came of. */
    unpaid: (agentNo: number, sinceMs: number, nth: number): number | undefined =>
      db.get<{ created_at: number } | undefined>(
        // Literal, as in the index.
        sql`SELECT created_at FROM deposits
          WHERE state <> 'settled' AND agent_no = ${agentNo} AND created_at > ${sinceMs}
          ORDER BY created_at DESC LIMIT 1 OFFSET ${nth - 1}`,
      )?.created_at,

    /** The stored answer to an idempotency key. */
    rememberedAnswer: (key: string): RememberedAnswer | undefined =>
      db.get<RememberedAnswer | undefined>(
        sql`SELECT fingerprint, answer FROM idempotency_keys WHERE key = ${key}`,
      ),

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
