/** What a restore and a backup are written over, and from which older schemas a restore works. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backup, restore } from '../../src/cli/backup.ts';
import { StartError } from '../../src/errors.ts';
import {
  books,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  settle,
  temporaryFolder,
} from '../support/vault.ts';

beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await closeVaults();
});

const newPath = (name = 'vault.db') => join(temporaryFolder(), name);
const at = (DATABASE_PATH: string) => ({ DATABASE_PATH });

/** Of a vault with one agent. */
async function backedUp(): Promise<string> {
  const vault = await openVault();
  await fundedAgent(vault);
  const copy = newPath('copy.db');
  await backup([copy], at(vault.path));
  return copy;
}

/** SQLite would take a log beside the file for its own, whatever it is of. */
describe.each(['', '-wal', '-shm', '-journal'])('where FILE%s is there already', (suffix) => {
  test('a restore is refused and says what to do, and writes nothing', async () => {
    const copy = await backedUp();
    const target = newPath();
    writeFileSync(target + suffix, 'of another database');
    const refused = restore([copy], at(target));
    await expect(refused).rejects.toThrow(StartError);
    await expect(refused).rejects.toThrow(`${target}${suffix} exists`);
    await expect(refused).rejects.toThrow('move it away');
    expect(existsSync(target)).toBe(suffix === '');
  });

  test('a backup is refused likewise', async () => {
    const copy = await backedUp();
    const target = newPath();
    writeFileSync(target + suffix, 'of another database');
    await expect(backup([target], at(copy))).rejects.toThrow(`${target}${suffix} exists`);
    expect(existsSync(target)).toBe(suffix === '');
  });
});

const MIGRATIONS = join(import.meta.dirname, '../../src/db/migrations');

/** The rows of a database in one with the first `count` migrations only. */
function inOlderSchema(path: string, count: number): string {
  const older = newPath('older.db');
  const db = new SqliteDatabase(older);
  db.pragma('synchronous = OFF');
  db.exec(
    'CREATE TABLE __drizzle_migrations (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)',
  );
  const record = db.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)');
  const known = readMigrationFiles({ migrationsFolder: MIGRATIONS });
  for (const { sql, hash, folderMillis } of known.slice(0, count)) {
    for (const statement of sql) db.exec(statement);
    record.run(hash, folderMillis);
  }
  db.prepare('ATTACH ? AS newest').run(path);
  const columns = db.prepare<[string], { name: string; columns: string }>(
    `SELECT t.name, group_concat(c.name) AS columns
     FROM pragma_table_list t, pragma_table_info(t.name) c
     WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name <> ?
     GROUP BY t.name`,
  );
  // Accounts that a later migration brings have nothing in them yet.
  const kept = (table: string) => (table === 'accounts' ? 'WHERE id > 0' : '');
  db.pragma('foreign_keys = OFF');
  for (const { name, columns: names } of columns.all('__drizzle_migrations')) {
    db.exec(
      `INSERT OR REPLACE INTO main.${name} (${names}) SELECT ${names} FROM newest.${name} ${kept(name)}`,
    );
  }
  db.close();
  return older;
}

const MIGRATION_COUNTS = readMigrationFiles({ migrationsFolder: MIGRATIONS }).map((_, n) => n + 1);

test('a backup of any older schema is restored, with all that it holds', async () => {
  const vault = await openVault();
  const agent = await fundedAgent(vault);
  await settle(vault, await held(vault, agent, 700), 500);
  await held(vault, agent, 300);
  const { accounts } = books(vault.path);
  await vault.close();
  for (const count of MIGRATION_COUNTS) {
    const restored = newPath();
    await restore([inOlderSchema(vault.path, count)], at(restored));
    expect(books(restored).accounts).toEqual(accounts);
  }
});

test('a file that is no ledger is not made one', async () => {
  const empty = newPath('empty.db');
  const foreign = newPath('foreign.db');
  writeFileSync(empty, '');
  new SqliteDatabase(foreign).exec('CREATE TABLE meta (a)').close();
  for (const file of [empty, foreign]) {
    const target = newPath();
    await expect(restore([file], at(target))).rejects.toThrow(StartError);
    expect(existsSync(target)).toBe(false);
  }
});
