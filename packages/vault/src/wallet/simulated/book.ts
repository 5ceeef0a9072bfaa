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

/** An invoice that this wallet has made. */
export interface OwnInvoice {
  readonly payment_hash: string;
  readonly invoice: string;
  readonly preimage: string;
  readonly amount: number;
  /** Its place among all that was ever received; null while nobody has paid. */
  readonly receipt: number | null;
  readonly received: number | null;
}

/** Ecash that this wallet has issued. */
export interface IssuedProof {
  readonly secret: string;
  readonly signature: string;
  readonly amount: number;
  /** The reference under which it came back. */
  readonly spent_by: string | null;
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
    CREATE TABLE IF NOT EXISTS invoices (
      payment_hash TEXT PRIMARY KEY NOT NULL,
      invoice TEXT NOT NULL,
      preimage TEXT NOT NULL,
      amount INTEGER NOT NULL,
      receipt INTEGER UNIQUE,
      received INTEGER,
      CHECK ((receipt IS NULL) = (received IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS proofs (
      secret TEXT PRIMARY KEY NOT NULL,
      signature TEXT NOT NULL,
      amount INTEGER NOT NULL,
      spent_by TEXT
    ) STRICT, WITHOUT ROWID;
  `);
  // Where it has one nothing is written: a vault on a read-only disk still starts, to be read.
  if (db.prepare('SELECT 1 FROM wallet').get() === undefined) {
    db.prepare('INSERT INTO wallet (id, identity) VALUES (1, ?)').run(newIdentity());
  }
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
  const insertInvoice = db.prepare(
    `INSERT INTO invoices (payment_hash, invoice, preimage, amount)
     VALUES (@payment_hash, @invoice, @preimage, @amount)`,
  );
  const selectInvoice = db.prepare<[string], OwnInvoice>(
    'SELECT * FROM invoices WHERE payment_hash = ?',
  );
  // The condition lets one payment in, whoever else pays at the same moment.
  const receive = db.prepare<[number, string]>(
    `UPDATE invoices SET received = ?, receipt = (SELECT coalesce(max(receipt), 0) + 1 FROM invoices)
     WHERE payment_hash = ? AND receipt IS NULL`,
  );
  const selectReceipts = db.prepare<[number, number], OwnInvoice>(
    'SELECT * FROM invoices WHERE receipt > ? ORDER BY receipt LIMIT ?',
  );
  const insertProof = db.prepare(
    'INSERT INTO proofs (secret, signature, amount) VALUES (@secret, @signature, @amount)',
  );
  const selectProof = db.prepare<[string], IssuedProof>('SELECT * FROM proofs WHERE secret = ?');
  const spendProof = db.prepare<[string, string]>(
    'UPDATE proofs SET spent_by = ? WHERE secret = ? AND spent_by IS NULL',
  );
  return {
    findInvoice: (hash: string): OwnInvoice | undefined => selectInvoice.get(hash),
    addInvoice: (invoice: Pick<OwnInvoice, 'payment_hash' | 'invoice' | 'preimage' | 'amount'>) => {
      insertInvoice.run(invoice);
    },
    /** False where it had been paid before. */
    receive: (hash: string, amount: number): boolean => receive.run(amount, hash).changes === 1,
    receiptsAfter: (receipt: number, max: number): OwnInvoice[] => selectReceipts.all(receipt, max),
    addProof: (proof: Pick<IssuedProof, 'secret' | 'signature' | 'amount'>) => {
      insertProof.run(proof);
    },
    findProof: (secret: string): IssuedProof | undefined => selectProof.get(secret),
    spendProof: (secret: string, reference: string): boolean =>
      spendProof.run(reference, secret).changes === 1,
    /** All of it or nothing. */
    together: <T>(change: () => T): T => db.transaction(change).immediate(),
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
