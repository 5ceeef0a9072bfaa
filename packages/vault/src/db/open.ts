import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { StartError } from '../errors.ts';

export type { Database } from 'better-sqlite3';

/**
 * Pages of WAL after which a commit also checkpoints (16 MiB). Larger than SQLite's 1,000: each
 * checkpoint costs two fsyncs and stalls one commit.
 */
const WAL_CHECKPOINT_PAGES = 4_000;
/** The WAL file shrinks to this after a burst, bytes. */
const WAL_SIZE_LIMIT_BYTES = 64 * 1024 * 1024;
/** Enough for the edges of every index, whatever the history. KiB. */
const PAGE_CACHE_KIB = 32 * 1024;
/** How long a start waits for somebody who is just writing. */
const START_BUSY_MS = 5_000;
/** How long a reader waits for a checkpoint that is just switching the WAL. */
const READER_BUSY_MS = 1_000;

const SYNCHRONOUS_FULL = 2;
/** Up to 3.51.2 a checkpoint may lose what was committed (https://www.sqlite.org/wal.html#walresetbug). */
const SQLITE_VERSION_MIN = '3.51.3';

/** Makes the folder that shall hold the database. StartError where that is not possible. */
export function prepareFolder(path: string): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new StartError(`cannot make the data folder ${folder}: ${(error as Error).message}`);
  }
}

/**
 * The one writing connection. A commit is on disk when COMMIT returns (WAL, synchronous=FULL),
 * asserted because a build or a pragma typo would lose the last payments silently on power loss.
 */
export function openWriter(path: string): Database {
  const db = openFile(path, {});
  assertSqlite(db.prepare('SELECT sqlite_version()').pluck().get() as string);
  db.pragma(`busy_timeout = ${START_BUSY_MS}`);
  if (db.pragma('journal_mode = WAL', { simple: true }) !== 'wal') {
    throw new StartError(`${path}: this file system cannot hold a write-ahead log`);
  }
  db.pragma('synchronous = FULL');
  if (db.pragma('synchronous', { simple: true }) !== SYNCHRONOUS_FULL) {
    throw new Error('synchronous=FULL was not accepted by SQLite');
  }
  db.pragma('foreign_keys = ON');
  if (db.pragma('foreign_keys', { simple: true }) !== 1) {
    throw new Error('foreign_keys=ON was not accepted by SQLite');
  }
  db.pragma('trusted_schema = OFF');
  db.pragma(`wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
  db.pragma(`journal_size_limit = ${WAL_SIZE_LIMIT_BYTES}`);
  db.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
  return db;
}

/** @param version of the library that is linked into the driver, as `3.51.3` */
export function assertSqlite(version: string): void {
  const order = new Intl.Collator('en', { numeric: true });
  if (order.compare(version, SQLITE_VERSION_MIN) >= 0) return;
  throw new StartError(
    `SQLite ${version} may lose what it has committed: ${SQLITE_VERSION_MIN} is the first that does not`,
  );
}

/** A connection that sees committed rows only and cannot change any; for queries and `verify`. */
export function openReader(path: string): Database {
  const db = openFile(path, { readonly: true, fileMustExist: true });
  db.pragma(`busy_timeout = ${READER_BUSY_MS}`);
  db.pragma('query_only = ON');
  return db;
}

function openFile(path: string, options: SqliteDatabase.Options): Database {
  try {
    return new SqliteDatabase(path, options);
  } catch (error) {
    throw new StartError(`cannot open the database ${path}: ${(error as Error).message}`);
  }
}
