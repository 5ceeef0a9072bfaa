import SqliteDatabase, { type Database } from 'better-sqlite3';
import { appliedMigrations, knownMigrations, migrate } from '../../db/migrate.ts';
import type { Report } from './report.ts';

interface SchemaObject {
  type: string;
  name: string;
  sql: string | null;
}

/**
 * The database has exactly this code's tables, indexes and triggers. A dropped trigger is how an
 * append-only row gets changed; an added one could move money.
 */
export function checkSchema(db: Database, report: Report): void {
  const applied = appliedMigrations(db);
  const known = knownMigrations();
  for (const [index, { hash, created_at }] of known.entries()) {
    const row = applied[index];
    if (row?.id !== index + 1 || row.hash !== hash || row.created_at !== created_at) {
      report.add(`schema: migration ${index + 1} is not the one that this vault knows`);
    }
  }
  if (applied.length > known.length) {
    report.add(`schema: ${applied.length} migrations are recorded, this vault has ${known.length}`);
  }

  const reference = new SqliteDatabase(':memory:');
  migrate(reference);
  const expected = schemaOf(reference);
  reference.close();
  const actual = schemaOf(db);
  for (const [key, sql] of expected) {
    if (!actual.has(key)) report.add(`schema: ${key} is missing`);
    else if (actual.get(key) !== sql) report.add(`schema: ${key} was changed`);
  }
  for (const key of actual.keys()) {
    if (!expected.has(key)) report.add(`schema: ${key} does not belong here`);
  }
}

function schemaOf(db: Database): Map<string, string | null> {
  const rows = db
    .prepare<[], SchemaObject>(
      "SELECT type, name, sql FROM sqlite_schema WHERE name <> 'sqlite_stat1'",
    )
    .all();
  return new Map(rows.map(({ type, name, sql }) => [`${type} ${name}`, sql]));
}
