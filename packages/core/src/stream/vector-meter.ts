/** The meter of embeddings: no text to count, a vector for each input, and usage of one side only. */
import { readErrorValue, type UpstreamError } from '../openai/error-body.ts';
import { isObject } from '../openai/json-object.ts';
import type { Meter } from './meter.ts';
import { isErrorBody, isFilledObject } from './shapes.ts';

/** `inputs`: vectors that were asked for. A list that is shorter would pass for whole with an SDK. */
export function createVectorMeter(inputs: number): Meter {
  let usage: unknown = null;
  let error: UpstreamError | null = null;
  let isFinished = false;
  return {
    observe: () => 'other',
    observeAnswer(json) {
      if (!isObject(json)) return 'not_completion';
      // There is no output to report: without it a usage would be taken for half a report, and with one
      // a seller would be paid for it.
      if (isObject(json.usage) && isFilledObject(json.usage)) {
        usage = { ...json.usage, completion_tokens: 0 };
      }
      if (isErrorBody(json)) {
        error = readErrorValue(json);
        return 'error';
      }
      const vectors = Array.isArray(json.data) ? json.data : [];
      isFinished = vectors.length === inputs && vectors.every(isVector);
      return isFinished ? 'completion' : 'not_completion';
    },
    text: () => '',
    textLength: 0,
    get hasChunks() {
      return isFinished;
    },
    get hasContent() {
      return isFinished;
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
    endsWithDone: true,
    identity: { id: null, model: null, created: null },
  };
}

/** Numbers, or their bytes in base64; an empty one would pass for an answer with an SDK. */
function isVector(item: unknown): boolean {
  if (!isObject(item)) return false;
  const { embedding } = item;
  return (Array.isArray(embedding) || typeof embedding === 'string') && embedding.length > 0;
}
