/** What is known of agents: reads of committed rows, for the HTTP side. Amounts in msat. */
import { type AgentScope, type Msat, msat } from '@arbstr/shared';
import { and, asc, desc, eq, gt, inArray, lt, sql } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { accounts, agents, agentTokens, policyVersions, spendBuckets } from '../db/schema.ts';
import { availableName, heldName } from '../ledger/account.ts';
import { minuteOf, WINDOW_MINUTES } from '../ledger/spend-window.ts';
import { isUsable } from '../ledger/view.ts';
import { policyOfRow } from '../policy/policy-fields.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';

export interface AuthenticatedAgent {
  readonly no: number;
  readonly id: string;
  readonly name: string;
  readonly scopes: AgentScope[];
}

export type AgentRecord = typeof agents.$inferSelect;

export type TokenRecord = typeof agentTokens.$inferSelect;

export interface Balances {
  readonly available: Msat;
  readonly held: Msat;
}

export type AgentQueries = ReturnType<typeof createAgentQueries>;

export function createAgentQueries(db: BetterSQLite3Database) {
  const byTokenHash = db
    .select({
      no: agents.no,
      id: agents.id,
      name: agents.name,
      scopes: agentTokens.scopes,
      expiresAt: agentTokens.expiresAt,
      revokedAt: agentTokens.revokedAt,
    })
    .from(agentTokens)
    .innerJoin(agents, eq(agents.no, agentTokens.agentNo))
    .where(eq(agentTokens.tokenHash, sql.placeholder('hash')))
    .prepare();
  const currentPolicy = db
    .select()
    .from(policyVersions)
    .where(eq(policyVersions.agent_no, sql.placeholder('no')))
    .orderBy(desc(policyVersions.version))
    .limit(1)
    .prepare();

  return {
    /** The agent whose usable token hashes to this, or null. */
    authenticate(tokenHash: string, nowMs: number): AuthenticatedAgent | null {
      const row = byTokenHash.get({ hash: tokenHash });
      if (!row) return null;
      if (!isUsable(row, nowMs)) return null;
      const { no, id, name, scopes } = row;
      return { no, id, name, scopes: scopes.split(' ') as AgentScope[] };
    },

    find(id: string): AgentRecord | undefined {
      return db.select().from(agents).where(eq(agents.id, id)).get();
    },

    /** Ascending by id, after `afterId`. */
    list(afterId: string, limit: number): AgentRecord[] {
      return db
        .select()
        .from(agents)
        .where(gt(agents.id, afterId))
        .orderBy(asc(agents.id))
        .limit(limit)
        .all();
    },

    policy(no: number): PolicyVersion | undefined {
      const row = currentPolicy.get({ no });
      return row && policyOfRow(row);
    },

    /** Newest first, before `beforeVersion`. */
    policyVersions(no: number, beforeVersion: number, limit: number): PolicyVersion[] {
      return db
        .select()
        .from(policyVersions)
        .where(
          and(eq(policyVersions.agent_no, no), sql`${policyVersions.version} < ${beforeVersion}`),
        )
        .orderBy(desc(policyVersions.version))
        .limit(limit)
        .all()
        .map(policyOfRow);
    },

    /** Newest first, before `beforeId`. */
    tokens(no: number, beforeId: string | null, limit: number): TokenRecord[] {
      return db
        .select()
        .from(agentTokens)
        .where(
          and(
            eq(agentTokens.agentNo, no),
            beforeId === null ? undefined : lt(agentTokens.id, beforeId),
          ),
        )
        .orderBy(desc(agentTokens.id))
        .limit(limit)
        .all();
    },

    /** Both accounts in one statement, so that money on its way between them is seen once. */
    balances(agentId: string): Balances {
      const names = [availableName(agentId), heldName(agentId)];
      const rows = db.select().from(accounts).where(inArray(accounts.name, names)).all();
      const balanceOf = (name: string) => msat(rows.find((row) => row.name === name)?.balance ?? 0);
      return { available: balanceOf(names[0]!), held: balanceOf(names[1]!) };
    },

    /** Charged in the last 24 h, without open holds. */
    spent24h(no: number, nowMs: number): Msat {
      const row = db
        .select({ sum: sql<number>`coalesce(sum(${spendBuckets.msat}), 0)` })
        .from(spendBuckets)
        .where(
          and(
            eq(spendBuckets.agentNo, no),
            gt(spendBuckets.minute, minuteOf(nowMs) - WINDOW_MINUTES),
          ),
        )
        .get();
      return msat(row?.sum ?? 0);
    },
  };
}
