import { isInWindow, minuteOf, slotOf } from '../../ledger/spend-window.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

/** The spend buckets of one agent, as its charges fill them: a ring of 1,441 minutes. */
export class SpendReplay {
  readonly #buckets = new Map<number, { minute: number; msat: number }>();

  /** @param reservedMs the moment of the reserve, whose minute is charged */
  charge(reservedMs: number, amount: number, atMs: number): void {
    const minute = minuteOf(reservedMs);
    if (amount === 0 || !isInWindow(minute, minuteOf(atMs))) return;
    const bucket = this.#buckets.get(slotOf(minute));
    const msat = bucket?.minute === minute ? bucket.msat + amount : amount;
    this.#buckets.set(slotOf(minute), { minute, msat });
  }

  finish({ lookups, report, totals }: ReplayDeps, agentNo: number, name: string): void {
    totals.spend_buckets += this.#buckets.size;
    const stored = new Map(lookups.buckets(agentNo).map((row) => [row.slot, row]));
    for (const [slot, { minute, msat }] of this.#buckets) {
      compareRow(report, `${name}: spend of minute ${minute}`, { minute, msat }, stored.get(slot));
    }
  }
}
