/** The ledger's SQL, prepared once. Only the store runs it, inside the batch's transaction. */
import type { Database } from 'better-sqlite3';
import type { PolicyRow } from '../policy/policy-fields.ts';
import { prepareDepositStatements } from './deposit-rows.ts';
import { prepareGrantStatements } from './grant-rows.ts';
import { prepareOutboxStatements } from './outbox-rows.ts';
import { preparePaymentStatements } from './payment-rows.ts';
import { preparePayoutStatements } from './payout-rows.ts';
import type { ReservationRow, TokenRow } from './rows.ts';

export interface AgentRow {
  no: number;
  id: string;
  disabled_at: number | null;
}
export interface AccountRow {
  id: number;
  name: string;
  normal: 'credit' | 'debit';
  balance: number;
}

export type Statements = ReturnType<typeof prepareStatements>;

export function prepareStatements(db: Database) {
  return {
    ...prepareDepositStatements(db),
    ...preparePayoutStatements(db),
    ...preparePaymentStatements(db),
    ...prepareGrantStatements(db),
    ...prepareOutboxStatements(db),
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),

    selectMeta: db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE key = ?'),
    insertMeta: db.prepare('INSERT INTO meta (key, value) VALUES (?, ?)'),
    upsertMeta: db.prepare(
      'INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    ),
    selectClock: db.prepare<[], { ledger_ms: number }>('SELECT ledger_ms FROM clock WHERE id = 1'),
    upsertClock: db.prepare(
      `INSERT INTO clock (id, ledger_ms, seal) VALUES (1, ?, ?)
       ON CONFLICT DO UPDATE SET ledger_ms = excluded.ledger_ms, seal = excluded.seal`,
    ),

    selectToken: db.prepare<[string], TokenRow>('SELECT * FROM agent_tokens WHERE token_hash = ?'),
    selectTokens: db.prepare<[number], TokenRow>(
      'SELECT * FROM agent_tokens WHERE agent_no = ? ORDER BY id',
    ),
    endToken: db.prepare(
      `UPDATE agent_tokens SET revoked_at = @at
       WHERE id = @id AND (revoked_at IS NULL OR revoked_at > @at)`,
    ),
    insertToken: db.prepare(
      `INSERT INTO agent_tokens (id, agent_no, token_hash, scopes, created_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
    ),

    selectAgent: db.prepare<[number], AgentRow>(
      'SELECT no, id, disabled_at FROM agents WHERE no = ?',
    ),
    selectAgentNo: db.prepare<[string], { no: number }>('SELECT no FROM agents WHERE id = ?'),
    selectLastAgentNo: db.prepare<[], { no: number }>(
      'SELECT coalesce(max(no), 0) AS no FROM agents',
    ),
    insertAgent: db.prepare(
      'INSERT INTO agents (no, id, name, metadata, created_at) VALUES (?, ?, ?, ?, ?)',
    ),
    disableAgent: db.prepare(
      'UPDATE agents SET disabled_at = ? WHERE no = ? AND disabled_at IS NULL',
    ),
    selectTreasury: db.prepare<[], { agent_no: number }>('SELECT agent_no FROM treasury'),
    insertTreasury: db.prepare('INSERT INTO treasury (id, agent_no) VALUES (1, ?)'),
    selectPolicy: db.prepare<[number], PolicyRow>(
      'SELECT * FROM policy_versions WHERE agent_no = ? ORDER BY version DESC LIMIT 1',
    ),
    insertPolicy: db.prepare<[PolicyRow & { agent_no: number }]>(
      `INSERT INTO policy_versions
         (id, agent_no, version, max_transaction_msat, daily_limit_msat, max_fee_msat,
          approval_timeout_ms, alert_floor_msat, alert_cooldown_ms, allowed_models,
          allowed_destinations, effective_from)
       VALUES
         (@id, @agent_no, @version, @max_transaction_msat, @daily_limit_msat, @max_fee_msat,
          @approval_timeout_ms, @alert_floor_msat, @alert_cooldown_ms, @allowed_models,
          @allowed_destinations, @effective_from)`,
    ),

    selectAccount: db.prepare<[number], AccountRow>(
      'SELECT id, name, normal, balance FROM accounts WHERE id = ?',
    ),
    selectAccountByName: db.prepare<[string], AccountRow>(
      'SELECT id, name, normal, balance FROM accounts WHERE name = ?',
    ),
    selectLastAccountId: db.prepare<[], { id: number }>(
      'SELECT coalesce(max(id), 0) AS id FROM accounts',
    ),
    insertAccount: db.prepare(
      "INSERT INTO accounts (id, name, normal, balance) VALUES (?, ?, 'credit', 0)",
    ),
    updateBalance: db.prepare('UPDATE accounts SET balance = ? WHERE id = ?'),

    selectLastTransferId: db.prepare<[], { id: number }>(
      'SELECT coalesce(max(id), 0) AS id FROM transfers',
    ),
    insertTransfer: db.prepare(
      'INSERT INTO transfers (id, at, debit, credit, amount, kind, ref) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),

    selectReservation: db.prepare<[string], ReservationRow>(
      'SELECT * FROM reservations WHERE id = ?',
    ),
    selectByCorrelation: db.prepare<[number, string], ReservationRow>(
      'SELECT * FROM reservations WHERE agent_no = ? AND correlation_id = ? AND by_correlation = 1',
    ),
    selectDueHolds: db.prepare<[number, number], ReservationRow>(
      `SELECT * FROM reservations WHERE state = 'held' AND expires_at <= ?
       ORDER BY expires_at LIMIT ?`,
    ),
    selectOpenHolds: db.prepare<[], ReservationRow>(
      "SELECT * FROM reservations WHERE state = 'held'",
    ),
    insertHold: db.prepare(
      `INSERT INTO reservations
         (id, agent_no, core_id, correlation_id, model, requested_model, by_correlation, amount,
          state, created_at, expires_at, balance_after_hold, approval_ids)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'held', ?, ?, ?, ?)`,
    ),
    insertEnded: db.prepare(
      `INSERT INTO reservations
         (id, agent_no, core_id, correlation_id, model, requested_model, by_correlation, amount,
          state, created_at, expires_at, ended_at, asked, charged, balance_after_end, usage)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    // The state in the condition is the last guard against two ends of one hold.
    endReservation: db.prepare(
      `UPDATE reservations
       SET state = ?, ended_at = ?, asked = ?, charged = ?, balance_after_end = ?, usage = ?
       WHERE id = ? AND state = ?`,
    ),
    moveExpiry: db.prepare(
      "UPDATE reservations SET expires_at = ? WHERE id = ? AND state = 'held'",
    ),

    selectBuckets: db.prepare<[number, number], { minute: number; msat: number }>(
      'SELECT minute, msat FROM spend_buckets WHERE agent_no = ? AND minute > ? ORDER BY minute',
    ),
    upsertBucket: db.prepare(
      `INSERT INTO spend_buckets (agent_no, slot, minute, msat) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET minute = excluded.minute, msat = excluded.msat`,
    ),

    selectHead: db.prepare<[number], { seq: number; hash: string }>(
      'SELECT seq, hash FROM audit_heads WHERE chain = ?',
    ),
    upsertHead: db.prepare(
      `INSERT INTO audit_heads (chain, seq, hash) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
    ),
    insertAudit: db.prepare(
      'INSERT INTO audit (chain, seq, at, action, facts, hash) VALUES (?, ?, ?, ?, ?, ?)',
    ),

    selectAlert: db.prepare<[number], { at: number }>(
      'SELECT at FROM balance_alerts WHERE agent_no = ?',
    ),
    upsertAlert: db.prepare(
      `INSERT INTO balance_alerts (agent_no, at) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET at = excluded.at`,
    ),

    selectAnswer: db.prepare<[string], { fingerprint: string; answer: string }>(
      'SELECT fingerprint, answer FROM idempotency_keys WHERE key = ?',
    ),
    insertAnswer: db.prepare(
      `INSERT INTO idempotency_keys (key, principal, fingerprint, answer, created_at)
       VALUES (?, ?, ?, ?, ?)`,
    ),
    countAnswers: db.prepare<[string], { n: number }>(
      'SELECT count(*) AS n FROM idempotency_keys WHERE principal = ?',
    ),
    countOldAnswers: db.prepare<[number, number], { n: number }>(
      `SELECT count(*) AS n FROM
         (SELECT 1 FROM idempotency_keys WHERE created_at < ? LIMIT ?)`,
    ),
    deleteOldAnswers: db.prepare<[number, number], { principal: string }>(
      `DELETE FROM idempotency_keys WHERE key IN
         (SELECT key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?)
       RETURNING principal`,
    ),
  };
}
