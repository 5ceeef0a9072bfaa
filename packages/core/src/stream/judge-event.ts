/**
 * What one event of a provider's stream is: the same judgement before the first byte went to the
 * caller, while a stream is held back, and on its way.
 */
import type { Meter } from './meter.ts';
import type { SseEvent } from './sse.ts';

export type EventVerdict =
  /** Comments, ids, empty data: passes, and is no progress. */
  | { kind: 'empty' }
  | { kind: 'content' | 'other' | 'usage_only' }
  | { kind: 'done' }
  /** Dropping it could corrupt a tool call unseen, so it breaks the stream. */
  | { kind: 'damaged'; message: string }
  | { kind: 'error'; message: string };

/** Meters the event. `[DONE]` may have something behind it; only OpenAI's bytes are this exact. */
export function judgeEvent(event: SseEvent, meter: Meter): EventVerdict {
  if (event.data === null || event.data === '') return { kind: 'empty' };
  if (event.data.startsWith('[DONE]')) return { kind: 'done' };
  const json = parseJson(event.data);
  if (json === undefined) {
    return { kind: 'damaged', message: 'the provider sent an event that is not JSON' };
  }
  const kind = event.event === 'error' ? 'error' : meter.observe(json);
  if (kind !== 'error') return { kind };
  return { kind: 'error', message: meter.error?.message ?? 'the provider sent an error' };
}

export function parseJson(text: string | Buffer): unknown {
  try {
    return JSON.parse(typeof text === 'string' ? text : text.toString('utf8'));
  } catch {
    return undefined;
  }
}
