import type Database from 'better-sqlite3';
import { codeOf, StorageError } from './open.ts';

/**
 * Group commit: writes that arrive in one turn of the event loop share one transaction.
 *
 * Four strengths. `durable` writes resolve after an fsync (they come before money leaves the
 * house). `lasting` ones resolve once SQLite has them in its log file: they survive the death of the
 * process, and a power cut may lose the last of them, for which recovery has an answer. `lazy` ones
 * nobody waits for: they go with the next commit, or after LAZY_MS. `expendable` ones go like lazy
 * ones, but only EXPENDABLE_MAX of them may wait: the records of requests that are refused for a
 * full disk must not fill the memory, too.
 *
 * Where the disk refuses, durable writes reject at once and nothing depends on them; the others stay
 * queued and are tried again until the disk takes them, because they describe what has happened.
 * Nobody waits for that: a lasting write that is refused resolves too, and `trouble` says why.
 */
export interface Writer {
  durable(apply: () => void): Promise<void>;
  lasting(apply: () => void): Promise<void>;
  lazy(apply: () => void): void;
  /** False = too many wait, and this one is never written. */
  expendable(apply: () => void): boolean;
  /** Tries to write what is queued now; false where the disk still refuses. */
  flush(): boolean;
  readonly trouble: string | null;
  close(): void;
}

interface Write {
  apply: () => void;
  durable: boolean;
  expendable: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

const LAZY_MS = 10;
const nothing = (): void => {};
const lazyWrite = (apply: () => void, expendable: boolean): Write => ({
  apply,
  durable: false,
  expendable,
  resolve: nothing,
  reject: nothing,
});

const RETRY_MS = 1_000;
/** Beyond this many waiting writes new durable ones are refused: the disk is gone for too long. */
const QUEUE_MAX = 50_000;
/** Some ten megabytes of records. */
const EXPENDABLE_MAX = 10_000;

/** The disk's refusals, which pass; anything else is a fault of one write and would repeat for ever. */
const DISK_TROUBLE =
  /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|PERM|AUTH|CORRUPT|NOTADB)/;

/** `onFault` hears of a lasting write that SQLite refuses for what it says, not for want of space. */
export function createWriter(db: Database.Database, onFault: (error: Error) => void): Writer {
  let queue: Write[] = [];
  /** Of the queue. */
  let expendables = 0;
  let scheduled = false;
  let trouble: string | null = null;
  let retryTimer: NodeJS.Timeout | null = null;
  let lazyTimer: NodeJS.Timeout | null = null;
  let closed = false;
  const begin = db.prepare('begin immediate');
  const commit = db.prepare('commit');
  let synchronous: 'FULL' | 'NORMAL' | null = null;

  function setSynchronous(mode: 'FULL' | 'NORMAL'): void {
    if (synchronous === mode) return;
    db.pragma(`synchronous = ${mode}`);
    synchronous = mode;
  }

  function runBatch(batch: Write[]): void {
    setSynchronous(batch.some((write) => write.durable) ? 'FULL' : 'NORMAL');
    begin.run();
    try {
      for (const write of batch) write.apply();
      commit.run();
    } catch (error) {
      // SQLITE_FULL and SQLITE_IOERR may have ended the transaction already.
      if (db.inTransaction) db.exec('rollback');
      throw error;
    }
  }

  function flush(): boolean {
    scheduled = false;
    if (lazyTimer !== null) clearTimeout(lazyTimer);
    lazyTimer = null;
    if (queue.length === 0) return trouble === null;
    const batch = queue;
    queue = [];
    expendables = 0;
    try {
      runBatch(batch);
    } catch (error) {
      if (DISK_TROUBLE.test(codeOf(error))) {
        onRefusal(batch, error);
        return false;
      }
      onFaultyBatch(batch, error);
      return trouble === null;
    }
    trouble = null;
    for (const write of batch) write.resolve();
    return true;
  }

  /** One write of the batch is at fault: alone, the others pass. */
  function onFaultyBatch(batch: Write[], error: unknown): void {
    if (batch.length === 1) {
      const [write] = batch as [Write];
      if (write.durable) write.reject(error as Error);
      else {
        onFault(error as Error);
        write.resolve();
      }
      return;
    }
    for (const write of batch) {
      queue.push(write);
      flush();
    }
  }

  function onRefusal(batch: Write[], error: unknown): void {
    trouble = error instanceof Error ? error.message : String(error);
    const waiting: Write[] = [];
    for (const write of batch) {
      if (write.durable) write.reject(new StorageError(trouble, { cause: error }));
      else {
        write.resolve();
        waiting.push(write);
      }
    }
    queue = [...waiting, ...queue];
    expendables = queue.filter(({ expendable }) => expendable).length;
    if (!closed && retryTimer === null) {
      retryTimer = setTimeout(() => {
        retryTimer = null;
        if (queue.length === 0) queue.push(lazyWrite(nothing, false));
        flush();
      }, RETRY_MS);
    }
  }

  function enqueue(apply: () => void, durable: boolean): Promise<void> {
    if (durable && queue.length >= QUEUE_MAX) {
      return Promise.reject(new StorageError(trouble ?? 'too many writes are waiting'));
    }
    return new Promise((resolve, reject) => {
      queue.push({ apply, durable, expendable: false, resolve, reject });
      if (scheduled) return;
      scheduled = true;
      setImmediate(flush);
    });
  }

  function addLazily(apply: () => void, expendable: boolean): void {
    queue.push(lazyWrite(apply, expendable));
    if (!scheduled) lazyTimer ??= setTimeout(flush, LAZY_MS);
  }

  return {
    durable: (apply) => enqueue(apply, true),
    lasting: (apply) => enqueue(apply, false),
    lazy: (apply) => addLazily(apply, false),
    expendable(apply) {
      if (expendables >= EXPENDABLE_MAX) return false;
      expendables++;
      addLazily(apply, true);
      return true;
    },
    flush,
    get trouble() {
      return trouble;
    },
    close() {
      closed = true;
      if (retryTimer !== null) clearTimeout(retryTimer);
      flush();
    },
  };
}
