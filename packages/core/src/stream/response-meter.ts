/**
 * The meter of the Responses API. Its stream says by typed events what happens; `response.completed`,
 * `response.incomplete` and `response.failed` end it, and carry the usage.
 */
import { readErrorValue, type UpstreamError } from '../openai/error-body.ts';
import { createDelivered } from './delivered.ts';
import type { AnswerKind, ChunkKind, Meter } from './meter.ts';
import { isErrorBody, isFilledObject, isObject, type JsonObject } from './shapes.ts';

/** Output and part indexes at or above it are the provider's nonsense; their text still counts. */
const INDEX_MAX = 1_024;

/** Pieces of output. The events that repeat them whole end in `.done`. */
const DELTA = /^response\..+\.delta$/;
/** Each is a text of its own; what else there may be is one, or a seller could fill memory with names. */
const TEXTS: ReadonlySet<string> = new Set([
  'response.output_text.delta',
  'response.refusal.delta',
  'response.reasoning_text.delta',
  'response.reasoning_summary_text.delta',
  'response.function_call_arguments.delta',
  'response.custom_tool_call_input.delta',
]);

export interface ResponseMeter extends Meter {
  /** As the last event said; null = it did not number them. */
  readonly sequence: number | null;
}

export function createResponseMeter(): ResponseMeter {
  const delivered = createDelivered();
  const identity: { id: string | null; model: string | null; created: number | null } = {
    id: null,
    model: null,
    created: null,
  };
  let hasChunks = false;
  let hasContent = false;
  let isFinished = false;
  let usage: unknown = null;
  let error: UpstreamError | null = null;
  let sequence: number | null = null;

  function readResponse(response: JsonObject): void {
    hasChunks = true;
    if (isFilledObject(response.usage)) usage = response.usage;
    if (typeof response.id === 'string') identity.id ??= response.id;
    if (typeof response.model === 'string') identity.model ??= response.model;
  }

  /** All of the output at once, where no piece of it came before. */
  function readOutput(response: JsonObject): void {
    if (hasContent || !Array.isArray(response.output)) return;
    response.output.forEach((item: unknown, index) => {
      if (!isObject(item)) return;
      for (const part of [item.content, item.summary].flat()) {
        if (!isObject(part)) continue;
        hasContent = delivered.add(index, 'text', part.text) || hasContent;
        hasContent = delivered.add(index, 'refusal', part.refusal) || hasContent;
      }
      readCall(index, item);
    });
  }

  function readCall(index: number, item: JsonObject): void {
    hasContent = delivered.add(index, 'name', item.name) || hasContent;
    hasContent = delivered.add(index, 'call', item.arguments ?? item.input) || hasContent;
    // What the seller's own tools did is output without text.
    hasContent ||= typeof item.type === 'string' && item.type.endsWith('_call');
  }

  function fail(value: unknown): 'error' {
    error ??= readErrorValue(value);
    return 'error';
  }

  function observe(json: unknown): ChunkKind {
    if (!isObject(json)) return 'other';
    const { type, response } = json;
    if (Number.isSafeInteger(json.sequence_number)) sequence = json.sequence_number as number;
    if (isObject(response)) readResponse(response);
    if (type === 'error' || type === undefined) {
      return isErrorBody(json) || type === 'error' ? fail(json) : 'other';
    }
    if (typeof type !== 'string') return 'other';
    if (type === 'response.failed') {
      return fail(isObject(response) && isErrorBody(response) ? response : json);
    }
    if (type === 'response.completed' || type === 'response.incomplete') {
      if (!isObject(response)) return 'other';
      readOutput(response);
      isFinished = true;
      return 'end';
    }
    const index = Number.isInteger(json.output_index) ? (json.output_index as number) : 0;
    const at = Math.min(Math.max(index, 0), INDEX_MAX);
    if (DELTA.test(type)) {
      const isNew = delivered.add(at, TEXTS.has(type) ? type : 'other', json.delta);
      hasContent ||= isNew;
      return isNew ? 'content' : 'other';
    }
    if (type === 'response.output_item.added' && isObject(json.item)) {
      const isNew = delivered.add(at, 'name', json.item.name);
      hasContent ||= isNew;
      return isNew ? 'content' : 'other';
    }
    return 'other';
  }

  function observeAnswer(json: unknown): AnswerKind {
    if (!isObject(json)) return 'not_completion';
    readResponse(json);
    if (isErrorBody(json) || json.status === 'failed') return fail(json);
    const isWhole = json.status === undefined || ENDED.has(json.status);
    if (!Array.isArray(json.output) || !isWhole) return 'not_completion';
    readOutput(json);
    isFinished = true;
    return 'completion';
  }

  return {
    observe,
    observeAnswer,
    text: delivered.text,
    get textLength() {
      return delivered.length();
    },
    get hasChunks() {
      return hasChunks;
    },
    get hasContent() {
      return hasContent;
    },
    get usage() {
      return usage;
    },
    get error() {
      return error;
    },
    get anyFinished() {
      return isFinished;
    },
    get isFinished() {
      return isFinished;
    },
    get sequence() {
      return sequence;
    },
    endsWithDone: false,
    identity,
  };
}

/** What a whole answer may call itself; one that is under way still is none. */
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'incomplete']);
