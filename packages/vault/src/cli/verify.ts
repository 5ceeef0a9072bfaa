/** `verify`: are the books, the audit trail and every row that depends on them as they were written? */
import { existsSync } from 'node:fs';
import { createSeal } from '../audit/seal.ts';
import type { Report } from '../audit/verify/report.ts';
import { verifyLedger } from '../audit/verify/verify.ts';
import { loadDatabaseConfig } from '../config/config.ts';
import { openReader } from '../db/open.ts';
import { StartError } from '../errors.ts';

export function verify(args: readonly string[], environment: NodeJS.ProcessEnv): number {
  const { databasePath, auditKey } = loadDatabaseConfig(environment);
  if (!existsSync(databasePath)) {
    throw new StartError(`no database at ${databasePath}: set DATABASE_PATH`);
  }
  const db = openReader(databasePath);
  try {
    const report = verifyLedger(db, createSeal(auditKey));
    process.stdout.write(args.includes('--json') ? asJson(report) : asText(report, databasePath));
    return report.total === 0 ? 0 : 1;
  } finally {
    db.close();
  }
}

function asJson(report: Report): string {
  const { findings, total, counts } = report;
  return `${JSON.stringify({ ok: total === 0, findings, findings_total: total, ...counts })}\n`;
}

function asText({ findings, total, counts }: Report, path: string): string {
  const checked = `${counts.agents} agents, ${counts.reservations} reservations, ${counts.transfers} transfers, ${counts.auditRows} audit rows`;
  if (total === 0)
    return `ok: ${path}: the books balance and the audit trail is whole (${checked})\n`;
  const more = total > findings.length ? [`… and ${total - findings.length} more`] : [];
  const lines = [...findings, ...more].map((finding) => `  ${finding}`);
  return `${path}: ${total} findings (${checked})\n${lines.join('\n')}\n`;
}
