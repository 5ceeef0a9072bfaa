/**
 * The bytes that core itself puts into a stream, all at event boundaries: the bill as
 * a comment, which every SSE parser skips; the usage chunk for a caller that asked and whose
 * provider sent none; the bill inside a usage chunk; the error that ends a broken stream; the end
 * mark. JSON is written on one line: JSON.stringify escapes line breaks, so nothing in it can end an
 * event early.
 */
import type { OpenAiError } from '../openai/error-body.ts';
import { memberOf, scanObject } from '../openai/json-spans.ts';
import { blankAllButData, type SseEvent } from './sse.ts';

/** What a request cost and who served it: in the comment, and as `arbstr` in the usage chunk. */
export interface Bill {
  /** Integer msat. */
  readonly cost_msats: number;
  readonly provider: string;
  readonly model: string;
  readonly tier: string | null;
  readonly latency_ms: number;
  /** The tokens that were billed. */
  readonly usage: OpenAiUsage;
  /** They are core's own count, not the provider's. */
  readonly estimated: boolean;
}

export interface OpenAiUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens: number };
}

/** The last event of a whole stream, and only of a whole one. */
export const DONE_EVENT = Buffer.from('data: [DONE]\n\n');

/**
 * `: arbstr {…}`, an event of its own unless `withinNext`. Once a stream has had an `id` field,
 * OpenAI's Python SDK takes every empty line for the end of an event and fails on one without data;
 * there the comment stands in front of the end mark or error, within its event.
 */
export function billComment(bill: Bill, withinNext: boolean): Buffer {
  return Buffer.from(`: arbstr ${JSON.stringify(bill)}${withinNext ? '\n' : '\n\n'}`);
}

/** Ends a broken stream; no DONE_EVENT may follow. */
export function errorEvent(envelope: { readonly error: OpenAiError }): Buffer {
  return Buffer.from(`data: ${JSON.stringify(envelope)}\n\n`);
}

/** `choices: []` and usage, as OpenAI sends it last; names and time as the provider's chunks had them. */
export function usageEvent(chunk: {
  readonly object: string;
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly usage: OpenAiUsage;
  readonly arbstr: Bill;
}): Buffer {
  const { id, object, created, model, usage, arbstr } = chunk;
  const body = { id, object, created, model, choices: [], usage, arbstr };
  return Buffer.from(`data: ${JSON.stringify(body)}\n\n`);
}

/**
 * The provider's usage chunk with `arbstr` as its last member; its other bytes and its framing stay.
 * A provider that is arbstr itself sent an `arbstr` of its own, which ours replaces: two of one name
 * would leave the reader to chance. An event whose data is no JSON object is returned as it is.
 */
export function withBill({ raw }: SseEvent, arbstr: Bill): Buffer {
  const scan = scanObject(blankAllButData(raw));
  if (!scan.ok) return raw;
  const { open, members } = scan.spans;
  const json = JSON.stringify(arbstr);
  const theirs = memberOf(scan.spans, 'arbstr');
  if (theirs !== undefined) return splice(raw, theirs.valueStart, theirs.valueEnd, json);
  const last = members.at(-1);
  if (last === undefined) return splice(raw, open + 1, open + 1, `"arbstr":${json}`);
  return splice(raw, last.valueEnd, last.valueEnd, `,"arbstr":${json}`);
}

function splice(bytes: Buffer, start: number, end: number, text: string): Buffer {
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(text), bytes.subarray(end)]);
}
