/**
 * A chat request as far as core interprets it. Everything else in the body passes untouched, known
 * to us or not: the provider is the one that knows its own parameters.
 *
 * What is interpreted is checked strictly, because it decides money: a `max_tokens` that means one
 * number here and another at the provider would be reserved as the one and billed as the other.
 * Shapes: OpenAI API reference, "Create chat completion".
 */
import { isUtf8 } from 'node:buffer';
import { parseJson } from './json-parse.ts';
import {
  JSON_DEPTH_MAX,
  JSON_MEMBERS_MAX,
  memberOf,
  type ObjectSpans,
  type ScanFailure,
  scanObject,
} from './json-spans.ts';

/** Characters; the longest names in use are about a quarter of it. */
export const MODEL_NAME_CHARS_MAX = 256;
/** OpenAI's own limit. */
export const CHOICES_MAX = 128;

export interface ChatRequest {
  /** Exactly what the caller sent. */
  readonly raw: Buffer;
  /** Of the members of the object in `raw`. */
  readonly spans: ObjectSpans;
  readonly body: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  readonly stream: boolean;
  /**
   * The caller's own word on `stream_options.include_usage`; null counts as absent. Means nothing
   * unless `stream`: the option then goes upstream as it is, for the provider to accept or refuse.
   */
  readonly includeUsage: 'asked' | 'declined' | 'absent';
  /**
   * Output bound per choice, tokens, from `max_tokens` and `max_completion_tokens`; null = none.
   * Where both are given it is the larger: both go upstream unchanged, and a provider that knows
   * only one of them may produce as much as that one allows. Reserving the smaller would let a
   * caller buy more than was held.
   */
  readonly maxTokens: number | null;
  /** Choices asked for, 1…CHOICES_MAX. */
  readonly n: number;
  /** Some message has an image part. */
  readonly hasImages: boolean;
  /** Tools (or the older `functions`) are offered to the model. */
  readonly hasTools: boolean;
  /** `response_format` asks for JSON, with or without a schema. */
  readonly wantsJson: boolean;
}

export interface ChatRequestError {
  readonly code: 'invalid_json' | 'invalid_request' | 'unsupported_parameter';
  /** Path of what is wrong, as OpenAI writes it (`messages[0].role`); null = the body as a whole. */
  readonly param: string | null;
  /** What is wrong and what to do; never quotes a prompt. */
  readonly message: string;
}

export type ParsedChatRequest =
  | { readonly ok: true; readonly request: ChatRequest }
  | { readonly ok: false; readonly error: ChatRequestError };

/** One check's verdict: null = nothing wrong. */
type Complaint = ChatRequestError | null;

type JsonObject = Readonly<Record<string, unknown>>;

/** Never throws. O(bytes); the caller has bounded the body (`server.body_limit_mb`). */
export function parseChatRequest(raw: Buffer): ParsedChatRequest {
  const read = readObject(raw);
  if ('error' in read) return { ok: false, error: read.error };
  const { body, spans } = read;
  const complaint =
    checkModel(body.model) ??
    checkMessages(body.messages) ??
    checkBoolean('stream', body.stream) ??
    checkStreamOptions(raw, spans, body.stream_options) ??
    checkCount(raw, spans, body, 'max_tokens', Number.MAX_SAFE_INTEGER) ??
    checkCount(raw, spans, body, 'max_completion_tokens', Number.MAX_SAFE_INTEGER) ??
    checkCount(raw, spans, body, 'n', CHOICES_MAX);
  if (complaint !== null) return { ok: false, error: complaint };

  const messages = body.messages as JsonObject[];
  return {
    ok: true,
    request: {
      raw,
      spans,
      body,
      model: body.model as string,
      messages,
      stream: body.stream === true,
      includeUsage: includeUsageOf(body.stream_options),
      maxTokens: outputBoundOf(body),
      n: (body.n as number | null | undefined) ?? 1,
      hasImages: messages.some(hasImagePart),
      hasTools: isFilledArray(body.tools) || isFilledArray(body.functions),
      wantsJson: asksForJson(body.response_format),
    },
  };
}

// ── From bytes to an object ──────────────────────────────────────────────────────────────────────

type ReadObject = { body: JsonObject; spans: ObjectSpans } | { error: ChatRequestError };

function readObject(raw: Buffer): ReadObject {
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
  if (!scan.ok && scan.failure.reason !== 'malformed') return { error: explain(scan.failure) };
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

function explain(failure: ScanFailure): ChatRequestError {
  switch (failure.reason) {
    case 'empty':
      return invalidJson(
        'The request body is empty. Send a JSON object with "model" and "messages".',
      );
    case 'not_an_object':
      return invalidJson(
        'The request body must be a JSON object with "model" and "messages", and starts as something else.',
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

function checkModel(model: unknown): Complaint {
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

function checkMessages(messages: unknown): Complaint {
  if (messages === undefined || messages === null) {
    return invalid('messages', "'messages' is missing. Send an array with at least one message.");
  }
  if (!Array.isArray(messages)) {
    return invalid('messages', `'messages' must be an array, not ${nameOf(messages)}.`);
  }
  if (messages.length === 0) {
    return invalid('messages', "'messages' is empty. Send at least one message.");
  }
  for (let i = 0; i < messages.length; i++) {
    const complaint = checkMessage(i, messages[i]);
    if (complaint !== null) return complaint;
  }
  return null;
}

/** `content` may be null or missing: an assistant message with tool calls has none. */
function checkMessage(index: number, message: unknown): Complaint {
  if (!isObject(message)) {
    const path = `messages[${index}]`;
    return invalid(path, `'${path}' must be an object, not ${nameOf(message)}.`);
  }
  const { role, content } = message;
  if (typeof role !== 'string') {
    const path = `messages[${index}].role`;
    return invalid(path, `'${path}' must be a string such as "user", not ${nameOf(role)}.`);
  }
  if (content === undefined || content === null) return null;
  if (typeof content === 'string' || Array.isArray(content)) return null;
  const path = `messages[${index}].content`;
  return invalid(
    path,
    `'${path}' must be a string, an array of parts, or null, not ${nameOf(content)}.`,
  );
}

function checkBoolean(path: string, value: unknown): Complaint {
  if (value === undefined || value === null || typeof value === 'boolean') return null;
  return invalid(path, `'${path}' must be true or false, not ${nameOf(value)}.`);
}

/** Its members are scanned too: a doubled include_usage would leave us without the usage to bill. */
function checkStreamOptions(raw: Buffer, spans: ObjectSpans, options: unknown): Complaint {
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
function checkCount(
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

// ── Reading what passed the checks ───────────────────────────────────────────────────────────────

function includeUsageOf(options: unknown): ChatRequest['includeUsage'] {
  if (!isObject(options)) return 'absent';
  if (options.include_usage === true) return 'asked';
  return options.include_usage === false ? 'declined' : 'absent';
}

function outputBoundOf(body: JsonObject): number | null {
  const older = (body.max_tokens as number | null | undefined) ?? null;
  const newer = (body.max_completion_tokens as number | null | undefined) ?? null;
  if (older === null || newer === null) return older ?? newer;
  return Math.max(older, newer);
}

function hasImagePart(message: JsonObject): boolean {
  const { content } = message;
  if (!Array.isArray(content)) return false;
  return content.some(
    (part) =>
      isObject(part) &&
      (part.type === 'image_url' || part.type === 'image' || part.type === 'input_image'),
  );
}

function asksForJson(format: unknown): boolean {
  return isObject(format) && (format.type === 'json_object' || format.type === 'json_schema');
}

const isFilledArray = (value: unknown): boolean => Array.isArray(value) && value.length > 0;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// ── Words ────────────────────────────────────────────────────────────────────────────────────────

function nameOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'a number' : 'a fraction';
  return `a ${typeof value}`;
}

/** A key may be as long as the body; a message is not. */
function cut(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64).toWellFormed()}…`;
}

const invalidJson = (message: string): ChatRequestError => ({
  code: 'invalid_json',
  param: null,
  message,
});

const invalid = (param: string | null, message: string): ChatRequestError => ({
  code: 'invalid_request',
  param: param === null ? null : cut(param),
  message,
});
