/** `verify`: are the books, the audit trail and every row that depends on them as they were written? */
import { existsSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { createSeal } from '../audit/seal.ts';
import type { ComparedCheckpoint, Report } from '../audit/verify/report.ts';
import { verifyLedger } from '../audit/verify/verify.ts';
import { loadDatabaseConfig } from '../config/config.ts';
import { openReader } from '../db/open.ts';
import { StartError } from '../errors.ts';
import { FLAG, operands, parseOptions } from './options.ts';
import { harmless } from './print.ts';

/** Exit 0: as it was written; 1: it is not; 3: nothing is wrong, but a restore came in between. */
const SET_BACK = 3;

export function verify(args: readonly string[], environment: NodeJS.ProcessEnv): number {
  const { values, positionals } = parseOptions(args, {
    json: FLAG,
    checkpoint: { type: 'string', multiple: true, default: [] },
  });
  operands(positionals, []);
  const { json, checkpoint } = values;
  const { databasePath, auditKey } = loadDatabaseConfig(environment);
  const db = openDatabase(databasePath);
  try {
    const report = verifyLedger(db, createSeal(auditKey), checkpoint);
    process.stdout.write(json ? asJson(report) : asText(report, databasePath));
    if (report.total > 0) return 1;
    return report.checkpoints.some(({ setBackRows }) => setBackRows > 0) ? SET_BACK : 0;
  } finally {
    db.close();
  }
}

export function openDatabase(path: string): Database {
  if (!existsSync(path)) throw new StartError(`no database at ${path}: set DATABASE_PATH`);
  return openReader(path);
}

function asJson({ findings: found, total, counts, checkpoints }: Report): string {
  const compared = checkpoints.map(({ path, at, auditRows, setBackRows, findings }) => ({
    path,
    at,
    audit_rows: auditRows,
    set_back_rows: setBackRows,
    findings,
  }));
  return `${JSON.stringify({ ok: total === 0, findings: found, findings_total: total, ...counts, checkpoints: compared })}\n`;
}

function asText(report: Report, path: string): string {
  const { findings, total, counts } = report;
  const checked = `${counts.agents} agents, ${counts.reservations} reservations, ${counts.transfers} transfers, ${counts.auditRows} audit rows`;
  const compared = report.checkpoints.map((each) => `${checkpointLine(each)}\n`).join('');
  if (total === 0)
    return `ok: ${path}: the books balance and the audit trail is whole (${checked})\n${compared}`;
  const more = total > findings.length ? [`… and ${total - findings.length} more`] : [];
  const lines = [...findings, ...more].map((finding) => `  ${harmless(finding)}`);
  return `${path}: ${total} findings (${checked})\n${lines.join('\n')}\n${compared}`;
}

function checkpointLine(compared: ComparedCheckpoint): string {
  const { path, at, auditRows, setBackRows, findings } = compared;
  const taken = `${path} of ${new Date(at).toISOString()}`;
  if (setBackRows > 0) {
    return `restored: this vault was restored from a backup that is older than the checkpoint ${taken}: the last ${setBackRows} of its ${auditRows} audit rows are not here, and were not compared. A restore does that. If nobody restored it, somebody has set it back. Take a new checkpoint`;
  }
  return `${findings === 0 ? 'contains' : 'does not contain'} the checkpoint ${taken} (${auditRows} audit rows)`;
}
