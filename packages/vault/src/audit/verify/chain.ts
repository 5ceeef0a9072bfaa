import type { Database } from 'better-sqlite3';
import type { Seal } from '../seal.ts';
import type { Report } from './report.ts';

export interface AuditRow {
  seq: number;
  at: number;
  action: string;
  facts: string;
  hash: string;
}

/** An audit row whose place in the chain was checked, with its facts read. */
export interface Fact {
  readonly seq: number;
  readonly at: number;
  readonly action: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Rows read at once. */
const CHUNK_ROWS = 1_000;

export interface Head {
  seq: number;
  hash: string;
}

/**
 * Walks one chain from its first row: hash over hash, number after number, and the head at the
 * end. Yields each row's facts also where its hash is wrong, so that the damage gets its name.
 */
export function* walkChain(
  db: Database,
  seal: Seal,
  chain: number,
  name: string,
  report: Report,
): Generator<Fact> {
  const select = db.prepare<[number, number], AuditRow>(
    `SELECT seq, at, action, facts, hash FROM audit
     WHERE chain = ? AND seq > ? ORDER BY seq LIMIT ${CHUNK_ROWS}`,
  );
  let last: Head = { seq: 0, hash: '' };
  let lastAt = 0;
  for (let rows = select.all(chain, 0); rows.length > 0; rows = select.all(chain, last.seq)) {
    for (const row of rows) {
      report.counts.auditRows++;
      const what = `${name}: audit row ${row.seq} (${row.action})`;
      if (row.seq !== last.seq + 1) {
        report.add(`${name}: audit rows are missing between ${last.seq} and ${row.seq}`);
      }
      const expected = seal.row(last.hash, name, row.seq, row.at, row.action, row.facts);
      if (row.hash !== expected) {
        report.add(`${what} does not fit its hash: it, or the row before it, was changed`);
      }
      if (row.at < lastAt) report.add(`${what} is older than the row before it`);
      last = { seq: row.seq, hash: row.hash };
      lastAt = row.at;
      const facts = parseFacts(row.facts);
      if (facts === null) report.add(`${what} holds no readable facts`);
      else yield { seq: row.seq, at: row.at, action: row.action, facts };
    }
  }
  checkHead(db, chain, name, last, report);
}

function checkHead(db: Database, chain: number, name: string, last: Head, report: Report): void {
  const head = db
    .prepare<[number], Head>('SELECT seq, hash FROM audit_heads WHERE chain = ?')
    .get(chain);
  if (head === undefined) {
    report.add(`${name}: the head of its audit chain is missing`);
  } else if (head.seq !== last.seq || head.hash !== last.hash) {
    report.add(
      `${name}: the audit chain ends at row ${last.seq}, its head says ${head.seq}: rows were cut off or changed`,
    );
  }
}

function parseFacts(text: string): Record<string, unknown> | null {
  try {
    const facts: unknown = JSON.parse(text);
    return typeof facts === 'object' && facts !== null ? (facts as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
