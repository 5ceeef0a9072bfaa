/**
 * Makes commits durable: syncs SQLite's write-ahead log beside the event loop.
 *
 * SQLite would do it inside COMMIT with synchronous=FULL, and the process would read no request
 * while the disk works: at 64 connections that is a third of the throughput. With NORMAL a commit
 * writes the same frames to the same log in the same order and leaves this one sync to us; all
 * other syncs (of the log before a checkpoint, of the database after it, of the header of a log
 * that begins anew) stay with SQLite. So after power loss the database is whole up to the last
 * frame that reached the disk, and nothing is answered before its frames did.
 */
import { closeSync, fdatasync, fstatSync, openSync, statSync } from 'node:fs';

export interface LogSync {
  /** Calls back when everything written to the log before is on the disk, or with the reason. */
  sync(done: (error: Error | null) => void): void;
  close(): void;
}

/**
 * @param databasePath of a database in WAL mode, with an open connection that has written: that
 *   connection keeps its log file as long as it lives
 */
export function openLogSync(databasePath: string): LogSync {
  const path = `${databasePath}-wal`;
  const fd = openSync(path, 'r+');
  if (fstatSync(fd).ino !== statSync(path).ino) throw new Error(`${path} was replaced`);
  return {
    sync: (done) => fdatasync(fd, done),
    close: () => closeSync(fd),
  };
}
