/** The outbox and the episodes as SQLite keeps them, and the SQL that writes them. */
import { hash } from 'node:crypto';
import { idFromBytes } from '@arbstr/shared';
import type { Database } from 'better-sqlite3';
import {
  type Alert,
  type EventDraft,
  NO_AGENT,
  SWEEP_ROWS_MAX,
  type Webhook,
  type WebhookState,
} from '../notify/outbox.ts';
import { changedOne } from './changed-one.ts';
import type { OutboxEffect } from './effect.ts';
import type { Statements } from './statements.ts';
import type { LedgerView } from './view.ts';

export interface OutboxRow {
  id: number;
  event_id: string;
  agent_no: number;
  seq: number;
  event: string;
  body: string;
  created_at: number;
  state: WebhookState;
  tries: number;
  queued_at: number;
  next_at: number | null;
  ended_at: number | null;
  failure: string | null;
}

export interface EpisodeRow {
  alert: Alert;
  subject: string;
  reason: string;
  since: number;
}

export function prepareOutboxStatements(db: Database) {
  return {
    nextSeq: db.prepare<[number], { seq: number }>(
      `INSERT INTO outbox_heads (agent_no, seq) VALUES (?, 1)
       ON CONFLICT DO UPDATE SET seq = seq + 1 RETURNING seq`,
    ),
    insertEvent: db.prepare<[string, number, number, string, string, number, number, number]>(
      `INSERT INTO outbox
         (event_id, agent_no, seq, event, body, created_at, state, tries, queued_at, next_at)
       VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?)`,
    ),
    selectWebhook: db.prepare<[string], OutboxRow>('SELECT * FROM outbox WHERE event_id = ?'),
    changeWebhook: db.prepare<[Webhook]>(
      `UPDATE outbox SET state = @state, tries = @tries, queued_at = @queuedAt, next_at = @nextAt,
         ended_at = @endedAt, failure = @failure
       WHERE event_id = @eventId`,
    ),
    buryOldest: db.prepare<{ now: number; failure: string; rows: number }>(
      `UPDATE outbox SET state = 'dead', next_at = NULL, ended_at = @now, failure = @failure
       WHERE id IN (SELECT id FROM outbox WHERE state = 'pending' ORDER BY id LIMIT @rows)`,
    ),
    removeOldest: db.prepare<{ state: WebhookState; rows: number }>(
      `DELETE FROM outbox
       WHERE id IN (SELECT id FROM outbox WHERE state = @state ORDER BY id LIMIT @rows)`,
    ),
    removeBefore: db.prepare<{ state: WebhookState; before: number }>(
      `DELETE FROM outbox WHERE id IN
         (SELECT id FROM
           (SELECT id, ended_at FROM outbox WHERE state = @state ORDER BY id LIMIT ${SWEEP_ROWS_MAX})
          WHERE ended_at < @before)`,
    ),
    selectEpisode: db.prepare<[string, string], EpisodeRow>(
      'SELECT * FROM episodes WHERE alert = ? AND subject = ?',
    ),
    insertEpisode: db.prepare<[EpisodeRow]>(
      `INSERT INTO episodes (alert, subject, reason, since)
       VALUES (@alert, @subject, @reason, @since)`,
    ),
    deleteEpisode: db.prepare<[string, string]>(
      'DELETE FROM episodes WHERE alert = ? AND subject = ?',
    ),
  };
}

export const webhookOf = (row: OutboxRow): Webhook => ({
  eventId: row.event_id,
  state: row.state,
  tries: row.tries,
  queuedAt: row.queued_at,
  nextAt: row.next_at,
  endedAt: row.ended_at,
  failure: row.failure,
});

/** Numbers the event and writes down the bytes that will be sent. */
export function insertEvent(
  sql: Statements,
  view: LedgerView,
  { event, agentNo, fields }: EventDraft,
  now: number,
): void {
  const { seq } = sql.nextSeq.get(agentNo)!;
  const eventId = eventIdOf(view.epoch, agentNo, seq, now);
  const body = JSON.stringify({
    event_id: eventId,
    event,
    agent_id: agentNo === NO_AGENT ? null : view.agent(agentNo).id,
    sequence: seq,
    ledger_epoch: view.epoch,
    timestamp: now,
    ...fields,
  });
  sql.insertEvent.run(eventId, agentNo, seq, event, body, now, now, now);
}

/**
 * Made of what it names and not of chance, so that the ledger stays a function of its commands. The
 * epoch is part of it: a restored ledger counts on from its backup and says other things.
 */
function eventIdOf(epoch: string, agentNo: number, seq: number, now: number): string {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(now));
  const rest = hash('sha256', `${epoch} ${agentNo} ${seq}`, 'buffer').subarray(0, 10);
  return idFromBytes('event', Buffer.concat([time.subarray(2), rest]));
}

export function applyOutboxEffect(sql: Statements, effect: OutboxEffect, now: number): void {
  switch (effect.effect) {
    case 'change_webhook':
      changedOne(sql.changeWebhook.run(effect.webhook));
      return;
    case 'sweep_outbox': {
      const { excess, deliveredBefore, deadBefore } = effect;
      const rows = (count: number) => Math.min(count, SWEEP_ROWS_MAX);
      const failure = 'too many events wait; the oldest were given up';
      sql.buryOldest.run({ now, failure, rows: rows(excess.pending) });
      sql.removeOldest.run({ state: 'delivered', rows: rows(excess.delivered) });
      sql.removeOldest.run({ state: 'dead', rows: rows(excess.dead) });
      sql.removeBefore.run({ state: 'delivered', before: deliveredBefore });
      sql.removeBefore.run({ state: 'dead', before: deadBefore });
      return;
    }
    case 'begin_episode':
      sql.insertEpisode.run(effect.episode);
      return;
    case 'end_episode':
      changedOne(sql.deleteEpisode.run(effect.alert, effect.subject));
      return;
  }
}
