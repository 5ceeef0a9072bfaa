/**
 * An agent's audit rows for people. The rows of a chain are numbered without gaps and their times
 * never decrease, so a time range is found by bisection and a page by number, whatever the length.
 */
import { type Msat, msat } from '@arbstr/shared';
import { and, asc, between, desc, eq, sql } from 'drizzle-orm';
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { audit } from '../db/schema.ts';
import type { AgentAction } from './action.ts';

/**
 * Rows looked at for one page. A filter that matches rarely gives short pages instead of a scan
 * through a million rows that would hold up everybody else.
 */
const SCAN_ROWS_MAX = 10_000;

export interface HistoryQuery {
  readonly agent: { readonly no: number; readonly id: string };
  readonly order: 'asc' | 'desc';
  /** The last sequence of the page before, or null. */
  readonly after: number | null;
  readonly limit: number;
  readonly action?: AgentAction | undefined;
  /** Unix ms, both inclusive. */
  readonly startMs?: number | undefined;
  readonly endMs?: number | undefined;
}

export interface HistoryEntry {
  id: string;
  agent_id: string;
  sequence: number;
  action: AgentAction;
  policy_decision: string | null;
  policy_reason: string | null;
  amount_msat: Msat | null;
  ref_id: string | null;
  correlation_id: string | null;
  metadata: Record<string, unknown>;
  created_at: number;
  hash: string;
}

export interface HistoryPage {
  readonly entries: HistoryEntry[];
  /** The sequence after which the next page begins, or null where the range is exhausted. */
  readonly next: number | null;
}

export type History = ReturnType<typeof createHistory>;

export function createHistory(db: BetterSQLite3Database) {
  const timeOf = db
    .select({ at: audit.at })
    .from(audit)
    .where(and(eq(audit.chain, sql.placeholder('chain')), eq(audit.seq, sql.placeholder('seq'))))
    .prepare();
  const lastSeq = db
    .select({ seq: sql<number>`coalesce(max(${audit.seq}), 0)` })
    .from(audit)
    .where(eq(audit.chain, sql.placeholder('chain')))
    .prepare();

  /** The first sequence from `low` to `high` whose row is at `ms` or later; `high + 1` if none. */
  function firstSince(chain: number, ms: number, low: number, high: number): number {
    let from = low;
    let to = high + 1;
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      const row = timeOf.get({ chain, seq: middle });
      if (row && row.at >= ms) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  return {
    /** The sequences of an agent's rows in a time range, both inclusive; empty where low > high. */
    range(chain: number, startMs: number, endMs: number): { low: number; high: number } {
      const last = lastSeq.get({ chain })?.seq ?? 0;
      const low = firstSince(chain, startMs, 1, last);
      return { low, high: firstSince(chain, endMs + 1, low, last) - 1 };
    },
    page(query: HistoryQuery): HistoryPage {
      const chain = query.agent.no;
      const last = lastSeq.get({ chain })?.seq ?? 0;
      let low = query.startMs === undefined ? 1 : firstSince(chain, query.startMs, 1, last);
      let high = query.endMs === undefined ? last : firstSince(chain, query.endMs + 1, 1, last) - 1;
      const ascending = query.order === 'asc';
      if (query.after !== null) {
        if (ascending) low = Math.max(low, query.after + 1);
        else high = Math.min(high, query.after - 1);
      }
      if (low > high) return { entries: [], next: null };

      const edge = ascending
        ? Math.min(high, low + SCAN_ROWS_MAX - 1)
        : Math.max(low, high - SCAN_ROWS_MAX + 1);
      const rows = db
        .select()
        .from(audit)
        .where(
          and(
            eq(audit.chain, chain),
            ascending ? between(audit.seq, low, edge) : between(audit.seq, edge, high),
            query.action === undefined ? undefined : eq(audit.action, query.action),
          ),
        )
        .orderBy(ascending ? asc(audit.seq) : desc(audit.seq))
        .limit(query.limit + 1)
        .all();

      const entries = rows.slice(0, query.limit).map((row) => entryOf(row, query.agent.id));
      if (rows.length > query.limit) return { entries, next: entries.at(-1)!.sequence };
      const exhausted = edge === (ascending ? high : low);
      return { entries, next: exhausted ? null : edge };
    },
  };
}

/** Facts that only `verify` needs. */
const INTERNAL_FACTS = new Set([
  'transfers',
  'remembered',
  'token_hash',
  'token_key',
  'available_account',
  'held_account',
  'payable_account',
  'earned',
]);

function entryOf(row: typeof audit.$inferSelect, agentId: string): HistoryEntry {
  const facts = JSON.parse(row.facts) as Record<string, unknown>;
  const text = (key: string) => (typeof facts[key] === 'string' ? facts[key] : null);
  const metadata = Object.fromEntries(
    Object.entries(facts).filter(([key]) => !INTERNAL_FACTS.has(key)),
  );
  return {
    id: `${agentId}.${row.seq}`,
    agent_id: agentId,
    sequence: row.seq,
    action: row.action as AgentAction,
    policy_decision: text('decision') ?? (row.action === 'RESERVATION_HELD' ? 'ALLOW' : null),
    policy_reason:
      text('decision_reason') ?? (row.action === 'RESERVATION_HELD' ? 'policy_passed' : null),
    amount_msat: amountOf(facts),
    ref_id:
      text('reservation_id') ??
      text('deposit_id') ??
      text('transaction_id') ??
      text('policy_version_id') ??
      text('token_id') ??
      text('approval_id'),
    correlation_id: text('correlation_id'),
    metadata,
    created_at: row.at,
    hash: row.hash,
  };
}

/** What the row moved: the charge where there is one, else the hold, the refund or the deposit. */
function amountOf(facts: Record<string, unknown>): Msat | null {
  for (const key of ['charged', 'amount', 'refunded']) {
    const amount = facts[key];
    if (typeof amount === 'number') return msat(amount);
  }
  return null;
}
