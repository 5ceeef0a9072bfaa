/** What the ledger's engine did since the start, as Prometheus reads it. */
import { Counter, Histogram } from 'prom-client';
import type { LedgerMeter } from '../ledger/engine.ts';

/** Powers of two up to what one transaction holds. */
const BATCH_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/** From a disk that only says it has written to one that is about to fail. */
const COMMIT_SECONDS_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];

export interface LedgerMetrics extends LedgerMeter {
  /** For a registry. */
  readonly metrics: readonly (Counter<string> | Histogram<string>)[];
}

export function createLedgerMetrics(): LedgerMetrics {
  /** Plain numbers, because a labelled counter costs a command more than its decision does. */
  const counts = new Map<string, Map<string, number>>();
  const commands = new Counter({
    name: 'arbstr_vault_commands_total',
    help: 'Commands by kind and outcome: ok, or the code of the refusal',
    labelNames: ['kind', 'outcome'],
    registers: [],
    collect() {
      this.reset();
      for (const [kind, outcomes] of counts) {
        for (const [outcome, count] of outcomes) this.inc({ kind, outcome }, count);
      }
    },
  });
  const batches = new Histogram({
    name: 'arbstr_vault_batch_commands',
    help: 'Commands that shared one commit',
    buckets: BATCH_BUCKETS,
    registers: [],
  });
  const commits = new Histogram({
    name: 'arbstr_vault_commit_seconds',
    help: 'How long a commit took, with its sync of the disk',
    buckets: COMMIT_SECONDS_BUCKETS,
    registers: [],
  });
  return {
    metrics: [commands, batches, commits],
    nowMs: () => performance.now(),
    answered(kind, outcome) {
      const outcomes = counts.get(kind);
      if (outcomes === undefined) counts.set(kind, new Map([[outcome, 1]]));
      else outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    },
    committed(commandCount, tookMs) {
      batches.observe(commandCount);
      commits.observe(tookMs / 1000);
    },
  };
}
