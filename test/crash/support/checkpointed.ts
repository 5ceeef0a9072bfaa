/** What core's journal must know of a stream that a crash cuts off. */
import { countTokens } from '../../../packages/core/src/tokens/count.ts';
import type { Answering } from './ask.ts';

/** How far behind a crash may find the journal: CHECKPOINT_MS, or 256 tokens, whichever is less. */
const BEHIND_MS = 1_000;
const BEHIND_TOKENS = 256;
/** For which a process may stand still that has the machine almost to itself. */
const SLACK_MS = 500;

/** Output tokens that must have been in the journal, by what this caller had read when. */
export function checkpointed(client: Answering, atMs: number, slackMs = SLACK_MS): number {
  const untilMs = atMs - BEHIND_MS - slackMs;
  const known = client.progress.filter((point) => point.atMs <= untilMs).at(-1);
  const byTime = countTokens(client.text.slice(0, known?.chars ?? 0));
  const byCount = countTokens(client.text) - BEHIND_TOKENS;
  return Math.max(0, byTime, byCount);
}
