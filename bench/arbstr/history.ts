/**
 * Vault databases that have been used for long. They take minutes to make, so they are kept between
 * runs for as long as the code that writes them is the same.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf, startChild } from '../child.ts';
import type { Payer } from '../load/job.ts';
import { MEASURED_CORE, ROOT, WORK_FOLDER } from '../machine.ts';
import { verifyBooks } from './vault.ts';

/** Who pays, in new and in old databases alike. */
export const AGENTS = 16;

export interface HistoryOrder {
  readonly databasePath: string;
  readonly agentsPath: string;
  readonly reservations: number;
}

export interface History {
  /** A copy for this run. */
  readonly databasePath: string;
  readonly agents: readonly Payer[];
}

/** Per reservation, for the time limit; 20 to 50 µs are usual. */
const WRITE_MS_PER_RESERVATION = 0.4;
const WRITE_MS_AT_LEAST = 30_000;

export async function prepareHistory(
  reservations: number,
  folder: string,
  say: (line: string) => void,
): Promise<History> {
  const kept = join(WORK_FOLDER, `history-${reservations}-${fingerprint()}`);
  if (!existsSync(kept)) await makeHistory(reservations, kept, folder, say);
  const databasePath = join(folder, `history-${reservations}.db`);
  copyFileSync(join(kept, DATABASE), databasePath, constants.COPYFILE_FICLONE);
  flush(databasePath);
  const agents = JSON.parse(readFileSync(join(kept, AGENTS_FILE), 'utf8')) as Payer[];
  return { databasePath, agents };
}

const DATABASE = 'vault.db';
const AGENTS_FILE = 'agents.json';

async function makeHistory(
  reservations: number,
  kept: string,
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  say(`writing a database with ${reservations} past reservations (kept for the next run)`);
  forgetOthers(reservations);
  const made = join(folder, `made-${reservations}`);
  mkdirSync(made);
  const name = `history-${reservations}`;
  const script = 'bench/arbstr/write-history.ts';
  const child = startChild({ name, script, core: MEASURED_CORE, folder });
  const order: HistoryOrder = {
    databasePath: join(made, DATABASE),
    agentsPath: join(made, AGENTS_FILE),
    reservations,
  };
  child.process.send(order);
  await messageOf(child, WRITE_MS_AT_LEAST + reservations * WRITE_MS_PER_RESERVATION);
  await child.stop();
  verifyBooks(order.databasePath);
  renameSync(made, kept);
}

/** Those of older code. */
function forgetOthers(reservations: number): void {
  for (const name of readdirSync(WORK_FOLDER)) {
    if (name.startsWith(`history-${reservations}-`)) {
      rmSync(join(WORK_FOLDER, name), { recursive: true, force: true });
    }
  }
}

/** The copy must not be written back while something is measured. */
function flush(path: string): void {
  const file = openSync(path, 'r+');
  fsyncSync(file);
  closeSync(file);
}

/** Of everything that decides what such a database holds. */
const SOURCES = [
  'packages/shared/src',
  'packages/vault/src/audit',
  'packages/vault/src/db',
  'packages/vault/src/ledger',
  'packages/vault/src/policy',
  'packages/vault/src/reservation',
  'bench/arbstr/write-history.ts',
];

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const source of SOURCES) hashFiles(join(ROOT, source), hash);
  return hash.digest('hex').slice(0, 16);
}

function hashFiles(path: string, hash: ReturnType<typeof createHash>): void {
  if (/\.(ts|sql|json)$/.test(path)) {
    hash.update(readFileSync(path));
    return;
  }
  for (const name of readdirSync(path).sort()) hashFiles(join(path, name), hash);
}
