/** What the ledger's process is told to do, and what it found. */

export interface LedgerJob {
  readonly on: 'engine' | 'sqlite';
  /** Commands under way at once. */
  readonly group: number;
  readonly measureMs: number;
}

export interface LedgerFindings {
  readonly perSecond: number;
  /** CPU time of the process per command, µs. */
  readonly cpuUs: number;
  /** From command to durable answer, ms. */
  readonly p50: number;
}
