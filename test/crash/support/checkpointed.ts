/** What core's journal must know of a stream that a crash cuts off. */
import { countTokens } from '../../../packages/core/src/tokens/count.ts';
import type { Answering } from './ask.ts';

/** How far behind a crash may find the journal: CHECKPOINT_MS, or 256 tokens, whichever is less. */
const BEHIND_MS = 1_000;
const BEHIND_TOKENS = 256;
/** From the provider's byte to this process and back. */
const SLACK_MS = 250;

/** Output tokens that must have been in the journal, by what this caller had read when. */
export function checkpointed(client: Answering, atMs: number): number {
  const known = client.progress.filter((point) => point.atMs <= atMs - BEHIND_MS - SLACK_MS).at(-1);
  const byTime = countTokens(client.text.slice(0, known?.chars ?? 0));
  const byCount = countTokens(client.text) - BEHIND_TOKENS;
  return Math.max(0, byTime, byCount);
}
