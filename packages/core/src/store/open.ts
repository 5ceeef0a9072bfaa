import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { migrate } from './migrations.ts';

export class StorageError extends Error {
  readonly code = 'STORAGE';
}

export interface Store {
  readonly db: Database.Database;
  /** Ends the connection and gives the file free for the next owner. */
  close(): void;
}

/**
 * Opens core's database as its one owner. The lock is an exclusive transaction on a file beside it,
 * which the operating system releases even after kill -9; a second core on the same file would
 * deliver the first one's settlements and release its live reservations.
 */
export function openStore(path: string): Store {
  try {
    mkdirSync(dirname(path), { recursive: true });
    const realPath = realPathOf(path);
    const lock = takeOwnership(realPath);
    const db = new Database(realPath);
    db.pragma('journal_mode = WAL');
    db.pragma('busy_timeout = 5000');
    migrate(db, path);
    // From here on a lock that somebody else holds must not stop the event loop: it is waited for
    // like a full disk.
    db.pragma(`busy_timeout = ${BUSY_MS}`);
    return {
      db,
      close() {
        db.close();
        lock.close();
      },
    };
  } catch (error) {
    throw asStorageError(path, error);
  }
}

const BUSY_MS = 50;

/** One file has one name: a second core that comes by a symbolic link must meet the same lock. */
function realPathOf(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
}

function takeOwnership(path: string): Database.Database {
  const lock = new Database(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    if (codeOf(error).startsWith('SQLITE_BUSY')) {
      throw new StorageError(
        `another arbstr core owns ${path}: stop it first, or give this one its own database.path`,
      );
    }
    throw error;
  }
  return lock;
}

function asStorageError(path: string, error: unknown): Error {
  if (error instanceof StorageError || codeOf(error) === 'NEWER_DATABASE') return error as Error;
  return new StorageError(
    `cannot open the database ${path}: ${error instanceof Error ? error.message : String(error)} (is the folder writable and the disk not full?)`,
    { cause: error },
  );
}

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '');
}
