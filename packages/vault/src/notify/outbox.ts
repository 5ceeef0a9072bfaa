/**
 * An outbox row: one event on its way to the operator's webhook.
 *
 *   (a change of the ledger) ▶ pending ─┬─▶ delivered   the receiver said 2xx
 *                                 ▲     └─▶ dead        tried for 72 h, or too many wait
 *                                 └── replay ──┴─ from either
 *
 * A row is written in the tx of the change that it tells of, and only where a webhook is configured.
 * What it says never changes; delivered and dead rows are kept for a while, then removed.
 */

export const WEBHOOK_STATES = ['pending', 'delivered', 'dead'] as const;
export type WebhookState = (typeof WEBHOOK_STATES)[number];

export const ALERTS = ['rail_degraded', 'item_stuck', 'webhook_undelivered'] as const;
export type Alert = (typeof ALERTS)[number];

export const WEBHOOK_EVENTS = [
  'approval_required',
  'approval_granted',
  'approval_denied',
  'approval_timeout',
  'withdrawal_requested',
  'balance_alert',
  'deposit_settled',
  'payment_settled',
  'payment_failed',
  'payout_approval_required',
  'payout_settled',
  'payout_failed',
  ...ALERTS,
  'rail_recovered',
] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** An event before it has its id, its number and its time. */
export interface EventDraft {
  readonly event: WebhookEvent;
  /** 0: of no agent. */
  readonly agentNo: number;
  /** Ids and amounts, named as on the wire. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What of a row changes. */
export interface Webhook {
  readonly eventId: string;
  readonly state: WebhookState;
  /** Since it was queued. */
  readonly tries: number;
  /** When it was written, or replayed. */
  readonly queuedAt: number;
  /** Of the next try; null where there is none. */
  readonly nextAt: number | null;
  readonly endedAt: number | null;
  /** Of the last try that failed. */
  readonly failure: string | null;
}

/** A condition that the operator was told of, until it is over. */
export interface Episode {
  readonly alert: Alert;
  /** What it is about: a rail, or the id of what is stuck. */
  readonly subject: string;
  readonly reason: string;
  readonly since: number;
}

const DAY_MS = 24 * 60 * 60 * 1_000;

/** A receiver that is down over a long weekend loses nothing. */
export const TRIED_FOR_MS = 3 * DAY_MS;
/** So that a receiver that has lost something can be given it again. */
export const DELIVERED_KEPT_MS = 7 * DAY_MS;
/** An operator who has not replayed it by then does not want it. */
export const DEAD_KEPT_MS = 30 * DAY_MS;

/**
 * Rows of a state at most, whatever agents do: some 100 MB in all. Of too many that wait, the oldest
 * become dead letters; of too many that have ended, the oldest are removed.
 */
export const ROWS_MAX: Readonly<Record<WebhookState, number>> = {
  pending: 100_000,
  delivered: 100_000,
  dead: 10_000,
};

/** Oldest rows looked at, or removed, in one tx: bounds how long it takes. */
export const SWEEP_ROWS_MAX = 1_000;

export const NO_AGENT = 0;
