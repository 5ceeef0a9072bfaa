/**
 * How one endpoint of the API is spoken: with a provider that serves it, and with the caller about
 * the answer. Everything between (routing, reserving, attempts, metering, the bill) is the same for
 * all of them and knows them only by this type; adding an endpoint is adding a file here.
 *
 * Who asks for Responses may be answered by a provider that has only chat: that is a dialect of its
 * own, which speaks chat to the provider and Responses to the caller.
 */
import type { ApiRequest, Endpoint } from '../openai/api-request.ts';
import type { BodyChanges, BoundKey, ChatBoundKey } from '../openai/rewrite-body.ts';
import type { Meter } from '../stream/meter.ts';
import type { Bill } from '../stream/trailer.ts';
import type { StreamWriter } from '../stream/writer.ts';

export interface Dialect {
  /** What a provider must have, and where the request goes there. */
  readonly endpoint: Endpoint;
  /** The name of the output bound that `model` takes; null = there is no output. */
  boundKey(model: string): BoundKey | null;
  /** The name under which the caller's bound goes upstream, where there is another one to try. */
  callersBoundKey(request: ApiRequest): ChatBoundKey | null;
  /** The other name of a bound that goes upstream as `key`; null = this endpoint knows no other. */
  otherBoundKey(key: BoundKey): ChatBoundKey | null;
  /** What the provider is sent. */
  body(request: ApiRequest, changes: BodyChanges): Buffer;
  newMeter(request: ApiRequest): Meter;
  /** A whole answer as the stream that was asked for; null = it cannot be one. Never throws. */
  streamOfWhole(answer: unknown): Buffer | null;
  /** What the caller gets of a whole answer, which the meter has called one. Never throws. */
  whole(order: AnswerOrder, bytes: Buffer, bill: Bill): Buffer;
  newWriter(order: AnswerOrder): StreamWriter;
}

export interface AnswerOrder {
  readonly request: ApiRequest;
  /** For what core itself must name in an answer: unique; letters and digits only. */
  readonly id: string;
  /** Unix seconds. */
  readonly createdSecs: number;
  /** Keeps an item that core wrote, as a later request may mean it by its id. */
  readonly remember: (id: string, item: object) => void;
}
