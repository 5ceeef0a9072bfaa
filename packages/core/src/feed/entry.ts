/** Entries of a seller's list: objects of unknown content. */
import { TOKENS_MAX } from '../config/types.ts';
import type { FeedModel } from './feed.ts';

/** What an entry says, but for its names, which are judged in one place for all kinds. */
export type EntryReading = Omit<FeedModel, 'id' | 'aliases'> & {
  readonly aliases: readonly unknown[];
};

/** A number of tokens, or null for whatever is none. */
export function tokensOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= TOKENS_MAX
    ? value
    : null;
}
