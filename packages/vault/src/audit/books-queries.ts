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

type UsageKey = 'model' | 'provider' | 'day';
/** Each: the largest charge first. */
export type Usage = Record<UsageKey, UsageRow[]>;

type UsageSum = Omit<UsageRow, 'key'> & Record<UsageKey, string | null>;

export interface Counts {
  readonly agents: number;
  readonly disabled: number;
  readonly approvals: number;
  readonly payments: number;
  readonly payouts: number;
  readonly deposits: number;
  readonly holds: number;
}

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
  const counts = db.prepare<[], Counts>(
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
  const usage = db.prepare<[number, number, number], UsageSum>(
    `SELECT r.model AS model, json_extract(r.usage, '$.provider') AS provider,
       strftime('%Y-%m-%d', a.at / 1000, 'unixepoch') AS day,
       count(*) AS requests, sum(r.charged) AS charged_msat,
       coalesce(sum(json_extract(r.usage, '$.tokens_in')), 0) AS tokens_in,
       coalesce(sum(json_extract(r.usage, '$.tokens_out')), 0) AS tokens_out
     FROM audit a JOIN reservations r ON r.id = json_extract(a.facts, '$.reservation_id')
     WHERE a.chain = ? AND a.seq BETWEEN ? AND ?
       AND a.action IN ('RESERVATION_SETTLED', 'RESERVATION_SETTLED_LATE')
     GROUP BY 1, 2, 3`,
  );

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
    counts: () => counts.get()!,
    /** Of the audit rows of one agent from `low` to `high`, both inclusive. */
    usage(agentNo: number, { low, high }: SeqRange): Usage {
      const sums = usage.all(agentNo, low, high);
      const by = (key: UsageKey) => usageBy(sums, key);
      return { model: by('model'), provider: by('provider'), day: by('day') };
    },
  };
}

function usageBy(sums: readonly UsageSum[], by: UsageKey): UsageRow[] {
  const rows = new Map<string | null, { -readonly [F in keyof UsageRow]: UsageRow[F] }>();
  for (const { [by]: key, requests, charged_msat, tokens_in, tokens_out } of sums) {
    const row = rows.get(key);
    if (row === undefined) {
      rows.set(key, { key, requests, charged_msat, tokens_in, tokens_out });
      continue;
    }
    row.requests += requests;
    row.charged_msat += charged_msat;
    row.tokens_in += tokens_in;
    row.tokens_out += tokens_out;
  }
  return [...rows.values()].sort(
    (a, b) => b.charged_msat - a.charged_msat || ((a.key ?? '') < (b.key ?? '') ? -1 : 1),
  );
}

export type AuditRows = ReturnType<typeof createAuditRows>;

/** Every audit row of all chains, newest first, before this id. */
export function createAuditRows(db: Database) {
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
  return (beforeId: number, limit: number): AuditEntry[] =>
    auditBefore.all(beforeId, limit).map(({ seq, at, facts, ...row }) => ({
      ...row,
      sequence: seq,
      facts: withoutSecrets(JSON.parse(facts) as Record<string, unknown>),
      created_at: at,
    }));
}

/** Hashes of credentials, and stored answers, are nobody's business but `verify`'s. */
function withoutSecrets(facts: Record<string, unknown>): Record<string, unknown> {
  const { token_hash: _hash, token_key: _key, remembered: _remembered, ...shown } = facts;
  return shown;
}
