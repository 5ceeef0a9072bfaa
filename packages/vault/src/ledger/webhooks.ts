/** What becomes of outbox rows, and when an alert begins and ends; see `notify/outbox.ts`. */
import { refuse } from '../errors.ts';
import { DEAD_KEPT_MS, DELIVERED_KEPT_MS, TRIED_FOR_MS, type Webhook } from '../notify/outbox.ts';
import type {
  BeginEpisode,
  EndEpisode,
  MarkWebhook,
  ReplayWebhook,
  SweepOutbox,
} from './command.ts';
import { type Decision, NO_EFFECTS, no } from './effect.ts';
import type { EpisodeChanged, OutboxSwept, WebhookMarked } from './outcome.ts';
import type { LedgerView } from './view.ts';

/** pending → delivered | pending | dead. A row that was replayed meanwhile keeps what it got by that. */
export function markWebhook(
  view: LedgerView,
  { eventId, tries, result }: MarkWebhook,
  now: number,
): Decision<WebhookMarked> {
  const known = view.webhook(eventId);
  if (known?.state !== 'pending' || (!result.delivered && known.tries !== tries)) {
    return { outcome: { eventId, webhook: known?.state ?? null }, effects: NO_EFFECTS };
  }
  if (result.delivered) {
    return change({ ...known, state: 'delivered', tries: known.tries + 1, nextAt: null }, now);
  }
  const failed = { ...known, tries: tries + 1, failure: result.reason };
  const nextAt = now + result.waitMs;
  if (nextAt > known.queuedAt + TRIED_FOR_MS) {
    return change({ ...failed, state: 'dead', nextAt: null }, now);
  }
  return change({ ...failed, nextAt }, null);
}

/** Any row, back to the beginning of its tries. */
export function replayWebhook(
  view: LedgerView,
  { eventId }: ReplayWebhook,
  now: number,
): Decision<WebhookMarked> {
  const known = view.webhook(eventId);
  if (known === undefined) {
    return no(refuse('not_found', 'no such event; delivered ones are kept for 7 days'));
  }
  return change({ ...known, state: 'pending', tries: 0, queuedAt: now, nextAt: now }, null);
}

export const sweepOutbox = ({ excess }: SweepOutbox, now: number): Decision<OutboxSwept> => ({
  outcome: { swept: true },
  effects: [
    {
      effect: 'sweep_outbox',
      excess,
      deliveredBefore: now - DELIVERED_KEPT_MS,
      deadBefore: now - DEAD_KEPT_MS,
    },
  ],
});

/** Told once, however often it is noticed, restarts or not. */
export function beginEpisode(
  view: LedgerView,
  { alert, subject, reason, draft }: BeginEpisode,
  now: number,
): Decision<EpisodeChanged> {
  if (view.episode(alert, subject) !== undefined) return unchanged();
  return {
    outcome: { changed: true },
    effects: [
      { effect: 'begin_episode', episode: { alert, subject, reason, since: now } },
      { effect: 'notify', draft },
    ],
  };
}

export function endEpisode(
  view: LedgerView,
  { alert, subject, draft }: EndEpisode,
): Decision<EpisodeChanged> {
  if (view.episode(alert, subject) === undefined) return unchanged();
  return {
    outcome: { changed: true },
    effects: [
      { effect: 'end_episode', alert, subject },
      ...(draft === null ? [] : [{ effect: 'notify' as const, draft }]),
    ],
  };
}

const change = (webhook: Webhook, endedAt: number | null): Decision<WebhookMarked> => {
  const changed = { ...webhook, endedAt };
  return {
    outcome: { eventId: webhook.eventId, webhook: webhook.state },
    effects: [{ effect: 'change_webhook', webhook: changed }],
  };
};

const unchanged = (): Decision<EpisodeChanged> => ({
  outcome: { changed: false },
  effects: NO_EFFECTS,
});
