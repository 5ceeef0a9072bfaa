/** `verify` beside the event loop: it reads every row, which takes seconds on a long history. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { DatabaseConfig } from '../../config/config.ts';
import { openReader } from '../../db/open.ts';
import { createSeal } from '../seal.ts';
import type { Counts } from './report.ts';
import { verifyLedger } from './verify.ts';

export interface Verdict {
  readonly findings: readonly string[];
  readonly total: number;
  readonly counts: Counts;
}

/** A ledger of ten million rows takes about a minute. */
const VERIFY_MS_MAX = 600_000;

/** Rejects where the database cannot be read, or it takes too long. */
export function verifyInWorker(config: DatabaseConfig): Promise<Verdict> {
  const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
  const { databasePath, auditKey } = config;
  const worker = new Worker(new URL(import.meta.url), { workerData: { databasePath, auditKey } });
  const timer = setTimeout(() => {
    reject(new Error(`verify took longer than ${VERIFY_MS_MAX} ms`));
    void worker.terminate();
  }, VERIFY_MS_MAX);
  worker.once('message', resolve);
  worker.once('error', reject);
  worker.once('exit', (code) => {
    clearTimeout(timer);
    reject(new Error(`verify ended with ${code}`));
  });
  return promise;
}

if (!isMainThread && parentPort !== null) {
  const { databasePath, auditKey } = workerData as DatabaseConfig;
  const db = openReader(databasePath);
  try {
    const { findings, total, counts } = verifyLedger(db, createSeal(auditKey));
    parentPort.postMessage({ findings, total, counts } satisfies Verdict);
  } finally {
    db.close();
  }
}
