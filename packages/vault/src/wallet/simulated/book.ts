/**
 * The simulated wallet's own memory: a file beside the vault's database, because a wallet is
 * another system. Like a real one it survives the vault's crash, and can be lost on its own.
 */
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { StartError } from '../../errors.ts';

export interface BookedPayment {
  /** See `orderKey`. */
  readonly key: string;
  readonly reference: string;
  readonly state: 'pending' | 'succeeded' | 'failed';
  readonly amount: number;
  readonly fee: number;
  readonly preimage: string | null;
  readonly token: string | null;
  readonly reason: string | null;
}

export type WalletBook = ReturnType<typeof openBook>;

/** @param newIdentity used only where the file is new */
export function openBook(path: string, newIdentity: () => string) {
  const db = openFile(path);
  db.pragma('journal_mode = WAL');
  // A payment that was answered as made must be remembered as made after a power cut.
  db.pragma('synchronous = FULL');
  db.exec(`
    CREATE TABLE IF NOT EXISTS wallet (id INTEGER PRIMARY KEY CHECK (id = 1), identity TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS payments (
      key TEXT PRIMARY KEY NOT NULL,
      reference TEXT NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
      amount INTEGER NOT NULL,
      fee INTEGER NOT NULL,
      preimage TEXT,
      token TEXT,
      reason TEXT
    ) STRICT, WITHOUT ROWID;
  `);
  db.prepare('INSERT INTO wallet (id, identity) VALUES (1, ?) ON CONFLICT DO NOTHING').run(
    newIdentity(),
  );
  const select = db.prepare<[string], BookedPayment>('SELECT * FROM payments WHERE key = ?');
  // Whatever else happens, what has succeeded stays so: this is what "at most once" rests on.
  const upsert = db.prepare(
    `INSERT INTO payments (key, reference, state, amount, fee, preimage, token, reason)
     VALUES (@key, @reference, @state, @amount, @fee, @preimage, @token, @reason)
     ON CONFLICT DO UPDATE SET reference = excluded.reference, state = excluded.state,
       amount = excluded.amount, fee = excluded.fee, preimage = excluded.preimage,
       token = excluded.token, reason = excluded.reason
     WHERE state <> 'succeeded'`,
  );
  return {
    identity: db
      .prepare<[], { identity: string }>('SELECT identity FROM wallet WHERE id = 1')
      .get()!.identity,
    find: (key: string): BookedPayment | undefined => select.get(key),
    write: (payment: BookedPayment): void => {
      upsert.run(payment);
    },
    close: (): void => {
      db.close();
    },
  };
}

function openFile(path: string): Database {
  try {
    return new SqliteDatabase(path);
  } catch (error) {
    throw new StartError(
      `cannot open the simulated wallet's file ${path}: ${(error as Error).message}`,
    );
  }
}
