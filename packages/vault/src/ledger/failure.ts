/**
 * What a SQL error means for the batch in which it happened.
 *
 * SQLite ends the whole transaction by itself on a full disk, an I/O error and their kin: going on
 * would run the next command without a transaction. So every error ends the batch.
 *
 * Before COMMIT the outcome is certain: a transaction that was never committed is never applied.
 * At COMMIT it is certain only where SQLite says that the log could not be written: without its
 * last frame, whole and with the right checksum, recovery ignores the transaction. After any other
 * error there (a failed fsync above all) the frames may or may not be on the disk, and memory and
 * page cache may both be wrong: only reading the disk in a new process tells.
 */
import SqliteDatabase from 'better-sqlite3';

export type Phase = 'begin' | 'apply' | 'commit';

export type BatchFailure =
  /** Another process writes; nothing was begun. */
  | { kind: 'busy' }
  /** Nothing was applied; the disk may be usable again later. */
  | { kind: 'refused'; reason: string }
  /** A defect of this program; nothing was applied. */
  | { kind: 'defect'; error: Error }
  /** Applied or not, nobody knows before the database is opened again. */
  | { kind: 'unknown'; reason: string };

const WORDS: readonly (readonly [prefix: string, words: string])[] = [
  ['SQLITE_FULL', 'the disk is full'],
  ['SQLITE_READONLY', 'the database is read-only'],
  ['SQLITE_IOERR', 'the disk reports an I/O error'],
  ['SQLITE_CANTOPEN', 'a file beside the database cannot be opened'],
  ['SQLITE_BUSY', 'another process keeps the database locked'],
  ['SQLITE_CORRUPT', 'the database file is damaged'],
  ['SQLITE_NOTADB', 'the database file is damaged'],
  ['SQLITE_NOMEM', 'SQLite has no memory left'],
  ['SQLITE_PERM', 'the database may not be written'],
];

/** The log was not written to its end, so the transaction does not exist. */
const CERTAIN_AT_COMMIT = ['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_READONLY', 'SQLITE_BUSY'];

export function classify(error: unknown, phase: Phase): BatchFailure {
  const code = codeOf(error);
  const reason = reasonOf(error);
  if (phase === 'begin' && code.startsWith('SQLITE_BUSY')) return { kind: 'busy' };
  if (phase === 'commit' && !CERTAIN_AT_COMMIT.some((prefix) => code.startsWith(prefix))) {
    return { kind: 'unknown', reason: reason ?? String(error) };
  }
  if (reason !== null) return { kind: 'refused', reason };
  return { kind: 'defect', error: error instanceof Error ? error : new Error(String(error)) };
}

function reasonOf(error: unknown): string | null {
  const code = codeOf(error);
  const known = WORDS.find(([prefix]) => code.startsWith(prefix));
  return known ? `${known[1]} (${code})` : null;
}

function codeOf(error: unknown): string {
  return error instanceof SqliteDatabase.SqliteError ? error.code : '';
}
