/** What `verify` found. Bounded: a ledger that is wrong everywhere must not fill memory. */

/** Findings kept; more are counted only. */
const FINDINGS_MAX = 100;

export interface Counts {
  agents: number;
  auditRows: number;
  transfers: number;
  reservations: number;
}

/** How a ledger stands to one checkpoint that could be compared with it. */
export interface ComparedCheckpoint {
  readonly path: string;
  /** The ledger's time at the checkpoint, Unix ms. */
  readonly at: number;
  readonly auditRows: number;
  /** Rows of the checkpoint that a restore has left behind; their content cannot be compared. */
  readonly setBackRows: number;
  /** How many of the report's come from it; of several checkpoints the oldest with some tells when. */
  readonly findings: number;
}

export class Report {
  readonly findings: string[] = [];
  readonly counts: Counts = { agents: 0, auditRows: 0, transfers: 0, reservations: 0 };
  /** Whatever came of it: differences are findings. */
  readonly checkpoints: ComparedCheckpoint[] = [];
  total = 0;

  add(finding: string): void {
    this.total++;
    if (this.findings.length < FINDINGS_MAX) this.findings.push(finding);
  }

  addAll({ findings, total }: Report): void {
    this.total += total;
    this.findings.push(...findings.slice(0, FINDINGS_MAX - this.findings.length));
  }
}

type Cell = string | number | null;

/** Names the columns in which a stored row differs from what the audit trail says. */
export function compareRow(
  report: Report,
  what: string,
  expected: Readonly<Record<string, Cell>>,
  actual: Readonly<Record<string, unknown>> | undefined,
): void {
  if (actual === undefined) {
    report.add(`${what}: the row is missing`);
    return;
  }
  for (const [column, value] of Object.entries(expected)) {
    if (actual[column] !== value) {
      report.add(
        `${what}: ${column} is ${show(actual[column])}, the audit trail says ${show(value)}`,
      );
    }
  }
}

const show = (value: unknown): string => (value === null ? 'null' : String(value));
