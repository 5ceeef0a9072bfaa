/**
 * Brings a database to this code's schema, at start, in one transaction under the write lock: two
 * processes that start together apply each migration once, and a crash applies none by half.
 */
import { fileURLToPath } from 'node:url';
import type { Database } from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { StartError } from '../errors.ts';

const MIGRATIONS_FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));
/** Drizzle's own table and layout, so that its tools understand the database. */
const TABLE = '__drizzle_migrations';

export interface Migration {
  hash: string;
  created_at: number;
}

export interface AppliedMigration extends Migration {
  id: number;
}

/** What this code's schema consists of, oldest first. */
export function knownMigrations(): Migration[] {
  return readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map((migration) => ({
    hash: migration.hash,
    created_at: migration.folderMillis,
  }));
}

export function appliedMigrations(db: Database): AppliedMigration[] {
  const exists = db.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(TABLE);
  if (!exists) return [];
  return db
    .prepare<[], AppliedMigration>(`SELECT id, hash, created_at FROM ${TABLE} ORDER BY id`)
    .all();
}

/** Throws StartError where the database is newer than this code or was not made by it. */
export function migrate(db: Database): void {
  const known = readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER });
  // Without work to do there is no write, so that a vault on a full disk can still start.
  if (countApplied(db, known) === known.length) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    // Looked up again under the lock: another process may just have migrated.
    const applied = countApplied(db, known);
    db.exec(
      `CREATE TABLE IF NOT EXISTS ${TABLE} (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, created_at NUMERIC)`,
    );
    const record = db.prepare(`INSERT INTO ${TABLE} (hash, created_at) VALUES (?, ?)`);
    for (const migration of known.slice(applied)) {
      for (const statement of migration.sql) db.exec(statement);
      record.run(migration.hash, migration.folderMillis);
    }
    db.exec('COMMIT');
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function countApplied(db: Database, known: { hash: string; folderMillis: number }[]): number {
  const applied = appliedMigrations(db);
  for (const [index, row] of applied.entries()) {
    if (known[index]?.hash === row.hash) continue;
    const newest = known.at(-1)?.folderMillis ?? 0;
    throw new StartError(
      row.created_at > newest
        ? 'the database was written by a newer vault than this one: start that version, or restore a backup'
        : 'the database has a schema that this vault does not know: it is not a vault database, or it was changed by hand',
    );
  }
  return applied.length;
}
