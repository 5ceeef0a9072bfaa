/** What completions and embeddings read: a text, a list of texts, a list of tokens, or lists of tokens. */
import type { RequestError } from './api-request.ts';
import { invalid, nameOf } from './read-body.ts';

export interface PlainInput {
  readonly texts: readonly string[];
  /** Tokens that were given as tokens. */
  readonly ids: number;
  /** Texts, or lists of tokens; ≥ 1. */
  readonly count: number;
}

/** OpenAI's own limit for embeddings; above what anybody sends to completions. */
export const INPUTS_MAX = 2_048;

const isIds = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id));

/** Never throws. `key`: where it stands, for the message. */
export function readPlainInput(key: string, value: unknown): PlainInput | { error: RequestError } {
  if (typeof value === 'string') return { texts: [value], ids: 0, count: 1 };
  if (isIds(value)) return { texts: [], ids: value.length, count: 1 };
  if (!Array.isArray(value)) {
    return wrong(key, `must be a string or an array, not ${nameOf(value)}.`);
  }
  if (value.length === 0) return wrong(key, 'is empty. Give at least one text.');
  if (value.length > INPUTS_MAX) {
    return wrong(key, `has more than ${INPUTS_MAX} entries. Send them in several requests.`);
  }
  if (value.every((text) => typeof text === 'string')) {
    return { texts: value, ids: 0, count: value.length };
  }
  if (value.every(isIds)) {
    const ids = value.reduce((sum, list) => sum + list.length, 0);
    return { texts: [], ids, count: value.length };
  }
  return wrong(key, 'must hold strings only, or tokens only, or lists of tokens only.');
}

const wrong = (key: string, what: string): { error: RequestError } => ({
  error: invalid(key, `'${key}' ${what}`),
});
