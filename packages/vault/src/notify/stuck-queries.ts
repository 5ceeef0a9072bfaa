/** What has been on its way for longer than it should, and what only a human can clear up. */
import type { Database } from 'better-sqlite3';

const HOUR_MS = 60 * 60 * 1_000;

/**
 * A payee may hold a payment back for hours, and a mint may be down; nobody loses money by that, but
 * somebody should know. What waits for the operator may wait a day.
 */
export const STUCK_AFTER_MS = {
  payment: HOUR_MS,
  payout: HOUR_MS,
  deposit: HOUR_MS,
  approval: 24 * HOUR_MS,
  waiting_payout: 24 * HOUR_MS,
} as const;
export type StuckKind = keyof typeof STUCK_AFTER_MS;

/** Of each kind, the oldest: who has a hundred of them has one problem, and knows of it. */
const ITEMS_MAX = 100;

export interface StuckItem {
  readonly kind: StuckKind;
  readonly id: string;
  /** 0: of no agent. */
  readonly agentNo: number;
  readonly amount: number;
  readonly since: number;
  /** Why only a human can clear it up; null where it only takes too long. */
  readonly reason: string | null;
}

export type StuckQueries = ReturnType<typeof createStuckQueries>;

export function createStuckQueries(db: Database) {
  // Each by the partial index of what is open, so that a long history costs nothing. What is open is
  // few rows of each seller or agent, which are read anyway where none is late.
  const items = (columns: string, open: string, oldestFirst = 'created_at') =>
    db.prepare<[number, number], Omit<StuckItem, 'kind' | 'reason'>>(
      `SELECT id, ${columns}, amount, created_at AS since FROM ${open} AND created_at <= ?
       ORDER BY ${oldestFirst} LIMIT ?`,
    );
  const OPEN_PAYOUTS = "payouts WHERE state IN ('waiting', 'held', 'in_flight')";
  const byKind: Record<StuckKind, ReturnType<typeof items>> = {
    // By its index, and an id begins with its time: payments of all agents may hang together.
    payment: items('agent_no AS agentNo', "payments WHERE state IN ('held', 'in_flight')", 'id'),
    payout: items('0 AS agentNo', `${OPEN_PAYOUTS} AND state <> 'waiting'`),
    waiting_payout: items('0 AS agentNo', `${OPEN_PAYOUTS} AND state = 'waiting'`),
    deposit: items(
      'agent_no AS agentNo',
      "deposits WHERE state = 'pending' AND type = 'cashu_token'",
    ),
    approval: items('agent_no AS agentNo', "approvals WHERE status = 'pending'"),
  };
  const marked = db.prepare<[number], StuckItem>(
    `SELECT 'payment' AS kind, id, agent_no AS agentNo, amount, created_at AS since, stuck AS reason
     FROM payments WHERE stuck IS NOT NULL
     UNION ALL
     SELECT 'payout', id, 0, amount, created_at, stuck FROM payouts WHERE stuck IS NOT NULL
     LIMIT ?`,
  );
  return {
    /** On its way for too long at `nowMs`. */
    items: (nowMs: number): StuckItem[] =>
      (Object.keys(STUCK_AFTER_MS) as StuckKind[]).flatMap((kind) =>
        byKind[kind]
          .all(nowMs - STUCK_AFTER_MS[kind], ITEMS_MAX)
          .map((item) => ({ kind, ...item, reason: null })),
      ),
    /** However new they are. */
    needHuman: (): StuckItem[] => marked.all(ITEMS_MAX),
  };
}
