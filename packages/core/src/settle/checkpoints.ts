/**
 * Keeps the journal's picture of live streams fresh, so that a crash bills what was delivered: at
 * most CHECKPOINT_MS or CHECKPOINT_CHARS of text behind.
 */
import type { Hold } from '../reserve/hold.ts';
import type { Meter } from '../stream/meter.ts';
import { estimateTokens } from '../tokens/estimate.ts';

export const CHECKPOINT_MS = 1_000;
/** No script needs fewer characters than this for as many tokens, so none falls further behind. */
const CHECKPOINT_CHARS = 256;

export interface Checkpoints {
  /** Follows a stream until `end`. */
  follow(hold: Hold): { progress(meter: Meter): void; end(): void };
  stop(): void;
}

export function createCheckpoints(): Checkpoints {
  const followed = new Set<() => void>();
  const timer = setInterval(() => {
    for (const write of followed) write();
  }, CHECKPOINT_MS);
  timer.unref();

  return {
    follow(hold) {
      const count = createRunningCount();
      let latest: Meter | null = null;
      let writtenChars = 0;
      const write = () => {
        if (latest === null || latest.textLength === writtenChars) return;
        writtenChars = latest.textLength;
        hold.metered(count(latest));
      };
      followed.add(write);
      return {
        progress(meter) {
          latest = meter;
          if (meter.textLength - writtenChars >= CHECKPOINT_CHARS) write();
        },
        end() {
          followed.delete(write);
        },
      };
    },
    stop: () => clearInterval(timer),
  };
}

/**
 * Tokens delivered so far. The text is only read again when it has doubled: in between, the tokens
 * per character found then are good enough, and a long stream costs linear time in all.
 */
function createRunningCount(): (meter: Meter) => number {
  let tokensPerChar = 0;
  let readAtChars = 0;
  return (meter) => {
    if (meter.textLength >= 2 * readAtChars) {
      const text = meter.text();
      readAtChars = meter.textLength;
      tokensPerChar = text.length === 0 ? 0 : estimateTokens(text) / text.length;
    }
    return Math.ceil(meter.textLength * tokensPerChar);
  };
}
