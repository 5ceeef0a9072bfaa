/**
 * One vault process per database file: caches hold balances, so a second writer would spend the
 * same money twice. The lock is an exclusive SQLite transaction on a file beside the database; the
 * operating system ends it with the process, also after kill -9.
 */
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { StartError } from '../errors.ts';

export interface OwnerLock {
  release(): void;
}

export function takeOwnerLock(databasePath: string): OwnerLock {
  const path = `${realPath(databasePath)}.lock`;
  let db: SqliteDatabase.Database;
  try {
    db = new SqliteDatabase(path);
  } catch (error) {
    throw new StartError(`cannot write ${path}: ${(error as Error).message}`);
  }
  try {
    db.pragma('busy_timeout = 0');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code === 'SQLITE_BUSY') {
      throw new StartError(
        `another vault is running on ${databasePath}: stop it first, or set DATABASE_PATH`,
      );
    }
    throw new StartError(`cannot lock ${path}: ${(error as Error).message}`);
  }
  return {
    release() {
      if (db.open) db.close();
    },
  };
}

/** Two paths to one file must meet at one lock. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  return join(realpathSync(dirname(path)), basename(path));
}
