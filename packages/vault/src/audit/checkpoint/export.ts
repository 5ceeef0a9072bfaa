import type { Database } from 'better-sqlite3';
import type { Seal } from '../seal.ts';
import { Report } from '../verify/report.ts';
import { compareCheckpoint } from './compare.ts';
import { CheckpointError } from './format.ts';
import { auditRowsOf, type CheckpointSummary, writeCheckpoint } from './write.ts';

export type CheckpointExport =
  | {
      readonly did: 'write';
      readonly summary: CheckpointSummary;
      /** Rows of the previous one that a restore has left behind. */
      readonly setBackRows: number;
      /** Why the previous one could not be compared; null where it was, or there was none. */
      readonly previousUnusable: string | null;
    }
  /** No audit row has been written since the previous one. */
  | { readonly did: 'nothing' }
  | { readonly did: 'find'; readonly findings: readonly string[] };

/**
 * The next of a row of checkpoints. None is written where the ledger contradicts the previous one:
 * it would take the place of the evidence. Throws as `writeCheckpoint`.
 */
export function exportCheckpoint(
  db: Database,
  seal: Seal,
  path: string,
  previous: string | null,
): CheckpointExport {
  const report = new Report();
  let previousUnusable: string | null = null;
  try {
    if (previous !== null) compareCheckpoint(db, seal, previous, report);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    previousUnusable = error.message;
  }
  if (report.total > 0) return { did: 'find', findings: report.findings };
  const { auditRows = 0, setBackRows = 0 } = report.checkpoints[0] ?? {};
  if (setBackRows === 0 && auditRows === auditRowsOf(db)) return { did: 'nothing' };
  return { did: 'write', summary: writeCheckpoint(db, seal, path), setBackRows, previousUnusable };
}
