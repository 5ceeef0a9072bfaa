/**
 * Error bodies: theirs, in whatever shape a provider answers, read into four fields; ours, always in
 * OpenAI's shape. A provider's words go on to the caller and into the log, so they are one short
 * line, and what looks like a credential is taken out: some providers quote the key they refuse.
 *
 * Shapes seen: OpenAI and OpenRouter `{error: {…}}`, with the real reason in `metadata.raw`;
 * Google's list around it; Ollama `{error: "…"}`; vLLM `{object: "error", message}`; Mistral, where
 * that message is an object with a FastAPI `detail`; Routstr `{detail: {error: {…}}}`; FastAPI
 * `{detail: "…" | [{loc, msg}]}`; a gateway's HTML page; nothing.
 */
import { isObject, type JsonObject } from './json-object.ts';
import type { BoundKey } from './rewrite-body.ts';

export interface UpstreamError {
  /** One line, 1…MESSAGE_CHARS_MAX characters. */
  readonly message: string;
  readonly type: string | null;
  /** A number on the wire becomes its digits: the SDKs compare strings. */
  readonly code: string | null;
  readonly param: string | null;
}

/** Characters. */
export const MESSAGE_CHARS_MAX = 500;
const FIELD_CHARS_MAX = 128;
/** Characters that are looked at for a line: a message may be as long as a stream event. */
const LINE_SOURCE_CHARS_MAX = 8_192;
/** Bytes of an error body that are looked at. Longer JSON does not parse and is shown as text. */
const BODY_BYTES_MAX = 65_536;
/** Details of a validation error that are listed. */
const DETAILS_MAX = 5;
/** Errors inside errors that are followed. */
const NESTING_MAX = 4;

/** What `readValue` finds, not yet cleaned. */
interface Found {
  message: string | null;
  type: string | null;
  code: string | null;
  param: string | null;
}

const NOTHING: Found = { message: null, type: null, code: null, param: null };

/** Never throws. `contentType` as in the header, or undefined. */
export function readUpstreamError(
  status: number,
  contentType: string | undefined,
  bytes: Buffer,
): UpstreamError {
  const text = bytes.toString('utf8', 0, Math.min(bytes.length, BODY_BYTES_MAX)).trim();
  if (text === '') return clean(NOTHING, `The provider answered ${status} without a body.`);
  const fallback = `The provider answered ${status}.`;
  const value = parse(text);
  if (value !== undefined) return clean(readValue(value, 0), fallback);
  const isHtml = /html/i.test(contentType ?? '') || text.startsWith('<');
  return clean({ ...NOTHING, message: isHtml ? textOfHtml(text) : text }, fallback);
}

/** The same for JSON that is parsed already, such as an error event in a stream. Never throws. */
export function readErrorValue(value: unknown): UpstreamError {
  return clean(readValue(value, 0), 'The provider reported an error without a message.');
}

/** Whether a 400 or 422 is about the `stream_options` that core adds to every stream. */
export function namesStreamOptions(error: UpstreamError): boolean {
  const names = /stream_options|include_usage/i;
  return names.test(error.param ?? '') || names.test(error.message);
}

const UNKNOWN_PARAMETER =
  /unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra (?:fields|inputs)|\binstead\b/i;

/**
 * Whether a 400 or 422 says that the provider does not know the output bound under this name. One
 * about its value says nothing of the name: asked again under one that it ignores, the provider would
 * answer without any bound.
 */
export function refusesBoundKey(error: UpstreamError, key: BoundKey): boolean {
  const names = new RegExp(`\\b${key}\\b`);
  if (!names.test(error.param ?? '') && !names.test(error.message)) return false;
  return UNKNOWN_PARAMETER.test(`${error.code ?? ''} ${error.message}`);
}

export interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
  readonly [detail: string]: unknown;
}

/** OpenAI's envelope. All four fields are always there; details stand beside them, never over them. */
export function openaiError(
  error: { message: string; type: string; param?: string | null; code: string | null },
  details: Readonly<Record<string, unknown>> = {},
): { error: OpenAiError } {
  const { message, type, param = null, code } = error;
  return { error: { ...details, message, type, param, code } };
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function readValue(value: unknown, depth: number): Found {
  if (typeof value === 'string') return { ...NOTHING, message: value };
  if (depth === NESTING_MAX || typeof value !== 'object' || value === null) return NOTHING;
  if (Array.isArray(value)) return readList(value, depth);
  const body = value as JsonObject;
  // Routstr sends both; `error` is the fuller one.
  for (const inner of [body.error, body.detail, body.errors]) {
    if (isSomething(inner)) return merge(readValue(inner, depth + 1), readFields(body, depth));
  }
  return readFields(body, depth);
}

/** A list of errors (the first counts) or FastAPI's list of what is wrong with the request. */
function readList(list: readonly unknown[], depth: number): Found {
  const details = list.slice(0, DETAILS_MAX).flatMap((item) => readDetail(item) ?? []);
  if (details.length === 0) return readValue(list[0], depth + 1);
  return {
    ...NOTHING,
    message: details.map(({ path, text }) => (path === '' ? text : `${path}: ${text}`)).join('; '),
    param: details[0]!.path === '' ? null : details[0]!.path,
  };
}

/** `{loc: ["body", "stream_options"], msg: "…"}` of pydantic. */
function readDetail(item: unknown): { path: string; text: string } | null {
  if (typeof item !== 'object' || item === null) return null;
  const { loc, msg } = item as JsonObject;
  if (typeof msg !== 'string') return null;
  const steps = Array.isArray(loc) ? loc.filter((step) => isPlain(step)) : [];
  const path = steps[0] === 'body' ? steps.slice(1) : steps;
  return { path: path.join('.'), text: msg };
}

function readFields(body: JsonObject, depth: number): Found {
  const { message, reason, type, code, param, metadata } = body;
  const inner = isSomething(message) ? readValue(message, depth + 1) : NOTHING;
  const raw = isObject(metadata) && typeof metadata.raw === 'string' ? metadata.raw : null;
  const behind = raw === null ? null : readValue(parse(raw) ?? raw, depth + 1).message;
  const words = [inner.message ?? textOf(reason), behind].filter((text) => text !== null);
  return {
    message: words.length === 0 ? null : words.join(': '),
    type: textOf(type),
    code: textOf(code),
    param: textOf(param) ?? inner.param,
  };
}

/** What the inner error leaves open, the outer one may know. */
function merge(inner: Found, outer: Found): Found {
  return {
    message: inner.message ?? outer.message,
    type: inner.type ?? outer.type,
    code: inner.code ?? outer.code,
    param: inner.param ?? outer.param,
  };
}

/** Its title, else its words. `[^<>]`, not `[^>]`: a page of `<` would take quadratic time. */
function textOfHtml(html: string): string {
  const title = /<title[^<>]*>([^<]*)/i.exec(html)?.[1]?.trim();
  if (title !== undefined && title !== '') return title;
  return html.replace(/<(?:script|style)\b[^<>]*>[^<]*/gi, ' ').replace(/<[^<>]*>/g, ' ');
}

const isPlain = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';

const isSomething = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== false && value !== '';

const textOf = (value: unknown): string | null =>
  isPlain(value) && value !== '' ? String(value) : null;

// ── Cleaning ─────────────────────────────────────────────────────────────────────────────────────

const SECRETS: readonly (readonly [RegExp, string])[] = [
  // https://user:password@host
  [/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]{1,512}@/gi, '$1***@'],
  [/([?&](?:api[-_]?key|key|token|access_token|secret)=)[^\s&"']+/gi, '$1***'],
  [/\b(Bearer\s+)[A-Za-z0-9._~+/=-]{8,}/gi, '$1***'],
  [/\b(sk|rk|pk|vtk|gsk|xai|ghp|hf)[-_][A-Za-z0-9_*.-]{4,}/g, '$1-***'],
  [/\bAIza[A-Za-z0-9_-]{10,}/g, 'AIza***'],
  [/\bcashu[AB][A-Za-z0-9_=-]{16,}/g, 'cashu***'],
];

function clean(found: Found, fallback: string): UpstreamError {
  const message = line(found.message ?? '', MESSAGE_CHARS_MAX);
  return {
    message: message === '' ? fallback : message,
    type: field(found.type),
    code: field(found.code),
    param: field(found.param),
  };
}

function field(text: string | null): string | null {
  const short = line(text ?? '', FIELD_CHARS_MAX);
  return short === '' ? null : short;
}

/** One line without control characters and secrets. Secrets go first, so that none is cut in half. */
function line(text: string, charsMax: number): string {
  let safe = text.slice(0, LINE_SOURCE_CHARS_MAX);
  for (const [pattern, replacement] of SECRETS) safe = safe.replace(pattern, replacement);
  const flat = safe.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  if (flat.length <= charsMax) return flat.toWellFormed();
  return `${flat.slice(0, charsMax - 1).replace(/[\uD800-\uDBFF]$/, '')}…`.toWellFormed();
}
