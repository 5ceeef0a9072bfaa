/** Opens the ledger in a database file, or begins a new one. */
import type { Database } from 'better-sqlite3';
import { LEDGER_CHAIN, LEDGER_CHAIN_NAME } from '../audit/action.ts';
import type { Seal } from '../audit/seal.ts';
import { StartError } from '../errors.ts';
import { META_AUDIT_KEY_ID, META_EPOCH } from './meta.ts';
import { restoredSellers } from './sellers.ts';
import { prepareStatements } from './statements.ts';
import { LedgerStore } from './store.ts';

export interface OpenLedger {
  readonly store: LedgerStore;
  readonly epoch: string;
}

/**
 * @param newEpoch used only where the database is new
 * @param tells whether there is somebody to write outbox rows for
 */
export function openLedger(
  db: Database,
  seal: Seal,
  newEpoch: string,
  nowMs: number,
  tells = false,
): OpenLedger {
  const sql = prepareStatements(db);
  if (!sql.selectMeta.get(META_EPOCH)) beginLedger(db, sql, seal, newEpoch, nowMs);
  const epoch = sql.selectMeta.get(META_EPOCH)!.value;
  const keyId = sql.selectMeta.get(META_AUDIT_KEY_ID)?.value;
  if (keyId !== seal.keyId) {
    throw new StartError(
      keyId === 'none'
        ? 'AUDIT_KEY is set, but this ledger was begun without one: unset it'
        : 'this ledger was begun with another AUDIT_KEY: set that one',
    );
  }
  return { store: new LedgerStore(db, seal, epoch, tells), epoch };
}

function beginLedger(
  db: Database,
  sql: ReturnType<typeof prepareStatements>,
  seal: Seal,
  epoch: string,
  nowMs: number,
): void {
  const facts = JSON.stringify({ ledger_epoch: epoch, audit_key_id: seal.keyId });
  const row = seal.row('', LEDGER_CHAIN_NAME, 1, nowMs, 'LEDGER_CREATED', facts);
  sql.begin.run();
  try {
    sql.insertMeta.run(META_EPOCH, epoch);
    sql.insertMeta.run(META_AUDIT_KEY_ID, seal.keyId);
    sql.insertAudit.run(LEDGER_CHAIN, 1, nowMs, 'LEDGER_CREATED', facts, row);
    sql.upsertHead.run(LEDGER_CHAIN, 1, row);
    sql.upsertClock.run(nowMs, seal.clock(nowMs));
    sql.commit.run();
  } catch (error) {
    if (db.inTransaction) sql.rollback.run();
    throw error;
  }
}

/** Begins a new epoch of a ledger that comes from a backup, in recovery mode; in one transaction. */
export function beginRecovery(db: Database, seal: Seal, newEpoch: string, nowMs: number): void {
  const { store, epoch } = openLedger(db, seal, newEpoch, nowMs);
  const now = Math.max(nowMs, store.ledgerMs);
  store.begin();
  try {
    store.apply(
      [
        { effect: 'begin_recovery', epoch: newEpoch },
        {
          effect: 'audit',
          chain: LEDGER_CHAIN,
          action: 'LEDGER_RESTORED',
          facts: { ledger_epoch: newEpoch, previous_epoch: epoch, backup_of: store.ledgerMs },
        },
        ...restoredSellers(store.view, newEpoch, now),
      ],
      now,
    );
    store.commit(now);
  } catch (error) {
    store.abandon();
    throw error;
  }
}
