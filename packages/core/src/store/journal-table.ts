import { msat, type SettleRequest } from '@arbstr/shared';
import type Database from 'better-sqlite3';
import type {
  DispatchSnapshot,
  JournalEnd,
  JournalIntent,
  JournalStore,
  OpenRow,
  UndeliveredRow,
} from '../ports.ts';
import { PRUNE_ROWS_MAX } from './pruning.ts';
import type { Writer } from './writer.ts';

const META_EPOCH = 'ledger_epoch';

interface JournalRow {
  reservation_id: string;
  state: 'intent' | 'dispatched' | 'settle' | 'release';
  agent_id: string;
  correlation_id: string;
  requested_model: string;
  held_msat: number;
  estimated_input_tokens: number;
  output_tokens: number;
  snapshot: string;
  ending: string | null;
  created_at_ms: number;
  ended_at_ms: number | null;
}

/** The journal over SQLite. The caller has checked that this process is the file's one owner. */
export function createJournalTable(
  db: Database.Database,
  writer: Writer,
  newCoreId: () => string,
): JournalStore {
  const insert = db.prepare(`
    insert into journal (reservation_id, state, agent_id, correlation_id, requested_model, held_msat,
      estimated_input_tokens, snapshot, created_at_ms)
    values (?, 'intent', ?, ?, ?, ?, ?, ?, ?)`);
  const setDispatched = db.prepare(
    `update journal set state = 'dispatched', snapshot = ?, estimated_input_tokens = ?
     where reservation_id = ? and state in ('intent', 'dispatched')`,
  );
  const setOutput = db.prepare(
    `update journal set output_tokens = ? where reservation_id = ? and state = 'dispatched'`,
  );
  // An end is final: whoever comes second changes nothing.
  const setEnd = db.prepare(
    `update journal set state = ?, ending = ?, ended_at_ms = ? where reservation_id = ? and state in ('intent', 'dispatched')`,
  );
  const setDelivered = db.prepare(
    `update journal set state = 'delivered', delivered_at_ms = ?, outcome = ? where reservation_id = ?`,
  );
  const selectByState = db.prepare<[string, string], JournalRow>(
    `select * from journal where state <> 'delivered' and state in (?, ?) order by reservation_id`,
  );
  const selectOne = db.prepare('select 1 from journal where reservation_id = ?');
  const deleteOld = db.prepare(
    `delete from journal where reservation_id in
       (select reservation_id from journal where state = 'delivered' and delivered_at_ms < ? limit ${PRUNE_ROWS_MAX})`,
  );

  const selectMeta = db.prepare<[string], { value: string }>(
    'select value from meta where key = ?',
  );
  const upsertMeta = db.prepare(
    'insert into meta (key, value) values (?, ?) on conflict do update set value = excluded.value',
  );
  // An intent that came to nothing was never delivered to anybody.
  const setUndelivered = db.prepare(
    `update journal set state = case outcome when 'settled' then 'settle' else 'release' end,
       delivered_at_ms = null, outcome = null
     where state = 'delivered' and outcome in ('settled', 'released')`,
  );
  const adoptLedger = db.transaction((epoch: string) => {
    if (selectMeta.get(META_EPOCH) !== undefined) setUndelivered.run();
    upsertMeta.run(META_EPOCH, epoch);
  });

  return {
    ledgerEpoch: () => selectMeta.get(META_EPOCH)?.value ?? null,
    adoptLedger(epoch) {
      writer.flush();
      adoptLedger.immediate(epoch);
    },
    coreId: readCoreId(db, newCoreId),
    get trouble() {
      return writer.trouble;
    },
    intend: (intent) =>
      writer.durable(() => {
        insert.run(
          intent.reservationId,
          intent.agentId,
          intent.correlationId,
          intent.requestedModel,
          intent.heldMsat,
          intent.estimatedInputTokens,
          JSON.stringify(intent.snapshot),
          intent.createdAtMs,
        );
      }),
    dispatched(reservationId, snapshot, estimatedInputTokens) {
      writer.lazy(() =>
        setDispatched.run(JSON.stringify(snapshot), estimatedInputTokens, reservationId),
      );
    },
    checkpoint(reservationId, outputTokens) {
      writer.lazy(() => setOutput.run(outputTokens, reservationId));
    },
    end: (reservationId, end, endedAtMs) =>
      writer.lasting(() => {
        setEnd.run(end.kind, encodeEnd(end), endedAtMs, reservationId);
      }),
    delivered(reservationId, atMs, outcome) {
      writer.lazy(() => setDelivered.run(atMs, outcome, reservationId));
    },
    openRows: () => selectByState.all('intent', 'dispatched').map(toOpenRow),
    undeliveredRows: () => selectByState.all('settle', 'release').map(toUndelivered),
    has: (reservationId) => selectOne.get(reservationId) !== undefined,
    prune: (beforeMs) => deleteOld.run(beforeMs).changes === PRUNE_ROWS_MAX,
  };
}

function readCoreId(db: Database.Database, newCoreId: () => string): string {
  db.prepare(`insert into meta (key, value) values ('core_id', ?) on conflict do nothing`).run(
    newCoreId(),
  );
  return (db.prepare(`select value from meta where key = 'core_id'`).get() as { value: string })
    .value;
}

const encodeEnd = (end: JournalEnd): string =>
  end.kind === 'settle' ? JSON.stringify(end.settle) : end.reason;

function toOpenRow(row: JournalRow): OpenRow {
  const intent: JournalIntent = {
    reservationId: row.reservation_id,
    agentId: row.agent_id,
    correlationId: row.correlation_id,
    requestedModel: row.requested_model,
    heldMsat: msat(row.held_msat),
    estimatedInputTokens: row.estimated_input_tokens,
    snapshot: JSON.parse(row.snapshot) as DispatchSnapshot,
    createdAtMs: row.created_at_ms,
  };
  return { ...intent, dispatched: row.state === 'dispatched', outputTokens: row.output_tokens };
}

function toUndelivered(row: JournalRow): UndeliveredRow {
  const ending = row.ending ?? '';
  return {
    reservationId: row.reservation_id,
    end:
      row.state === 'settle'
        ? { kind: 'settle', settle: JSON.parse(ending) as SettleRequest }
        : { kind: 'release', reason: ending },
    endedAtMs: row.ended_at_ms ?? row.created_at_ms,
    recovered: true,
  };
}
