import { existsSync } from 'node:fs';
import { writeCheckpoint } from '../audit/checkpoint/write.ts';
import { createSeal } from '../audit/seal.ts';
import { loadDatabaseConfig } from '../config/config.ts';
import { StartError } from '../errors.ts';
import { operands, parseOptions } from './options.ts';
import { openDatabase } from './verify.ts';

/** `checkpoint FILE`: where all audit chains stand now, for somewhere else. */
export function checkpoint(args: readonly string[], environment: NodeJS.ProcessEnv): number {
  const [path] = operands(parseOptions(args, {}).positionals, ['a file']) as [string];
  if (existsSync(path)) throw new StartError(`${path} exists: name a file that does not`);
  const { databasePath, auditKey } = loadDatabaseConfig(environment);
  const db = openDatabase(databasePath);
  try {
    const { at, auditRows, chains, digest } = writeCheckpoint(db, createSeal(auditKey), path);
    process.stdout.write(
      `${path}: ${databasePath} as of ${new Date(at).toISOString()} (${auditRows} audit rows, ${chains} chains, digest ${digest}); keep it where nobody who can write the database can reach it\n`,
    );
    return 0;
  } catch (error) {
    if (!('syscall' in (error as Error))) throw error;
    throw new StartError(`cannot write ${path}: ${(error as Error).message}`);
  } finally {
    db.close();
  }
}
