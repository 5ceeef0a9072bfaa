/** Grants as SQLite keeps them, and the SQL that reads and writes them. */
import type { Msat } from '@arbstr/shared';
import type { Database } from 'better-sqlite3';
import type { Grant } from '../approval/grant.ts';
import type { LimitRule } from '../policy/spend-policy.ts';
import { changedOne } from './changed-one.ts';
import type { GrantEffect } from './effect.ts';
import type { ApprovalRow } from './payment-rows.ts';
import type { Statements } from './statements.ts';

export interface GrantRow {
  approval_id: string;
  agent_no: number;
  model: string;
  rule: LimitRule;
  amount_max: number;
  expires_at: number;
  reservation_id: string | null;
  consumed_at: number | null;
}

export function prepareGrantStatements(db: Database) {
  return {
    selectGrant: db.prepare<[string], GrantRow>('SELECT * FROM grants WHERE approval_id = ?'),
    selectFreeGrant: db.prepare<[number, string, string, number], GrantRow>(
      `SELECT * FROM grants WHERE agent_no = ? AND model = ? AND rule = ?
         AND reservation_id IS NULL AND expires_at > ?
       ORDER BY amount_max DESC LIMIT 1`,
    ),
    insertGrant: db.prepare(
      `INSERT INTO grants (approval_id, agent_no, model, rule, amount_max, expires_at)
       VALUES (@approvalId, @agentNo, @model, @rule, @amountMax, @expiresAt)`,
    ),
    takeGrant: db.prepare<[string, string]>(
      'UPDATE grants SET reservation_id = ? WHERE approval_id = ? AND reservation_id IS NULL',
    ),
    returnGrant: db.prepare<[string, string]>(
      `UPDATE grants SET reservation_id = NULL
       WHERE approval_id = ? AND reservation_id = ? AND consumed_at IS NULL`,
    ),
    consumeGrant: db.prepare<[number, string, string]>(
      `UPDATE grants SET consumed_at = ?
       WHERE approval_id = ? AND reservation_id = ? AND consumed_at IS NULL`,
    ),
    selectPendingInference: db.prepare<[number, string, string], ApprovalRow>(
      `SELECT * FROM approvals WHERE agent_no = ? AND model = ? AND rule = ?
         AND status = 'pending' AND type = 'inference'`,
    ),
    countPendingInferences: db.prepare<[number], { n: number }>(
      `SELECT count(*) AS n FROM approvals
       WHERE agent_no = ? AND status = 'pending' AND type = 'inference'`,
    ),
  };
}

export const grantOf = (row: GrantRow): Grant => ({
  approvalId: row.approval_id,
  agentNo: row.agent_no,
  model: row.model,
  rule: row.rule,
  amountMax: row.amount_max as Msat,
  expiresAt: row.expires_at,
  reservationId: row.reservation_id,
  consumedAt: row.consumed_at,
});

export function applyGrantEffect(sql: Statements, effect: GrantEffect): void {
  switch (effect.effect) {
    case 'insert_grant':
      sql.insertGrant.run(effect.grant);
      return;
    case 'take_grant':
      changedOne(sql.takeGrant.run(effect.reservationId, effect.approvalId));
      return;
    case 'return_grant':
      changedOne(sql.returnGrant.run(effect.approvalId, effect.reservationId));
      return;
    case 'consume_grant':
      changedOne(sql.consumeGrant.run(effect.at, effect.approvalId, effect.reservationId));
      return;
  }
}
