/**
 * Compares a ledger with a checkpoint that was taken of it. Rows that came later are as welcome
 * as they are; what the checkpoint knows must still be there:
 *
 *   row at the checkpoint's number, with its hash ──▶ that chain is as it was, to its first row
 *   another hash ▸ rewritten · no such row ▸ cut off · no row at all, or another agent's ▸ vanished
 *
 * A restore sets a vault back to its backup. The ledger's own chain says so, and how many rows it
 * then had: what a checkpoint of the epoch before has beyond them is not missed but told.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { LEDGER_CHAIN, LEDGER_CHAIN_NAME } from '../action.ts';
import type { Seal } from '../seal.ts';
import { Report } from '../verify/report.ts';
import {
  type ChainMark,
  CheckpointError,
  type CheckpointHeader,
  LINE_BYTES_MAX,
  readEnd,
  readHeader,
  readMark,
} from './format.ts';
import { auditRowsOf } from './write.ts';

const READ_BYTES = 64 * 1024;

/**
 * Adds a finding for each chain that is not as the checkpoint has it. Throws CheckpointError where
 * the file cannot be used: damaged, forged, of another ledger or of another key.
 */
export function compareCheckpoint(db: Database, seal: Seal, path: string, report: Report): void {
  try {
    const file = openSync(path, 'r');
    try {
      const found = new Report();
      const { at, audit_rows: auditRows, backupRows } = compare(db, seal, linesOf(file), found);
      const setBackRows = Math.max(0, auditRows - backupRows);
      report.addAll(found);
      report.checkpoints.push({ path, at, auditRows, setBackRows, findings: found.total });
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const unusable = error instanceof CheckpointError || 'syscall' in (error as Error);
    if (!unusable) throw error;
    throw new CheckpointError(`checkpoint ${path} cannot be used: ${(error as Error).message}`);
  }
}

/** What it finds means nothing where it throws: who changed the file has changed what it says. */
function compare(db: Database, seal: Seal, lines: Generator<string>, found: Report) {
  const digest = createHash('sha256');
  const first = lines.next().value ?? '';
  const header = readHeader(first);
  if (header.audit_key_id !== seal.keyId) {
    throw new CheckpointError(
      header.audit_key_id === 'none'
        ? 'it was signed without a key, and AUDIT_KEY is set here'
        : 'it was signed with another AUDIT_KEY than is set here',
    );
  }
  digest.update(`${first}\n`);
  const backupRows = rowsOfBackup(db, header);
  const chains = createChains(db, header, backupRows);
  let count = 0;
  for (const line of lines) {
    const mark = readMark(line);
    if (mark === null) {
      const hash = digest.digest('base64url');
      const end = readEnd(line);
      const whole = count === header.chains && lines.next().done === true;
      if (end?.digest !== hash || end.signature !== seal.checkpoint(hash) || !whole) break;
      findLostRows(db, header, backupRows, found);
      return { ...header, backupRows };
    }
    digest.update(`${line}\n`);
    count++;
    const finding = chains.findingOf(mark);
    if (finding !== null) found.add(finding);
  }
  throw new CheckpointError('it was changed or cut: its content does not fit its signature');
}

/**
 * How many audit rows the backup had with which the checkpoint's epoch ended; Infinity while the
 * epoch lasts. What the checkpoint has beyond is not in this ledger.
 */
function rowsOfBackup(db: Database, { ledger_epoch: epoch }: CheckpointHeader): number {
  const epochs = db
    .prepare<[number], { id: number; epoch: string | null }>(
      `SELECT id, facts ->> 'ledger_epoch' AS epoch FROM audit
       WHERE chain = ? AND action IN ('LEDGER_CREATED', 'LEDGER_RESTORED') AND json_valid(facts)
       ORDER BY seq`,
    )
    .all(LEDGER_CHAIN);
  const index = epochs.findIndex((row) => row.epoch === epoch);
  if (index < 0) {
    throw new CheckpointError(
      `it is of the ledger epoch ${epoch}, in which this ledger never was: it is another vault's, or this database comes from before a restore`,
    );
  }
  const next = epochs[index + 1];
  return next === undefined ? Number.POSITIVE_INFINITY : next.id - 1;
}

/** In words: each chain alone cannot say that all of them lost their ends together. */
function findLostRows(
  db: Database,
  { at, audit_rows: known }: CheckpointHeader,
  backupRows: number,
  found: Report,
): void {
  const rows = auditRowsOf(db);
  if (rows >= Math.min(known, backupRows)) return;
  found.add(
    `ledger: has ${rows} audit rows, the checkpoint of ${timeOf(at)} ${known}, and no restore in between: rows were cut off, or an older copy was put in its place`,
  );
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

function createChains(db: Database, header: CheckpointHeader, backupRows: number) {
  const rowAt = db.prepare<[number, number], { id: number; hash: string }>(
    'SELECT id, hash FROM audit WHERE chain = ? AND seq = ?',
  );
  const lastOf = db.prepare<[number], { seq: number }>(
    'SELECT seq FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1',
  );
  const agentOf = db.prepare<[number], { id: string }>('SELECT id FROM agents WHERE no = ?');
  const taken = `the checkpoint of ${timeOf(header.at)}`;
  const setBack = header.audit_rows > backupRows;

  return {
    /** Null where the chain is as the mark says, or a restore explains that it is not. */
    findingOf({ chain, name, seq, hash }: ChainMark): string | null {
      const row = rowAt.get(chain, seq);
      if (row?.hash === hash) return null;
      if (setBack && (row === undefined || row.id > backupRows)) return null;
      const last = lastOf.get(chain)?.seq ?? 0;
      const owner = chain === LEDGER_CHAIN ? LEDGER_CHAIN_NAME : agentOf.get(chain)?.id;
      if (last === 0 || (owner !== undefined && owner !== name)) {
        const other = owner === undefined || owner === name ? '' : `; its number is ${owner} now`;
        return `${name}: has vanished: ${taken} has ${seq} audit rows of it, this ledger none${other}`;
      }
      if (last < seq) {
        return `${name}: its audit trail was cut: it ends at row ${last}, and ${taken} has row ${seq}`;
      }
      if (row === undefined) return `${name}: audit row ${seq} is missing, ${taken} has it`;
      return `${name}: audit row ${seq} is not the one of ${taken}: it, or one before it, was rewritten with its hashes`;
    },
  };
}

/** Line by line, in bounded memory. A last line without its line feed is none. */
function* linesOf(file: number): Generator<string> {
  const buffer = Buffer.alloc(READ_BYTES);
  let rest = '';
  for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer)) {
    // One byte is one character: a byte that is none of ours cannot be read as one that is.
    const lines = (rest + buffer.toString('latin1', 0, read)).split('\n');
    rest = lines.pop()!;
    yield* lines;
    if (rest.length > LINE_BYTES_MAX) throw new CheckpointError('it is no audit checkpoint');
  }
}
