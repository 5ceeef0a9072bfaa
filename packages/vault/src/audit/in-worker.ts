/** `verify` and checkpoints beside the event loop: they read rows without number, for seconds. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { DatabaseConfig } from '../config/config.ts';
import { type Database, openReader } from '../db/open.ts';
import { type CheckpointExport, exportCheckpoint } from './checkpoint/export.ts';
import { CheckpointError } from './checkpoint/format.ts';
import { createSeal, type Seal } from './seal.ts';
import type { ComparedCheckpoint, Counts } from './verify/report.ts';
import { verifyLedger } from './verify/verify.ts';

export interface Verdict {
  readonly findings: readonly string[];
  readonly total: number;
  readonly counts: Counts;
  readonly checkpoints: readonly ComparedCheckpoint[];
}

/** Why a checkpoint cannot be compared; nothing was verified. */
export interface Unusable {
  readonly unusable: string;
}

type Job =
  | { readonly job: 'verify'; readonly checkpoints: readonly string[] }
  | { readonly job: 'checkpoint'; readonly path: string; readonly previous: string | null };

/** A ledger of ten million rows takes `verify` about a minute. */
const JOB_MS_MAX = 600_000;

/** Rejects where the database cannot be read, or it takes too long. */
export const verifyInWorker = (
  config: DatabaseConfig,
  checkpoints: readonly string[] = [],
): Promise<Verdict | Unusable> => inWorker(config, { job: 'verify', checkpoints });

/** Rejects as `exportCheckpoint` throws, and where the signal aborts, when its thread is gone. */
export const exportInWorker = (
  config: DatabaseConfig,
  path: string,
  previous: string | null,
  signal?: AbortSignal,
): Promise<CheckpointExport> => inWorker(config, { job: 'checkpoint', path, previous }, signal);

function inWorker<T>(
  { databasePath, auditKey }: DatabaseConfig,
  job: Job,
  signal?: AbortSignal,
): Promise<T> {
  if (signal?.aborted) return Promise.reject(signal.reason as Error);
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { databasePath, auditKey, ...job },
  });
  const timer = setTimeout(() => {
    reject(new Error(`${job.job} took longer than ${JOB_MS_MAX} ms`));
    void worker.terminate();
  }, JOB_MS_MAX);
  const giveUp = () => void worker.terminate();
  signal?.addEventListener('abort', giveUp, { once: true });
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', (code) => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    reject(new Error(`${job.job} ended with ${code}`));
  });
  return promise;
}

if (!isMainThread && parentPort !== null) {
  const { databasePath, auditKey, ...job } = workerData as DatabaseConfig & Job;
  const db = openReader(databasePath);
  try {
    parentPort.postMessage(perform(db, createSeal(auditKey), job));
  } finally {
    db.close();
  }
}

function perform(db: Database, seal: Seal, job: Job): Verdict | Unusable | CheckpointExport {
  if (job.job === 'checkpoint') return exportCheckpoint(db, seal, job.path, job.previous);
  try {
    const { findings, total, counts, checkpoints } = verifyLedger(db, seal, job.checkpoints);
    return { findings, total, counts, checkpoints };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { unusable: error.message };
  }
}
