/** All agents on one board, as the operator wants them sorted. Amounts in msat, times in Unix ms. */
import type { Database } from 'better-sqlite3';
import { minuteOf, WINDOW_MINUTES } from '../ledger/spend-window.ts';
import { type PolicyRow, policyOfRow } from '../policy/policy-fields.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';

/** What a board is sorted by: column of the query below. Fixed words, so that none comes from outside. */
const SORTS = { name: 'name', balance: 'available', daily_spend: 'spent' } as const;
export type BoardSort = keyof typeof SORTS;
export const BOARD_SORTS = Object.keys(SORTS) as BoardSort[];

/** Where the last agent of a page stood. */
export interface BoardPlace {
  /** Its sum then, which may have changed since; null where the sort is by name, which does not. */
  readonly amount: number | null;
  readonly no: number;
}

export interface BoardQuery {
  readonly nowMs: number;
  readonly activeOnly: boolean;
  readonly sort: BoardSort;
  readonly descending: boolean;
  /** The page begins behind it; null = at the beginning. */
  readonly after: BoardPlace | null;
  readonly limit: number;
}

export interface BoardAgent {
  readonly no: number;
  readonly id: string;
  readonly name: string;
  readonly createdAt: number;
  readonly disabledAt: number | null;
  readonly available: number;
  readonly held: number;
  /** Charged in the last 24 h, without what is held. */
  readonly spent: number;
  readonly pendingApprovals: number;
  /** When its newest payment that was made succeeded; null = none was. */
  readonly lastPaymentAt: number | null;
  readonly policy: PolicyVersion | null;
}

type Row = Omit<BoardAgent, 'policy'>;
interface Bounds {
  readonly minute: number;
  readonly activeOnly: number;
  readonly value: string | number | null;
  readonly no: number | null;
  readonly limit: number;
}

export function createAgentBoard(db: Database) {
  const policy = db.prepare<[number], PolicyRow>(
    'SELECT * FROM policy_versions WHERE agent_no = ? ORDER BY version DESC LIMIT 1',
  );
  const nameOf = db.prepare<[number], { name: string }>('SELECT name FROM agents WHERE no = ?');
  const boards = new Map<string, ReturnType<typeof prepare>>();

  /** Sums up all agents, whatever is shown of them: seconds for a hundred thousand. */
  function prepare(sort: BoardSort, descending: boolean) {
    const column = SORTS[sort];
    const [order, beyond] = descending ? ['DESC', '<'] : ['ASC', '>'];
    return db.prepare<[Bounds], Row>(
      `WITH spend AS MATERIALIZED (
         SELECT agent_no, sum(msat) AS msat FROM spend_buckets WHERE minute > @minute
         GROUP BY agent_no
       ), board AS (
         SELECT a.no, a.id, a.name, a.created_at AS createdAt, a.disabled_at AS disabledAt,
           available.balance AS available, held.balance AS held, coalesce(spend.msat, 0) AS spent
         FROM agents a
         JOIN accounts available ON available.name = 'agent:' || a.id || ':available'
         JOIN accounts held ON held.name = 'agent:' || a.id || ':held'
         LEFT JOIN spend ON spend.agent_no = a.no
         WHERE @activeOnly = 0 OR a.disabled_at IS NULL
       ), page AS (
         SELECT * FROM board
         WHERE @no IS NULL OR (${column}, no) ${beyond} (@value, @no)
         ORDER BY ${column} ${order}, no ${order} LIMIT @limit
       )
       SELECT page.*,
         (SELECT count(*) FROM approvals
          WHERE agent_no = page.no AND status = 'pending') AS pendingApprovals,
         (SELECT ended_at FROM payments
          WHERE agent_no = page.no AND state = 'succeeded'
          ORDER BY id DESC LIMIT 1) AS lastPaymentAt
       FROM page ORDER BY ${column} ${order}, no ${order}`,
    );
  }

  return ({ nowMs, activeOnly, sort, descending, after, limit }: BoardQuery): BoardAgent[] => {
    const key = `${sort} ${descending}`;
    const board = boards.get(key) ?? prepare(sort, descending);
    boards.set(key, board);
    const rows = board.all({
      minute: minuteOf(nowMs) - WINDOW_MINUTES,
      activeOnly: activeOnly ? 1 : 0,
      value: after === null ? null : (after.amount ?? nameOf.get(after.no)?.name ?? ''),
      no: after?.no ?? null,
      limit,
    });
    return rows.map((row) => {
      const current = policy.get(row.no);
      return { ...row, policy: current === undefined ? null : policyOfRow(current) };
    });
  };
}

/** Where an agent stands on a board that is sorted so. */
export function placeOf(sort: BoardSort, agent: BoardAgent): BoardPlace {
  const value = agent[SORTS[sort]];
  return { amount: typeof value === 'number' ? value : null, no: agent.no };
}
