/**
 * What a core does about the money of its last life, before it takes requests.
 *
 * - Not dispatched: the provider never saw it → release.
 * - Dispatched: the provider bills for it → settle what was metered, at least the estimated input,
 *   at the rates of the dispatch, never more than was held.
 * - Ended but not delivered: the drain loop has it.
 * - Held at the vault under our name but unknown to the journal (the reserve's answer and the
 *   journal row were both lost) → release.
 */
import type { Msat } from '@arbstr/shared';
import { minMsat } from '@arbstr/shared';
import type { JournalEnd, JournalStore, OpenRow, Vault } from '../ports.ts';
import { costOf } from '../pricing/cost.ts';
import type { Deliveries, DeliverLog } from './deliver.ts';

export interface RecoverDeps {
  readonly journal: JournalStore;
  readonly deliveries: Deliveries;
  readonly vault: Vault;
  readonly log: DeliverLog;
  readonly nowMs: () => number;
}

/** The journal's own rows; needs no vault, so it runs before the first request. */
export async function recoverJournal(deps: RecoverDeps): Promise<void> {
  const { journal, deliveries, log } = deps;
  for (const row of journal.undeliveredRows()) deliveries.add(row);
  const open = journal.openRows();
  for (const row of open) {
    const end = endOf(row);
    const endedAtMs = deps.nowMs();
    await journal.end(row.reservationId, end, endedAtMs);
    deliveries.add({ reservationId: row.reservationId, end, endedAtMs, recovered: true });
    log.warn(
      {
        reservation_id: row.reservationId,
        correlation_id: row.correlationId,
        agent_id: row.agentId,
        end: end.kind,
        msats: end.kind === 'settle' ? end.settle.actual_msats : 0,
      },
      'request was cut off by the end of the last process; its money is brought to an end',
    );
  }
}

/** Pure: what a row that a crash left open becomes. */
export function endOf(row: OpenRow): JournalEnd {
  if (!row.dispatched) return { kind: 'release', reason: 'crashed_before_dispatch' };
  const usage = {
    inputTokens: row.estimatedInputTokens,
    cachedInputTokens: 0,
    outputTokens: row.outputTokens,
  };
  const cost: Msat = minMsat(costOf(row.snapshot.rates, usage), row.heldMsat);
  return {
    kind: 'settle',
    settle: {
      reservation_id: row.reservationId,
      actual_msats: cost,
      tokens_in: usage.inputTokens,
      tokens_out: usage.outputTokens,
      provider: row.snapshot.provider,
      provider_cost_msats: minMsat(costOf(row.snapshot.providerRates, usage), cost),
      estimated: true,
      agent_id: row.agentId,
      correlation_id: row.correlationId,
      model: row.snapshot.model,
    },
  };
}

const PAGES_MAX = 1_000;

/**
 * Holds that only the vault knows of. What this process is reserving right now is in `live` before
 * the vault hears of it. Returns false where the vault did not answer: try again later.
 */
export async function releaseOrphans(
  deps: RecoverDeps,
  live: { has(reservationId: string): boolean },
): Promise<boolean> {
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const reply = await deps.vault.heldReservations(cursor);
    if (reply.kind !== 'ok') return false;
    for (const { reservation_id: id } of reply.value.reservations) {
      if (live.has(id) || deps.journal.has(id)) continue;
      deps.log.warn({ reservation_id: id }, 'hold without a journal row is released');
      const released = await deps.vault.release(id, 'unknown_to_journal');
      if (released.kind === 'unreachable') return false;
    }
    cursor = reply.value.next_cursor;
    if (cursor === null) return true;
  }
  return true;
}
