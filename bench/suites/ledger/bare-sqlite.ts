/**
 * The least that a durable ledger does per command: two balances, a transfer, and a row that is
 * sealed with the hash of the one before. Commands of one turn of the event loop share a commit.
 */
import { hash } from 'node:crypto';
import { openWriter } from '../../../packages/vault/src/db/open.ts';

const ACCOUNTS = 16;

export function openBareSqlite(path: string): () => () => Promise<void> {
  const db = openWriter(path);
  db.pragma('synchronous = FULL');
  db.exec(`
    CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT;
    CREATE TABLE transfers (
      id INTEGER PRIMARY KEY, debit INTEGER, credit INTEGER, amount INTEGER, ref TEXT
    ) STRICT;
    CREATE TABLE audit (id INTEGER PRIMARY KEY, facts TEXT, hash TEXT) STRICT;
  `);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const insertAccount = db.prepare('INSERT INTO accounts VALUES (?, 0)');
  const move = db.prepare('UPDATE accounts SET balance = balance + ? WHERE id = ?');
  const transfer = db.prepare('INSERT INTO transfers VALUES (?, ?, ?, ?, ?)');
  const seal = db.prepare('INSERT INTO audit VALUES (?, ?, ?)');
  for (let id = 1; id <= ACCOUNTS; id++) insertAccount.run(id);

  let waiting: (() => void)[] = [];
  let last = 0;
  let previous = '';

  function runBatch(): void {
    const batch = waiting;
    waiting = [];
    begin.run();
    for (let nth = 0; nth < batch.length; nth++) {
      const id = ++last;
      const [debit, credit, amount] = [1 + (id % ACCOUNTS), 1 + ((id + 1) % ACCOUNTS), 1_234];
      const ref = `rsv_01JBENCH${String(id).padStart(18, '0')}`;
      move.run(-amount, debit);
      move.run(amount, credit);
      transfer.run(id, debit, credit, amount, ref);
      const facts = JSON.stringify({ reservation_id: ref, amount, transfers: [id] });
      previous = hash('sha256', `${previous}\n${facts}`, 'base64url');
      seal.run(id, facts, previous);
    }
    commit.run();
    for (const answer of batch) answer();
  }

  return () => () =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(runBatch);
      waiting.push(resolve);
    });
}
