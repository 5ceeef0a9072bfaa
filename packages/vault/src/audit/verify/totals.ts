/** How many rows the audit trail accounts for, in each table; any more were put in by somebody. */
import type { Lookups } from './lookups.ts';
import type { Report } from './report.ts';

export interface Totals {
  clock: number;
  agents: number;
  agent_tokens: number;
  treasury: number;
  policy_versions: number;
  accounts: number;
  transfers: number;
  reservations: number;
  balance_alerts: number;
  deposits: number;
  sellers: number;
  payouts: number;
  payments: number;
  approvals: number;
  rails: number;
  grants: number;
  spend_buckets: number;
  idempotency_keys: number;
  audit_heads: number;
}

export function checkTotals(lookups: Lookups, totals: Totals, report: Report): void {
  for (const [table, expected] of Object.entries(totals)) {
    const actual = lookups.count(table);
    if (actual !== expected) {
      report.add(`${table}: ${actual} rows, the audit trail accounts for ${expected}`);
    }
  }
}
