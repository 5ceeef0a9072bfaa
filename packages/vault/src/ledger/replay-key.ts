import { refuse } from '../errors.ts';
import type { ReplayKey } from './command.ts';
import { type Decision, type Effect, NO_EFFECTS } from './effect.ts';
import type { LedgerView } from './view.ts';

/** How long an operator's Idempotency-Key is remembered. */
export const REPLAY_KEYS_KEPT_MS = 24 * 60 * 60 * 1000;

/** The earlier answer to this key, a conflict, or null where the command is new. */
export function replayOf<T extends object>(
  view: LedgerView,
  replayKey: ReplayKey | undefined,
): Decision<T> | null {
  if (replayKey === undefined) return null;
  const known = view.rememberedAnswer(replayKey.key);
  if (known === undefined) return null;
  if (known.fingerprint !== replayKey.fingerprint) {
    return {
      outcome: refuse(
        'idempotency_conflict',
        'this Idempotency-Key was used for another request; nothing was changed',
      ),
      effects: NO_EFFECTS,
    };
  }
  return { outcome: JSON.parse(known.answer) as T, effects: NO_EFFECTS };
}

/** What makes the answer replayable: its row, and the same in the facts of the audit row. */
export function remember(
  replayKey: ReplayKey | undefined,
  answer: object,
): { effects: Effect[]; facts: { remembered?: object } } {
  if (replayKey === undefined) return { effects: [], facts: {} };
  const text = JSON.stringify(answer);
  return {
    effects: [{ effect: 'remember_answer', replayKey, answer: text }],
    facts: { remembered: { ...replayKey, answer: text } },
  };
}
