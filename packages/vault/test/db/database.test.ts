import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { getTableColumns } from 'drizzle-orm';
import { afterEach, describe, expect, test } from 'vitest';
import { appliedMigrations, knownMigrations, migrate } from '../../src/db/migrate.ts';
import { assertSqlite, openWriter } from '../../src/db/open.ts';
import { takeOwnerLock } from '../../src/db/owner-lock.ts';
import * as schema from '../../src/db/schema.ts';
import {
  closeVaults,
  fundedAgent,
  openVault,
  temporaryFolder,
  verifyFile,
} from '../support/vault.ts';

afterEach(closeVaults);

describe('migrations', () => {
  test('run once; a second time does no harm', () => {
    const db = openWriter(join(temporaryFolder(), 'vault.db'));
    migrate(db);
    const first = appliedMigrations(db);
    migrate(db);
    expect(appliedMigrations(db)).toEqual(first);
    db.close();
  });

  test('wait for another process that is migrating, and then have nothing to do', () => {
    const path = join(temporaryFolder(), 'vault.db');
    const one = openWriter(path);
    const two = openWriter(path);
    migrate(one);
    migrate(two);
    expect(appliedMigrations(two)).toHaveLength(knownMigrations().length);
    one.close();
    two.close();
  });

  test('that this vault does not know yet make it refuse the database', async () => {
    const vault = await openVault();
    await vault.close();
    const db = new SqliteDatabase(vault.path);
    db.exec("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('newer', 9999999999999)");
    db.close();
    await expect(openVault({ path: vault.path })).rejects.toThrow('newer vault');
  });

  test('of something else make it refuse the database', async () => {
    const vault = await openVault();
    await vault.close();
    const db = new SqliteDatabase(vault.path);
    db.exec("UPDATE __drizzle_migrations SET hash = 'other'");
    db.close();
    await expect(openVault({ path: vault.path })).rejects.toThrow('does not know');
  });

  test('that fail leave nothing behind', () => {
    const db = openWriter(join(temporaryFolder(), 'vault.db'));
    db.exec('CREATE TABLE audit (mine TEXT)');
    expect(() => migrate(db)).toThrow('audit');
    expect(appliedMigrations(db)).toEqual([]);
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()).toEqual([
      { name: 'audit' },
    ]);
    db.close();
  });

  test('and Drizzle’s schema name the same columns', async () => {
    const vault = await openVault();
    for (const [name, table] of Object.entries(schema)) {
      const file = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const columns = vault.writer.pragma(`table_info(${file})`) as { name: string }[];
      expect(Object.values(getTableColumns(table)).map((column) => column.name)).toEqual(
        columns.map((column) => column.name),
      );
    }
  });
});

describe('one owner', () => {
  test('T2, T6: has the database; a second vault says who is in the way', async () => {
    const vault = await openVault();
    await expect(openVault({ path: vault.path })).rejects.toThrow('another vault is running');
    await vault.close();
    await openVault({ path: vault.path });
  });

  test('also where the file is reached by another path', async () => {
    const vault = await openVault();
    const folder = join(temporaryFolder(), 'link');
    mkdirSync(folder);
    const link = join(folder, 'other.db');
    symlinkSync(vault.path, link);
    expect(() => takeOwnerLock(link)).toThrow('another vault is running');
  });
});

describe('T64: the library', () => {
  test.each(['3.7.0', '3.9.5', '3.50.4', '3.51.2'])('of version %s is refused', (version) => {
    expect(() => assertSqlite(version)).toThrow(`SQLite ${version} may lose`);
  });
  test.each(['3.51.3', '3.51.10', '3.53.2', '4.0.0'])('of version %s is used', (version) => {
    expect(() => assertSqlite(version)).not.toThrow();
  });
});

test('T64: a commit is synced to the disk before it is answered', () => {
  const db = openWriter(join(temporaryFolder(), 'vault.db'));
  expect(db.pragma('synchronous', { simple: true })).toBe(2);
  expect(db.pragma('journal_mode', { simple: true })).toBe('wal');
  expect(db.pragma('foreign_keys', { simple: true })).toBe(1);
  db.close();
});

test('a stopped vault leaves one file that can be copied', async () => {
  const vault = await openVault();
  await fundedAgent(vault);
  await vault.close();
  const copy = join(temporaryFolder(), 'copy.db');
  copyFileSync(vault.path, copy);
  const report = verifyFile(copy);
  expect([report.findings, report.counts.agents]).toEqual([[], 1]);
});

test.each([
  ['UPDATE transfers SET amount = 1', 'append-only'],
  ['DELETE FROM transfers', 'append-only'],
  ["UPDATE audit SET facts = '{}'", 'append-only'],
  ['DELETE FROM audit', 'append-only'],
  ['DELETE FROM reservations', 'never deleted'],
  ['DELETE FROM accounts', 'never deleted'],
  ['DELETE FROM agents', 'never deleted'],
  ['UPDATE policy_versions SET version = 9', 'append-only'],
  ['UPDATE accounts SET balance = -1 WHERE id > 3', 'CHECK'],
  ['UPDATE accounts SET balance = 1 WHERE id = 1', 'CHECK'],
  ["INSERT INTO transfers VALUES (99, 1, 1, 2, 0, 'x', 'x')", 'CHECK'],
  ["INSERT INTO transfers VALUES (99, 1, 1, 1, 5, 'x', 'x')", 'CHECK'],
  ["INSERT INTO agent_tokens VALUES ('t', 77, 'h', 'spend', 1, NULL, NULL)", 'FOREIGN KEY'],
])('the database itself refuses: %s', async (sql, reason) => {
  const vault = await openVault();
  const agent = await fundedAgent(vault);
  await vault.app.inject({
    method: 'POST',
    url: '/internal/release',
    headers: { 'x-internal-token': 'internal-token-of-the-tests-0123456789' },
    payload: { reservation_id: vault.newReservationId() },
  });
  expect(agent.id).toBeTruthy();
  expect(() => vault.writer.exec(sql)).toThrow(reason);
});
