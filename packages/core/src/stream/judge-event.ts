/**
 * What one event of a provider's stream is: the same judgement before the first byte went to the
 * caller, while a stream is held back, and on its way.
 */
import { parseBounded } from '../openai/bounded-json.ts';
import { readErrorValue } from '../openai/error-body.ts';
import type { Meter } from './meter.ts';
import type { SseEvent } from './sse.ts';

export type EventVerdict =
  /** Comments, ids, empty data: passes, and is no progress. */
  | { kind: 'empty' }
  | { kind: 'content' | 'other' | 'usage_only'; json: unknown }
  /** The answer is whole, and this is its end mark. */
  | { kind: 'done' }
  /** Dropping it could corrupt a tool call unseen, so it breaks the stream. */
  | { kind: 'damaged'; message: string }
  | { kind: 'error'; message: string };

/** Meters the event. `[DONE]` may have something behind it; only OpenAI's bytes are this exact. */
export function judgeEvent(event: SseEvent, meter: Meter): EventVerdict {
  if (event.data === null || event.data === '') return { kind: 'empty' };
  if (event.data.startsWith('[DONE]')) {
    if (meter.endsWithDone) return { kind: 'done' };
    return { kind: 'damaged', message: 'the provider did not say how its answer ended' };
  }
  const json = parseJson(event.data);
  if (json === undefined) {
    return { kind: 'damaged', message: 'the provider sent an event that is not JSON' };
  }
  const kind = meter.observe(json);
  if (event.event === 'error' || kind === 'error') {
    return { kind: 'error', message: (meter.error ?? readErrorValue(json)).message };
  }
  return kind === 'end' ? { kind: 'done' } : { kind, json };
}

/**
 * Lists, objects and strings in what a provider sends at once. JSON.parse makes an object of each:
 * 64 MB of `{}` would stop all requests for seconds and take gigabytes. Four thousand tokens with
 * twenty logprobs each have half a million.
 */
const PARTS_MAX = 2_000_000;

/** undefined = it is no JSON, or too much of it. */
export function parseJson(text: string | Buffer): unknown {
  const parsed = parseBounded(text, { containers: PARTS_MAX, parts: PARTS_MAX });
  return 'value' in parsed ? parsed.value : undefined;
}
