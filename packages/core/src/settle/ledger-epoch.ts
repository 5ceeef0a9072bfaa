/**
 * A vault that was restored from a backup has another ledger epoch, and may not know of what it was
 * given since: everything that is kept is delivered again. What it does know it answers as before;
 * a settle that it does not know carries agent and amount, and is booked as late.
 */
import type { JournalStore, Vault } from '../ports.ts';
import type { Deliveries } from './deliver.ts';

export interface EpochDeps {
  readonly vault: Vault;
  readonly journal: JournalStore;
  readonly deliveries: Deliveries;
  readonly log: { warn(fields: object, message: string): void };
}

/** Asks the vault which ledger it has. Nothing where it does not say. */
export async function followLedger({ vault, journal, deliveries, log }: EpochDeps): Promise<void> {
  const { ledgerEpoch } = await vault.health();
  const before = journal.ledgerEpoch();
  if (ledgerEpoch === null || ledgerEpoch === before) return;
  const pending = new Set(journal.undeliveredRows().map(({ reservationId }) => reservationId));
  journal.adoptLedger(ledgerEpoch);
  if (before === null) return;
  const rows = journal.undeliveredRows().filter(({ reservationId }) => !pending.has(reservationId));
  log.warn(
    { ledger_epoch: ledgerEpoch, before, rows: rows.length },
    'the vault has another ledger: it was restored from a backup; everything that it was given in the last days is delivered again',
  );
  for (const row of rows) deliveries.add(row);
}
