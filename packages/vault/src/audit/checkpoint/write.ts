/** Writes a checkpoint of a ledger as it stands on disk, while a vault is running on it or not. */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { syncPath } from '../../db/sync-path.ts';
import { META_EPOCH } from '../../ledger/meta.ts';
import { LEDGER_CHAIN, LEDGER_CHAIN_NAME } from '../action.ts';
import type { Seal } from '../seal.ts';
import {
  type ChainMark,
  type CheckpointEnd,
  CheckpointError,
  type CheckpointHeader,
  FORMAT,
  lineOf,
  readMark,
  VERSION,
} from './format.ts';

/** What the log says of a checkpoint: enough to recognise its file, whatever its size. */
export interface CheckpointSummary extends CheckpointEnd {
  readonly ledgerEpoch: string;
  /** The ledger's time, Unix ms. */
  readonly at: number;
  readonly auditRows: number;
  readonly chains: number;
}

/** Text that is written at once. */
const CHUNK_CHARS = 64 * 1024;

interface HeadRow {
  chain: number;
  agent_id: string | null;
  seq: number;
  hash: string;
  /** Of the row that the head names; null where there is none. */
  row_hash: string | null;
}

/**
 * The whole file under its name and on disk, or none. Throws CheckpointError where heads and rows
 * contradict each other: that is for `verify`, and a checkpoint would make it look sound.
 */
export function writeCheckpoint(db: Database, seal: Seal, path: string): CheckpointSummary {
  const draft = `${path}.draft`;
  const file = openSync(draft, 'w', 0o600);
  try {
    const summary = inOneMoment(db, () => writeAll(db, seal, (text) => writeSync(file, text)));
    fsyncSync(file);
    renameSync(draft, path);
    syncPath(dirname(path));
    return summary;
  } finally {
    closeSync(file);
    rmSync(draft, { force: true });
  }
}

function writeAll(db: Database, seal: Seal, write: (text: string) => void): CheckpointSummary {
  const header = headerOf(db, seal);
  const digest = createHash('sha256');
  let chunk = '';
  const flush = (): void => {
    digest.update(chunk);
    write(chunk);
    chunk = '';
  };
  const add = (line: string): void => {
    chunk += `${line}\n`;
    if (chunk.length >= CHUNK_CHARS) flush();
  };
  add(JSON.stringify(header));
  let rows = 0;
  for (const mark of marksOf(db)) {
    add(lineOf(mark));
    rows += mark.seq;
  }
  if (rows !== header.audit_rows) {
    throw new CheckpointError(
      `the chains end at ${rows} audit rows together, and there are ${header.audit_rows}: run verify`,
    );
  }
  flush();
  const hash = digest.digest('base64url');
  const end: CheckpointEnd = { digest: hash, signature: seal.checkpoint(hash) };
  write(`${JSON.stringify(end)}\n`);
  const { ledger_epoch: ledgerEpoch, at, audit_rows: auditRows, chains } = header;
  return { ledgerEpoch, at, auditRows, chains, ...end };
}

/** Of all chains together. */
export function auditRowsOf(db: Database): number {
  return db.prepare<[], { id: number | null }>('SELECT max(id) AS id FROM audit').get()!.id ?? 0;
}

function headerOf(db: Database, seal: Seal): CheckpointHeader {
  const row = db
    .prepare<[string], { epoch: string; at: number; chains: number }>(
      `SELECT (SELECT value FROM meta WHERE key = ?) AS epoch,
         (SELECT ledger_ms FROM clock WHERE id = 1) AS at,
         (SELECT count(*) FROM audit_heads) AS chains`,
    )
    .get(META_EPOCH)!;
  return {
    format: FORMAT,
    version: VERSION,
    ledger_epoch: row.epoch,
    audit_key_id: seal.keyId,
    at: row.at,
    audit_rows: auditRowsOf(db),
    chains: row.chains,
  };
}

/** The heads, each held against the row that it names. */
function* marksOf(db: Database): Generator<ChainMark> {
  const heads = db.prepare<[], HeadRow>(
    `SELECT head.chain, agents.id AS agent_id, head.seq, head.hash, audit.hash AS row_hash
     FROM audit_heads AS head
       LEFT JOIN agents ON agents.no = head.chain
       LEFT JOIN audit ON audit.chain = head.chain AND audit.seq = head.seq
     ORDER BY head.chain`,
  );
  for (const { chain, agent_id: agentId, seq, hash, row_hash: rowHash } of heads.iterate()) {
    const name = chain === LEDGER_CHAIN ? LEDGER_CHAIN_NAME : agentId;
    const mark = { chain, name: name ?? '', seq, hash };
    if (hash !== rowHash || readMark(lineOf(mark)) === null) {
      throw new CheckpointError(
        `the head of ${name ?? `agent number ${chain}`} does not fit its audit rows: run verify`,
      );
    }
    yield mark;
  }
}

/** One read transaction, so that all chains are of one moment. */
function inOneMoment<T>(db: Database, read: () => T): T {
  db.exec('BEGIN');
  try {
    return read();
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK');
  }
}
