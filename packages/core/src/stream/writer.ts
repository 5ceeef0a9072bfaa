/** What the caller sees of a stream, in the words of the endpoint that it asked. */
import type { Broken, Relayed } from './relay.ts';
import type { SseEvent } from './sse.ts';
import type { Bill } from './trailer.ts';

export interface StreamWriter {
  /** The bytes for an event that passes; null = the caller sees nothing of it; else it breaks the stream. */
  pass(event: SseEvent, json: unknown): Buffer | null | Broken;
  /** The bytes that end a stream: whole, or with an error that no client takes for the end of an answer. */
  end(tail: Tail): Buffer;
}

export interface Tail {
  readonly relayed: Relayed;
  readonly bill: Bill;
  /** The bill also goes out as a comment. */
  readonly wantsComment: boolean;
}
