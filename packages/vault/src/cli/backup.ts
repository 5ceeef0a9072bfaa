/** `backup` and `restore`: a copy of a live vault, and a vault from a copy. */
import { randomBytes } from 'node:crypto';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createIdSource } from '@arbstr/shared';
import { createSeal, type Seal } from '../audit/seal.ts';
import { verifyLedger } from '../audit/verify/verify.ts';
import { loadDatabaseConfig } from '../config/config.ts';
import { migrate } from '../db/migrate.ts';
import { openReader, openWriter, prepareFolder } from '../db/open.ts';
import { takeOwnerLock } from '../db/owner-lock.ts';
import { syncPath } from '../db/sync-path.ts';
import { StartError } from '../errors.ts';
import { beginRecovery } from '../ledger/open-ledger.ts';
import { mustConfirm, type Terminal, terminalOfProcess } from './confirm.ts';
import { FLAG, operands, parseOptions } from './options.ts';
import { harmless } from './print.ts';

/** All at once: a copy in steps begins anew with each commit of a busy vault, and never ends. */
const ALL_PAGES = 2 ** 31 - 1;

export async function backup(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const [target] = operands(parseOptions(args, {}).positionals, ['a file']) as [string];
  const { databasePath, auditKey } = loadDatabaseConfig(environment);
  if (!existsSync(databasePath)) {
    throw new StartError(`no database at ${databasePath}: set DATABASE_PATH`);
  }
  mustBeFree(target, 'name a file that is not there, or move it away');
  await copyDatabase(databasePath, target, (copy) => {
    const counts = mustVerify(copy, createSeal(auditKey), 'the copy');
    process.stdout.write(
      `${target}: a verified copy of ${databasePath} (${counts.agents} agents, ${counts.auditRows} audit rows)\n`,
    );
  });
  return 0;
}

export async function restore(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null = terminalOfProcess,
): Promise<number> {
  const { values, positionals } = parseOptions(args, { yes: FLAG });
  const [source] = operands(positionals, ['a file']) as [string];
  const { databasePath, auditKey } = loadDatabaseConfig(environment);
  if (!existsSync(source)) throw new StartError(`no backup at ${source}`);
  await mustConfirm({ yes: values.yes, terminal }, () => [
    `${databasePath} will be a vault from ${source}, in a new ledger epoch.`,
    'Every core that reaches it delivers there what it billed in the last 7 days. The vault that was',
    'backed up must never run again: two would pay the same money.',
  ]);
  prepareFolder(databasePath);
  const lock = takeOwnerLock(databasePath);
  try {
    mustBeFree(databasePath, 'a restore overwrites nothing: move it away first');
    const seal = createSeal(auditKey);
    await copyDatabase(source, databasePath, (copy) => {
      // An older schema is no damage, and verify knows only the newest.
      mustMigrate(copy, source);
      mustVerify(copy, seal, source);
      beginEpoch(copy, seal);
    });
  } finally {
    lock.release();
  }
  process.stdout.write(
    `${databasePath}: restored from ${source}, in recovery mode: start the vault, let every core deliver what it billed since, look at payments and tokens (see the runbook), then run "recovery finish"\n`,
  );
  return 0;
}

/** Of a database: itself, its write-ahead log with its index, its rollback journal. */
const DATABASE_FILES = ['', '-wal', '-shm', '-journal'];

/** Nor a log of another database: SQLite would play it into the one that is put beside it. */
function mustBeFree(path: string, whatToDo: string): void {
  for (const suffix of DATABASE_FILES) {
    if (existsSync(path + suffix)) throw new StartError(`${path}${suffix} exists; ${whatToDo}`);
  }
}

/** Whole and on disk under its name, or not there at all. */
async function copyDatabase(
  from: string,
  to: string,
  prepare: (copy: string) => void,
): Promise<void> {
  const draft = `${to}.draft`;
  removeDraft(draft);
  const source = openReader(from);
  try {
    await source.backup(draft, { progress: () => ALL_PAGES });
  } catch (error) {
    removeDraft(draft);
    throw new StartError(`cannot write ${draft}: ${(error as Error).message}`);
  } finally {
    source.close();
  }
  try {
    prepare(draft);
    syncPath(draft);
    renameSync(draft, to);
    syncPath(dirname(to));
  } finally {
    removeDraft(draft);
  }
}

function removeDraft(draft: string): void {
  for (const suffix of DATABASE_FILES) rmSync(draft + suffix, { force: true });
}

function mustVerify(path: string, seal: Seal, what: string) {
  // A copy is in WAL mode, and a reader cannot make the files that this needs.
  const db = openWriter(path);
  try {
    const { total, findings, counts } = verifyLedger(db, seal);
    if (total > 0) {
      const shown = findings.slice(0, 5).map((finding) => `  ${harmless(finding)}`);
      throw new StartError(
        `${what} does not verify (${total} findings), so it is not used:\n${shown.join('\n')}`,
      );
    }
    return counts;
  } finally {
    db.close();
  }
}

function mustMigrate(path: string, what: string): void {
  const db = openWriter(path);
  try {
    migrate(db);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`${what} is no database of a vault: ${(error as Error).message}`);
  } finally {
    db.close();
  }
}

function beginEpoch(path: string, seal: Seal): void {
  const db = openWriter(path);
  try {
    beginRecovery(db, seal, createIdSource(Date.now, randomBytes)('ledgerEpoch'), Date.now());
  } finally {
    db.close();
  }
}
