/**
 * Checks a ledger as it stands on disk, while a vault is running on it or not: one read
 * transaction, so that it sees one moment; read-only, so that it disturbs nobody.
 *
 *   schema ▸ file ▸ books (balances = Σ transfers, Σ = 0) ▸ clock ▸ each audit chain, with every
 *   row of every table rebuilt from it ▸ nothing is left over ▸ what checkpoints know is there
 */
import type { Database } from 'better-sqlite3';
import SqliteDatabase from 'better-sqlite3';
import { SHARED_ACCOUNTS } from '../../ledger/account.ts';
import { META_AUDIT_KEY_ID } from '../../ledger/meta.ts';
import { REPLAY_KEYS_KEPT_MS } from '../../ledger/replay-key.ts';
import { LEDGER_CHAIN, LEDGER_CHAIN_NAME } from '../action.ts';
import { compareCheckpoint } from '../checkpoint/compare.ts';
import type { Seal } from '../seal.ts';
import { AgentReplay } from './agent-replay.ts';
import { checkBooks } from './books.ts';
import { walkChain } from './chain.ts';
import { LedgerReplay } from './ledger-replay.ts';
import { createLookups, type Lookups } from './lookups.ts';
import { Report } from './report.ts';
import { checkSchema } from './schema-check.ts';
import { SellerReplay } from './seller-replay.ts';
import { checkTotals, type Totals } from './totals.ts';

/**
 * @param checkpoints files of exported checkpoints; CheckpointError where one cannot be used
 */
export function verifyLedger(
  db: Database,
  seal: Seal,
  checkpoints: readonly string[] = [],
): Report {
  const report = new Report();
  try {
    db.exec('BEGIN');
    if (hasTables(db)) {
      for (const path of checkpoints) compareCheckpoint(db, seal, path, report);
    }
    checkAll(db, seal, report);
  } catch (error) {
    if (!(error instanceof SqliteDatabase.SqliteError)) throw error;
    report.add(`the database cannot be read: ${error.message} (${error.code})`);
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK');
  }
  return report;
}

function checkAll(db: Database, seal: Seal, report: Report): void {
  checkSchema(db, report);
  // Without the tables there is nothing to look at.
  if (report.total > 0 && !hasTables(db)) return;
  checkFile(db, report);
  checkBooks(db, report);
  const ledgerMs = checkClock(db, seal, report);
  const meta = readMeta(db);
  const keyId = meta.get(META_AUDIT_KEY_ID);
  if (keyId !== seal.keyId) {
    report.add(
      `meta ${META_AUDIT_KEY_ID}: the audit rows were sealed with ${keyId === 'none' ? 'no key' : 'another key'}; set AUDIT_KEY as the vault has it`,
    );
  }

  const lookups = createLookups(db);
  const totals = emptyTotals();
  const answersSinceMs = ledgerMs - REPLAY_KEYS_KEPT_MS;
  const base = { lookups, report, totals, answersSinceMs };
  const deps = { ...base, sellers: new SellerReplay(base) };
  const ledger = new LedgerReplay(deps, meta);
  let lastAt = 0;
  for (const fact of walkChain(db, seal, LEDGER_CHAIN, LEDGER_CHAIN_NAME, report)) {
    ledger.apply(fact);
    lastAt = fact.at;
  }
  ledger.finish();
  totals.audit_heads++;

  for (const chain of agentChains(db)) {
    const name = agentName(db, lookups, chain);
    const replay = new AgentReplay(deps, chain, name);
    for (const fact of walkChain(db, seal, chain, name, report)) {
      replay.apply(fact);
      lastAt = Math.max(lastAt, fact.at);
    }
    replay.finish();
    totals.audit_heads++;
    report.counts.agents++;
  }
  deps.sellers.finish();
  checkTotals(lookups, totals, report);
  checkAuditIds(db, report);
  if (lastAt > ledgerMs) report.add(`clock: ${ledgerMs} is before the last audit row (${lastAt})`);
}

function hasTables(db: Database): boolean {
  return (
    db
      .prepare<[], { n: number }>(
        "SELECT count(*) AS n FROM sqlite_schema WHERE name IN ('accounts', 'agents', 'audit', 'meta')",
      )
      .get()!.n === 4
  );
}

/** Pages, indexes and constraints of the file itself. */
function checkFile(db: Database, report: Report): void {
  const rows = db.pragma('integrity_check(20)') as { integrity_check: string }[];
  for (const { integrity_check: message } of rows) {
    if (message !== 'ok') report.add(`database file: ${message}`);
  }
}

/** The ledger's time, Unix ms; later than anything where it is lost. */
function checkClock(db: Database, seal: Seal, report: Report): number {
  const row = db
    .prepare<[], { ledger_ms: number; seal: string }>(
      'SELECT ledger_ms, seal FROM clock WHERE id = 1',
    )
    .get();
  if (row === undefined) {
    report.add('clock: the row is missing');
    return Number.POSITIVE_INFINITY;
  }
  if (row.seal !== seal.clock(row.ledger_ms)) {
    report.add(`clock: ${row.ledger_ms} does not fit its seal: it was changed`);
  }
  return row.ledger_ms;
}

/** Audit rows of all chains together count from 1 without gaps, in the order of writing. */
function checkAuditIds(db: Database, report: Report): void {
  const { rows, first, last } = db
    .prepare<[], { rows: number; first: number; last: number }>(
      'SELECT count(*) AS rows, coalesce(min(id), 1) AS first, coalesce(max(id), 0) AS last FROM audit',
    )
    .get()!;
  if (first !== 1 || last !== rows) {
    report.add(`audit: ${rows} rows are numbered from ${first} to ${last}`);
  }
}

function readMeta(db: Database): Map<string, string> {
  const rows = db.prepare<[], { key: string; value: string }>('SELECT key, value FROM meta').all();
  return new Map(rows.map(({ key, value }) => [key, value]));
}

/** Every chain that any table speaks of. */
function agentChains(db: Database): number[] {
  return db
    .prepare<[], { chain: number }>(
      `SELECT no AS chain FROM agents
       UNION SELECT chain FROM audit_heads
       UNION SELECT DISTINCT chain FROM audit
       ORDER BY chain`,
    )
    .all()
    .map(({ chain }) => chain)
    .filter((chain) => chain !== LEDGER_CHAIN);
}

/** The agent's id; from its first audit row where its own row is gone. */
function agentName(db: Database, lookups: Lookups, chain: number): string {
  const row = lookups.agent(chain);
  if (row) return String(row.id);
  const first = db
    .prepare<[number], { id: string | null }>(
      "SELECT facts ->> 'agent_id' AS id FROM audit WHERE chain = ? AND json_valid(facts) ORDER BY seq LIMIT 1",
    )
    .get(chain);
  return first?.id ?? `agent number ${chain}`;
}

function emptyTotals(): Totals {
  return {
    clock: 1,
    agents: 0,
    agent_tokens: 0,
    treasury: 0,
    policy_versions: 0,
    accounts: Object.keys(SHARED_ACCOUNTS).length,
    transfers: 0,
    reservations: 0,
    balance_alerts: 0,
    deposits: 0,
    sellers: 0,
    payouts: 0,
    payments: 0,
    approvals: 0,
    rails: 0,
    grants: 0,
    spend_buckets: 0,
    idempotency_keys: 0,
    audit_heads: 0,
  };
}
