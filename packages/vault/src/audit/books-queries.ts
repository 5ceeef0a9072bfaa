/** The books for people: sums of accounts, all audit rows, what an agent spent on what. Amounts in msat. */
import type { Database } from 'better-sqlite3';

export interface Sums {
  readonly agentsAvailable: number;
  readonly agentsHeld: number;
  readonly sellersPayable: number;
  readonly revenue: number;
  readonly loss: number;
  readonly equity: number;
  readonly fees: number;
  /** What rails must hold so that everybody can be paid: −Σ of their accounts, fees taken off. */
  readonly railsBacking: number;
}

export interface AuditEntry {
  readonly id: number;
  /** null: the ledger's own chain. */
  readonly agent_id: string | null;
  readonly sequence: number;
  readonly action: string;
  readonly facts: Record<string, unknown>;
  readonly created_at: number;
  readonly hash: string;
}

export interface UsageRow {
  readonly key: string | null;
  readonly requests: number;
  readonly charged_msat: number;
  readonly tokens_in: number;
  readonly tokens_out: number;
}

export interface SeqRange {
  readonly low: number;
  readonly high: number;
}

const USAGE_KEYS = {
  model: 'r.model',
  provider: `json_extract(r.usage, '$.provider')`,
  day: `strftime('%Y-%m-%d', a.at / 1000, 'unixepoch')`,
} as const;
export type UsageKey = keyof typeof USAGE_KEYS;

export type Books = ReturnType<typeof createBooks>;

export function createBooks(db: Database) {
  const sums = db.prepare<[], { kind: string; balance: number }>(
    `SELECT CASE
       WHEN name LIKE 'agent:%:available' THEN 'available'
       WHEN name LIKE 'agent:%:held' THEN 'held'
       WHEN name LIKE 'provider:%' THEN 'payable'
       WHEN name LIKE 'rail:%' THEN 'rail'
       WHEN name LIKE 'fees:%' THEN 'fees'
       ELSE name END AS kind, sum(balance) AS balance
     FROM accounts GROUP BY kind`,
  );
  const auditBefore = db.prepare<
    [number, number],
    {
      id: number;
      agent_id: string | null;
      seq: number;
      action: string;
      facts: string;
      at: number;
      hash: string;
    }
  >(
    `SELECT audit.id, agents.id AS agent_id, seq, action, facts, at, hash
     FROM audit LEFT JOIN agents ON agents.no = audit.chain
     WHERE audit.id < ? ORDER BY audit.id DESC LIMIT ?`,
  );
  const counts = db.prepare<
    [],
    {
      agents: number;
      disabled: number;
      approvals: number;
      payments: number;
      payouts: number;
      deposits: number;
      holds: number;
    }
  >(
    `SELECT (SELECT count(*) FROM agents) AS agents,
       (SELECT count(*) FROM agents WHERE disabled_at IS NOT NULL) AS disabled,
       (SELECT count(*) FROM approvals WHERE status = 'pending')
         + (SELECT count(*) FROM payouts WHERE state IN ('waiting', 'held', 'in_flight')
            AND state = 'waiting') AS approvals,
       (SELECT count(*) FROM payments WHERE state IN ('held', 'in_flight')) AS payments,
       (SELECT count(*) FROM payouts WHERE state IN ('waiting', 'held', 'in_flight')) AS payouts,
       (SELECT count(*) FROM deposits WHERE state = 'pending') AS deposits,
       (SELECT count(*) FROM reservations WHERE state = 'held') AS holds`,
  );
  const usage = (by: UsageKey) =>
    db.prepare<[number, number, number], UsageRow>(
      `SELECT ${USAGE_KEYS[by]} AS key, count(*) AS requests, sum(r.charged) AS charged_msat,
         coalesce(sum(json_extract(r.usage, '$.tokens_in')), 0) AS tokens_in,
         coalesce(sum(json_extract(r.usage, '$.tokens_out')), 0) AS tokens_out
       FROM audit a JOIN reservations r ON r.id = json_extract(a.facts, '$.reservation_id')
       WHERE a.chain = ? AND a.seq BETWEEN ? AND ?
         AND a.action IN ('RESERVATION_SETTLED', 'RESERVATION_SETTLED_LATE')
       GROUP BY key ORDER BY charged_msat DESC, key`,
    );
  const usageBy = { model: usage('model'), provider: usage('provider'), day: usage('day') };

  return {
    sums(): Sums {
      const of = new Map(sums.all().map(({ kind, balance }) => [kind, balance]));
      const balance = (kind: string): number => of.get(kind) ?? 0;
      const fees = balance('fees');
      return {
        agentsAvailable: balance('available'),
        agentsHeld: balance('held'),
        sellersPayable: balance('payable'),
        revenue: balance('operator:revenue'),
        loss: -balance('operator:loss'),
        equity: balance('operator:equity'),
        fees,
        railsBacking: -balance('rail') - fees,
      };
    },
    /** Newest first, before this id. */
    audit: (beforeId: number, limit: number): AuditEntry[] =>
      auditBefore.all(beforeId, limit).map(({ seq, at, facts, ...row }) => ({
        ...row,
        sequence: seq,
        facts: withoutSecrets(JSON.parse(facts) as Record<string, unknown>),
        created_at: at,
      })),
    counts: () => counts.get()!,
    /** Of the audit rows of one agent from `low` to `high`, both inclusive. */
    usage: (agentNo: number, by: UsageKey, { low, high }: SeqRange): UsageRow[] =>
      usageBy[by].all(agentNo, low, high),
  };
}

/** Hashes of credentials, and stored answers, are nobody's business but `verify`'s. */
function withoutSecrets(facts: Record<string, unknown>): Record<string, unknown> {
  const { token_hash: _hash, token_key: _key, remembered: _remembered, ...shown } = facts;
  return shown;
}
