/** The outbox and the episodes as they stand on disk: reads of committed rows. */
import type { Database } from 'better-sqlite3';
import type { EpisodeRow, OutboxRow } from '../ledger/outbox-rows.ts';
import { type Episode, ROWS_MAX, type WebhookState } from './outbox.ts';

export type Undelivered = Pick<OutboxRow, 'event_id' | 'event' | 'body' | 'tries'>;

/** Without what was delivered: that is most of it, and is counted only to be swept. */
export interface OutboxCounts {
  readonly pending: number;
  readonly dead: number;
  /** When the oldest that waits was written, Unix ms; null where none does. */
  readonly oldestPendingAt: number | null;
}

export interface WebhookFilter {
  readonly states: readonly WebhookState[];
  /** Null: every agent's, and those of none. */
  readonly agentNo: number | null;
}

export type OutboxQueries = ReturnType<typeof createOutboxQueries>;

export function createOutboxQueries(db: Database) {
  const fresh = db.prepare<[number], Undelivered>(
    `SELECT event_id, event, body, tries FROM outbox INDEXED BY outbox_fresh
     WHERE state = 'pending' AND tries = 0 ORDER BY id LIMIT ?`,
  );
  const again = db.prepare<[number, number], Undelivered>(
    `SELECT event_id, event, body, tries FROM outbox INDEXED BY outbox_again
     WHERE state = 'pending' AND tries > 0 AND next_at <= ? ORDER BY next_at LIMIT ?`,
  );
  const count = db.prepare<[WebhookState], { n: number }>(
    'SELECT count(*) AS n FROM outbox WHERE state = ?',
  );
  const counted = (state: WebhookState): number => count.get(state)!.n;
  const oldest = db.prepare<[WebhookState], { created_at: number }>(
    'SELECT created_at FROM outbox WHERE state = ? ORDER BY id LIMIT 1',
  );
  const page = db.prepare<
    [{ before: number; agentNo: number | null; state: WebhookState; limit: number }],
    OutboxRow & { agent_id: string | null }
  >(
    `SELECT outbox.*, agents.id AS agent_id FROM outbox LEFT JOIN agents ON agents.no = agent_no
     WHERE state = @state AND outbox.id < @before AND (@agentNo IS NULL OR agent_no = @agentNo)
     ORDER BY outbox.id DESC LIMIT @limit`,
  );
  const episodes = db.prepare<[], EpisodeRow>('SELECT * FROM episodes ORDER BY since, subject');

  return {
    /** Never tried since they were queued, oldest first. */
    fresh: (limit: number): Undelivered[] => fresh.all(limit),
    /** To be tried again by `nowMs`, those that wait longest first. */
    again: (nowMs: number, limit: number): Undelivered[] => again.all(nowMs, limit),
    counts: (): OutboxCounts => ({
      pending: counted('pending'),
      dead: counted('dead'),
      oldestPendingAt: oldest.get('pending')?.created_at ?? null,
    }),
    /** How many of each state are too many. */
    excess(): Readonly<Record<WebhookState, number>> {
      const of = (state: WebhookState): number => Math.max(0, counted(state) - ROWS_MAX[state]);
      return { pending: of('pending'), delivered: of('delivered'), dead: of('dead') };
    },
    /** Newest first. Each state is read by its index: few dead letters stand among many others. */
    page: ({ states, agentNo }: WebhookFilter, before: number, limit: number) =>
      states
        .flatMap((state) => page.all({ before, agentNo, state, limit }))
        .sort((one, other) => other.id - one.id)
        .slice(0, limit),
    episodes: (): Episode[] => episodes.all(),
  };
}
