/** Payments and approvals as they stand on disk: reads of committed rows. */
import type { Database } from 'better-sqlite3';
import type { Approval } from '../approval/approval.ts';
import {
  type ApprovalRow,
  approvalOf,
  type PaymentRow,
  paymentOf,
  type RailRow,
} from '../ledger/payment-rows.ts';
import { railOf } from '../ledger/payment-store.ts';
import type { RailState } from '../ledger/view.ts';
import type { Payment } from './payment.ts';

export type PaymentQueries = ReturnType<typeof createPaymentQueries>;

export interface ApprovalFilter {
  /** Null: every agent's. */
  readonly agentNo: number | null;
  readonly status: Approval['status'] | null;
}

interface AgentId {
  readonly agent_id: string;
}

function filteredBy({ agentNo, status }: ApprovalFilter): 'none' | 'agent' | 'status' | 'both' {
  if (agentNo === null) return status === null ? 'none' : 'status';
  return status === null ? 'agent' : 'both';
}

/** Of the newest; ids sort by time. */
const BEFORE_ALL = '~';

export function createPaymentQueries(db: Database) {
  const byId = db.prepare<[string], PaymentRow>('SELECT * FROM payments WHERE id = ?');
  const open = db.prepare<[string, number], { id: string }>(
    `SELECT id FROM payments WHERE state IN ('held', 'in_flight') AND id > ? ORDER BY id LIMIT ?`,
  );
  const unended = db.prepare<[string, string, number], { id: string }>(
    `SELECT id FROM payments WHERE state IN ('held', 'in_flight') AND id > ?
     UNION
     SELECT transaction_id FROM approvals
     WHERE status = 'pending' AND transaction_id > ?
     ORDER BY 1 LIMIT ?`,
  );
  const stuck = db.prepare<[], { id: string }>(
    'SELECT id FROM payments WHERE stuck IS NOT NULL ORDER BY id LIMIT 1000',
  );
  const ofAgent = db.prepare<[number, string, number], PaymentRow>(
    'SELECT * FROM payments WHERE agent_no = ? AND id < ? ORDER BY id DESC LIMIT ?',
  );
  const approvalById = db.prepare<[string], ApprovalRow & AgentId>(
    `SELECT approvals.*, agents.id AS agent_id FROM approvals JOIN agents ON agents.no = agent_no
     WHERE approvals.id = ?`,
  );
  // Each filter in words of its own: with `@status IS NULL OR` no index is used.
  const approvals = (filter: string) =>
    db.prepare<[ApprovalFilter & { before: string; limit: number }], ApprovalRow & AgentId>(
      `SELECT approvals.*, agents.id AS agent_id FROM approvals JOIN agents ON agents.no = agent_no
       WHERE approvals.id < @before ${filter} ORDER BY approvals.id DESC LIMIT @limit`,
    );
  const approvalsBy = {
    none: approvals(''),
    agent: approvals('AND agent_no = @agentNo'),
    status: approvals('AND status = @status'),
    both: approvals('AND agent_no = @agentNo AND status = @status'),
  };
  const frozen = db.prepare<[], RailRow>('SELECT * FROM rails WHERE frozen_at IS NOT NULL');
  const withAgent = (row: ApprovalRow & AgentId) => ({
    approval: approvalOf(row),
    agentId: row.agent_id,
  });

  return {
    find(id: string): Payment | undefined {
      const row = byId.get(id);
      return row && paymentOf(row);
    },
    /** Still to be brought to their end, ascending by id. */
    openIds: (afterId: string, limit: number): string[] =>
      open.all(afterId, limit).map(({ id }) => id),
    /** With those that wait for a human. */
    unendedIds: (afterId: string, limit: number): string[] =>
      unended.all(afterId, afterId, limit).map(({ id }) => id),
    /** That only a human can clear up; the first 1,000. */
    stuckIds: (): string[] => stuck.all().map(({ id }) => id),
    /** Newest first. */
    ofAgent: (agentNo: number, beforeId: string | null, limit: number): Payment[] =>
      ofAgent.all(agentNo, beforeId ?? BEFORE_ALL, limit).map(paymentOf),
    findApproval(id: string) {
      const row = approvalById.get(id);
      return row && withAgent(row);
    },
    /** Newest first. */
    approvals: (filter: ApprovalFilter, beforeId: string | null, limit: number) =>
      approvalsBy[filteredBy(filter)]
        .all({ ...filter, before: beforeId ?? BEFORE_ALL, limit })
        .map(withAgent),
    frozenRails: (): RailState[] => frozen.all().map(railOf),
  };
}
