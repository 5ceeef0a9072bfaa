/**
 * From a body's bytes to an object whose members are known to be what they seem, and the checks that
 * the endpoints share. What decides money is checked strictly: a `max_tokens` that means one number
 * here and another at the provider would be reserved as the one and billed as the other.
 */
import { isUtf8 } from 'node:buffer';
import type { ApiRequest, Complaint, RequestError } from './api-request.ts';
import { isObject, type JsonObject } from './json-object.ts';
import { parseJson } from './json-parse.ts';
import {
  JSON_DEPTH_MAX,
  JSON_MEMBERS_MAX,
  JSON_PARTS_MAX,
  memberOf,
  type ObjectSpans,
  type ScanFailure,
  scanObject,
} from './json-spans.ts';

/** Characters; the longest names in use are about a quarter of it. */
export const MODEL_NAME_CHARS_MAX = 256;
/** OpenAI's own limit. */
export const CHOICES_MAX = 128;

// ── From bytes to an object ──────────────────────────────────────────────────────────────────────

export type ReadObject = { body: JsonObject; spans: ObjectSpans } | { error: RequestError };

/** Never throws. `needs`: the members that the endpoint cannot do without, for its messages. */
export function readObject(raw: Buffer, needs: string): ReadObject {
  if (!isUtf8(raw)) {
    return { error: invalidJson('The request body is not valid UTF-8. Encode the JSON as UTF-8.') };
  }
  if (raw[0] === 0xef && raw[1] === 0xbb && raw[2] === 0xbf) {
    return {
      error: invalidJson(
        'The request body starts with a byte order mark, which JSON forbids (RFC 8259 §8.1). Send it without.',
      ),
    };
  }
  const scan = scanObject(raw);
  // Malformed bytes go on to JSON.parse, which knows better where the mistake is.
  if (!scan.ok && scan.failure.reason !== 'malformed')
    return { error: explain(scan.failure, needs) };
  try {
    const body = parseJson(raw.toString('utf8'), scan.ok && scan.spans.hasEscapedKey);
    if (scan.ok) return { body: body as JsonObject, spans: scan.spans };
    return { error: invalidJson('The request body is not valid JSON. Send one JSON object.') };
  } catch (error) {
    return { error: invalidJson(`The request body is not valid JSON${whereOf(error)}.`) };
  }
}

/** V8's message quotes the text around the mistake, which may be a prompt; only the place is kept. */
function whereOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const place = /at position \d+|Unexpected end of JSON input/.exec(error.message)?.[0];
  if (place === undefined) return '';
  return place.startsWith('at') ? ` ${place}` : ': it ends too early';
}

function explain(failure: ScanFailure, needs: string): RequestError {
  switch (failure.reason) {
    case 'empty':
      return invalidJson(`The request body is empty. Send a JSON object with ${needs}.`);
    case 'not_an_object':
      return invalidJson(
        `The request body must be a JSON object with ${needs}, and starts as something else.`,
      );
    case 'too_deep':
      return invalid(
        null,
        `The request body is nested deeper than ${JSON_DEPTH_MAX} levels. Flatten it.`,
      );
    case 'too_many_members':
      return invalid(
        null,
        `The request body has more than ${JSON_MEMBERS_MAX} members. Remove what is no parameter.`,
      );
    case 'too_many_parts':
      return invalid(
        null,
        `The request body has more than ${JSON_PARTS_MAX} lists, objects and strings. Send less at once.`,
      );
    case 'duplicate_key':
      return invalid(
        failure.key,
        `'${cut(failure.key)}' is given twice, and programs disagree on which one counts. Give it once.`,
      );
    case 'malformed':
      return invalidJson('The request body is not valid JSON.');
  }
}

// ── Checks ───────────────────────────────────────────────────────────────────────────────────────

export function checkModel(model: unknown): Complaint {
  if (model === undefined || model === null) {
    return invalid('model', "'model' is missing. Name a model; GET /v1/models lists them.");
  }
  if (typeof model !== 'string') {
    return invalid('model', `'model' must be a string, not ${nameOf(model)}.`);
  }
  if (model === '') {
    return invalid('model', "'model' is empty. Name a model; GET /v1/models lists them.");
  }
  if (model.length > MODEL_NAME_CHARS_MAX) {
    return invalid('model', `'model' is longer than ${MODEL_NAME_CHARS_MAX} characters.`);
  }
  return null;
}

export function checkBoolean(path: string, value: unknown): Complaint {
  if (value === undefined || value === null || typeof value === 'boolean') return null;
  return invalid(path, `'${path}' must be true or false, not ${nameOf(value)}.`);
}

/** Its members are scanned too: a doubled include_usage would leave us without the usage to bill. */
export function checkStreamOptions(raw: Buffer, spans: ObjectSpans, options: unknown): Complaint {
  if (options === undefined || options === null) return null;
  if (!isObject(options)) {
    return invalid('stream_options', `'stream_options' must be an object, not ${nameOf(options)}.`);
  }
  const span = memberOf(spans, 'stream_options')!;
  const scan = scanObject(raw, span.valueStart, span.valueEnd);
  if (!scan.ok && scan.failure.reason === 'duplicate_key') {
    const path = `stream_options.${scan.failure.key}`;
    return invalid(path, `'${cut(path)}' is given twice. Give it once.`);
  }
  return checkBoolean('stream_options.include_usage', options.include_usage);
}

/**
 * An integer from 1 to `max`, or null. Written as digits only: `1.0` and `1e2` are integers to us
 * and an error, or another number, to a provider that reads them into an integer field.
 */
export function checkCount(
  raw: Buffer,
  spans: ObjectSpans,
  body: JsonObject,
  key: string,
  max: number,
): Complaint {
  const value = body[key];
  if (value === undefined || value === null) return null;
  const fix = `Write an integer from 1 to ${max}, or leave it out.`;
  if (typeof value !== 'number') {
    return invalid(key, `'${key}' must be an integer, not ${nameOf(value)}. ${fix}`);
  }
  const span = memberOf(spans, key)!;
  const digits = raw.toString('latin1', span.valueStart, span.valueEnd);
  if (!/^-?\d+$/.test(digits)) {
    return invalid(key, `'${key}' must be an integer without fraction or exponent. ${fix}`);
  }
  if (value < 1) return invalid(key, `'${key}' must be at least 1. ${fix}`);
  if (value > max) return invalid(key, `'${key}' must be at most ${max}. ${fix}`);
  return null;
}

export function includeUsageOf(options: unknown): ApiRequest['includeUsage'] {
  if (!isObject(options)) return 'absent';
  if (options.include_usage === true) return 'asked';
  return options.include_usage === false ? 'declined' : 'absent';
}

export const isFilledArray = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

// ── Words ────────────────────────────────────────────────────────────────────────────────────────

export function nameOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'a number' : 'a fraction';
  return `a ${typeof value}`;
}

/** A key may be as long as the body; a message is not. */
export function cut(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64).toWellFormed()}…`;
}

export const invalidJson = (message: string): RequestError => ({
  code: 'invalid_json',
  param: null,
  message,
});

export const invalid = (param: string | null, message: string): RequestError => ({
  code: 'invalid_request',
  param: param === null ? null : cut(param),
  message,
});
