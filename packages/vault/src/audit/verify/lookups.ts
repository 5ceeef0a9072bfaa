/** Rows that the audit trail speaks of, looked up one by one. */
import type { Database } from 'better-sqlite3';

export type Row = Record<string, string | number | null>;

export type Lookups = ReturnType<typeof createLookups>;

export function createLookups(db: Database) {
  const one = (sql: string) => {
    const statement = db.prepare<[string | number], Row>(sql);
    return (key: string | number): Row | undefined => statement.get(key);
  };
  const many = (sql: string) => {
    const statement = db.prepare<[number], Row>(sql);
    return (key: number): Row[] => statement.all(key);
  };
  const count = (table: string): number =>
    db.prepare<[], { n: number }>(`SELECT count(*) AS n FROM ${table}`).get()!.n;
  return {
    agent: one('SELECT * FROM agents WHERE no = ?'),
    account: one('SELECT * FROM accounts WHERE id = ?'),
    token: one('SELECT * FROM agent_tokens WHERE id = ?'),
    policy: one('SELECT * FROM policy_versions WHERE id = ?'),
    alert: one('SELECT * FROM balance_alerts WHERE agent_no = ?'),
    grant: one('SELECT * FROM grants WHERE approval_id = ?'),
    treasury: one('SELECT * FROM treasury WHERE id = ?'),
    transfer: one('SELECT * FROM transfers WHERE id = ?'),
    reservation: one('SELECT * FROM reservations WHERE id = ?'),
    deposit: one('SELECT * FROM deposits WHERE id = ?'),
    seller: one('SELECT * FROM sellers WHERE name = ?'),
    payout: one('SELECT * FROM payouts WHERE id = ?'),
    payment: one('SELECT * FROM payments WHERE id = ?'),
    approval: one('SELECT * FROM approvals WHERE id = ?'),
    rail: one('SELECT * FROM rails WHERE name = ?'),
    answer: one('SELECT * FROM idempotency_keys WHERE key = ?'),
    buckets: many('SELECT slot, minute, msat FROM spend_buckets WHERE agent_no = ? ORDER BY slot'),
    count,
  };
}
