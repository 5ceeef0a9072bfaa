import type Database from 'better-sqlite3';
import type { ClaimRow, ClaimStore, KeptAnswer } from '../ports.ts';
import { PRUNE_ROWS_MAX } from './pruning.ts';
import type { Writer } from './writer.ts';

/** Bytes of all kept answers; beyond it the oldest are dropped, and their replays say so. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024;

interface Row {
  body_hash: string;
  cost_msat: number;
  facts: string | null;
  answer: Buffer | null;
  created_at_ms: number;
  expires_at_ms: number;
}

export function createClaimTable(db: Database.Database, writer: Writer): ClaimStore {
  const select = db.prepare<[string, string, number], Row>(
    'select * from claims where owner = ? and name = ? and expires_at_ms > ?',
  );
  // A row that has expired but is not removed yet makes room for the new one.
  const upsert = db.prepare(`
    insert or replace into claims
      (owner, name, body_hash, cost_msat, facts, answer, answer_bytes, created_at_ms, expires_at_ms)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const removeExpired = db.prepare(
    `delete from claims where rowid in
       (select rowid from claims where expires_at_ms <= ? limit ${PRUNE_ROWS_MAX})`,
  );
  const bytesKept = db
    .prepare<[], number>('select coalesce(sum(answer_bytes), 0) from claims where answer_bytes > 0')
    .pluck();
  const dropOldest = db.prepare(
    `update claims set answer = null, facts = null, answer_bytes = 0 where rowid in
       (select rowid from claims where answer_bytes > 0 order by expires_at_ms limit ${PRUNE_ROWS_MAX})`,
  );

  return {
    find(owner, name, nowMs) {
      // What was kept a moment ago may still wait for its commit.
      writer.flush();
      const row = select.get(owner, name, nowMs);
      return row && claimOf(owner, name, row);
    },
    keep: ({ answer, ...row }) =>
      writer.lasting(() => {
        const { bytes, ...facts } = answer ?? { bytes: null };
        upsert.run(
          row.owner,
          row.name,
          row.bodyHash,
          row.costMsat,
          answer === null ? null : JSON.stringify(facts),
          bytes,
          bytes?.length ?? 0,
          row.createdAtMs,
          row.expiresAtMs,
        );
      }),
    prune(nowMs) {
      const removed = removeExpired.run(nowMs).changes;
      const tooMuch = (bytesKept.get() ?? 0) > ANSWER_BYTES_MAX;
      if (tooMuch) dropOldest.run();
      return tooMuch || removed === PRUNE_ROWS_MAX;
    },
  };
}

function claimOf(owner: string, name: string, row: Row): ClaimRow {
  const facts = row.facts === null ? null : (JSON.parse(row.facts) as Omit<KeptAnswer, 'bytes'>);
  return {
    owner,
    name,
    bodyHash: row.body_hash,
    costMsat: row.cost_msat,
    answer: facts === null || row.answer === null ? null : { ...facts, bytes: row.answer },
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
  };
}
