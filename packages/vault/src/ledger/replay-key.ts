/**
 * Idempotency-Key: the first command with a key is decided, every later one is answered as it was.
 * The answer is stored in the tx of the command's own effects, by this one place for every command,
 * so that none can have the one without the other. A refusal changed nothing and is not stored: the
 * same key may try again.
 */
import { LEDGER_CHAIN } from '../audit/action.ts';
import { isRefusal, type Refusal, refuse } from '../errors.ts';
import type { ForgetAnswers, ReplayKey } from './command.ts';
import { type Audit, type Decision, type Effect, NO_EFFECTS, no } from './effect.ts';
import type { AnswersForgotten, Replayed } from './outcome.ts';
import type { LedgerView, RememberedAnswer } from './view.ts';

/** How long a key is remembered. */
export const REPLAY_KEYS_KEPT_MS = 24 * 60 * 60 * 1000;
/** Keys of one agent in that time. More are refused: forgetting one early could pay twice. */
export const AGENT_KEYS_MAX = 10_000;
export const OPERATOR_KEYS_MAX = 100_000;
export const OPERATOR = 'operator';
/** When a full store is worth asking again: keys leave by the minute. */
const FULL_RETRY_SECS = 60;

/** What a decision becomes under a key. `decideNew` is not called where the key is known. */
export function decideOnce<T extends object>(
  view: LedgerView,
  replayKey: ReplayKey,
  decideNew: () => Decision<T>,
): Decision<T> {
  const known = view.rememberedAnswer(replayKey.key);
  if (known !== undefined) {
    return { outcome: rememberedOutcome<T>(known, replayKey), effects: NO_EFFECTS };
  }
  const { principal } = replayKey;
  const max = principal === OPERATOR ? OPERATOR_KEYS_MAX : AGENT_KEYS_MAX;
  if (view.rememberedAnswers(principal) >= max) return no(full(max));
  const decision = decideNew();
  if (isRefusal(decision.outcome) || decision.unkept) return decision;
  return { ...decision, effects: withAnswer(replayKey, decision.outcome, decision.effects) };
}

/** What is answered under a key that is known. */
function rememberedOutcome<T>(
  known: RememberedAnswer,
  { fingerprint }: ReplayKey,
): (T & Replayed) | Refusal {
  if (known.fingerprint !== fingerprint) return conflict();
  return { ...(JSON.parse(known.answer) as T), replayed: true };
}

/** The answer's row, and the same in the facts of the command's last audit row. */
function withAnswer(
  replayKey: ReplayKey,
  outcome: object,
  effects: readonly Effect[],
): readonly Effect[] {
  const answer = JSON.stringify(outcome);
  const remembered = { ...replayKey, answer };
  const remember: Effect = { effect: 'remember_answer', replayKey, answer };
  const last = effects.findLastIndex(({ effect }) => effect === 'audit');
  if (last === -1) {
    // Nothing changed, but the key is taken: the ledger's own chain says so.
    const facts = { remembered };
    return [
      ...effects,
      remember,
      { effect: 'audit', chain: LEDGER_CHAIN, action: 'ANSWER_REMEMBERED', facts },
    ];
  }
  const audit = effects[last] as Audit;
  return [
    remember,
    ...effects.slice(0, last),
    { ...audit, facts: { ...audit.facts, remembered } },
    ...effects.slice(last + 1),
  ];
}

/** Keys past their time, the oldest first. */
export function forgetAnswers(
  view: LedgerView,
  { keptMs, answersMax }: ForgetAnswers,
  now: number,
): Decision<AnswersForgotten> {
  const before = now - keptMs;
  const forgotten = view.answersBefore(before, answersMax);
  return {
    outcome: { forgotten },
    effects: forgotten === 0 ? NO_EFFECTS : [{ effect: 'forget_answers', before, max: forgotten }],
  };
}

const conflict = (): Refusal =>
  refuse(
    'idempotency_conflict',
    'this Idempotency-Key was used for another request; nothing was changed',
  );

const full = (max: number): Refusal =>
  refuse(
    'rate_limited',
    `${max} Idempotency-Keys were used in the last 24 h; nothing was changed`,
    {
      retry_after_secs: FULL_RETRY_SECS,
    },
  );
