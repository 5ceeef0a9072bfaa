/**
 * Where the members of a JSON object lie in its bytes.
 *
 * A request goes upstream byte for byte, except for what core sets. Parsing and writing it again
 * would change big integers, `1.0`, escapes and key order, and would hide a key that is given
 * twice: the parser here takes the last `max_tokens`, a provider may take the first, and the
 * reservation would be for another request than the one that is billed. So edits are splices at
 * these spans (`rewrite-body.ts`), and a key given twice is refused.
 *
 * The scan comes before JSON.parse and is no validator: it bounds depth and member count cheaply,
 * and its spans mean something only once JSON.parse has accepted the same bytes (RFC 8259).
 * Iterative, one pass, O(bytes); invalid UTF-8 is looked at but never decoded.
 */

/** Levels of nesting, the outermost object included. Nobody writes so deep a tool schema by hand. */
export const JSON_DEPTH_MAX = 512;
/** Members of one scanned object; a chat request has about forty. */
export const JSON_MEMBERS_MAX = 1_000;
/**
 * Lists, objects and strings inside of the members, together; ten thousand messages with their parts
 * have a tenth of it. JSON.parse makes an object of each: 20 MB of `{}` would stop all requests for
 * three seconds. Numbers do not count, since embeddings are asked for with millions of tokens.
 */
export const JSON_PARTS_MAX = 500_000;

/** Offsets into the scanned buffer; ends are exclusive. `keyStart` is the key's opening quote. */
export interface MemberSpan {
  /** Decoded: `"\u006dodel"` is `model`. */
  readonly key: string;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Bytes [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ObjectSpans {
  /** Offset of `{`. */
  readonly open: number;
  /** Offset of `}`. */
  readonly close: number;
  /** In the order of the bytes, keys distinct. */
  readonly members: readonly MemberSpan[];
  /** Some key, on any level, is written with a backslash: see json-parse.ts. */
  readonly hasEscapedKey: boolean;
}

export type ScanFailure =
  | {
      readonly reason:
        | 'empty'
        | 'not_an_object'
        | 'too_deep'
        | 'too_many_members'
        | 'too_many_parts'
        | 'malformed';
    }
  | { readonly reason: 'duplicate_key'; readonly key: string };

export type ScanResult =
  | { readonly ok: true; readonly spans: ObjectSpans }
  | { readonly ok: false; readonly failure: ScanFailure };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Below this a byte loop beats a native search; base64 images are far above, chat text mostly below. */
const NATIVE_SEARCH_BYTES_MIN = 64;

const MALFORMED = -1;
const TOO_DEEP = -2;
const TOO_MANY = -3;

const REASONS = {
  [MALFORMED]: 'malformed',
  [TOO_DEEP]: 'too_deep',
  [TOO_MANY]: 'too_many_parts',
} as const;

const fail = (failure: ScanFailure): ScanResult => ({ ok: false, failure });

/**
 * Spans of the object that fills `raw[start, end)`, white space around it allowed. Never throws.
 * `malformed` means that JSON.parse would refuse it too; the reverse does not hold.
 */
export function scanObject(raw: Buffer, start = 0, end = raw.length): ScanResult {
  const open = skipSpace(raw, start, end);
  if (open === end) return fail({ reason: 'empty' });
  if (raw[open] !== OPEN_BRACE) return fail({ reason: 'not_an_object' });

  const seen = { escapedKey: false, parts: 0 };
  const members: MemberSpan[] = [];
  const keys = new Set<string>();
  let at = skipSpace(raw, open + 1, end);
  let close = raw[at] === CLOSE_BRACE && at < end ? at : MALFORMED;
  while (close === MALFORMED) {
    const member = scanMember(raw, at, end, seen);
    if (typeof member === 'number') {
      return fail({ reason: REASONS[member] });
    }
    if (keys.has(member.key)) return fail({ reason: 'duplicate_key', key: member.key });
    if (members.length === JSON_MEMBERS_MAX) return fail({ reason: 'too_many_members' });
    keys.add(member.key);
    members.push(member);

    at = skipSpace(raw, member.valueEnd, end);
    if (at < end && raw[at] === CLOSE_BRACE) close = at;
    else if (at < end && raw[at] === COMMA) at = skipSpace(raw, at + 1, end);
    else return fail({ reason: 'malformed' });
  }
  if (skipSpace(raw, close + 1, end) !== end) return fail({ reason: 'malformed' });
  return { ok: true, spans: { open, close, members, hasEscapedKey: seen.escapedKey } };
}

export function memberOf(spans: ObjectSpans, key: string): MemberSpan | undefined {
  return spans.members.find((member) => member.key === key);
}

/**
 * Spans of the elements of the array that fills `raw[start, end)`, from its bracket on. Throws for
 * bytes that JSON.parse would not have taken.
 */
export function elementSpans(raw: Buffer, start: number, end: number): readonly Span[] {
  const elements: Span[] = [];
  let at = skipSpace(raw, start + 1, end);
  while (raw[at] !== CLOSE_BRACKET) {
    const valueEnd = skipValue(raw, at, end, { escapedKey: false, parts: 0 });
    if (valueEnd < 0) throw new Error('an array that was parsed cannot be scanned');
    elements.push({ start: at, end: valueEnd });
    at = skipSpace(raw, valueEnd, end);
    if (raw[at] === COMMA) at = skipSpace(raw, at + 1, end);
  }
  return elements;
}

/** What a scan notices on its way. */
interface Seen {
  escapedKey: boolean;
  parts: number;
}

type NoValue = keyof typeof REASONS;

function scanMember(raw: Buffer, keyStart: number, end: number, seen: Seen): MemberSpan | NoValue {
  if (keyStart >= end || raw[keyStart] !== QUOTE) return MALFORMED;
  const keyEnd = skipString(raw, keyStart, end);
  if (keyEnd === MALFORMED) return MALFORMED;
  const key = decodeKey(raw, keyStart, keyEnd);
  if (key === null) return MALFORMED;
  seen.escapedKey ||= isEscaped(raw, keyStart, keyEnd);
  const colon = skipSpace(raw, keyEnd, end);
  if (colon >= end || raw[colon] !== COLON) return MALFORMED;
  const valueStart = skipSpace(raw, colon + 1, end);
  const valueEnd = skipValue(raw, valueStart, end, seen);
  if (valueEnd < 0) return valueEnd as NoValue;
  return { key, keyStart, valueStart, valueEnd };
}

/** Two spellings of one key are one key, or `"max_toke\u006es"` would be a second `max_tokens`. */
function decodeKey(raw: Buffer, keyStart: number, keyEnd: number): string | null {
  const text = raw.toString('utf8', keyStart + 1, keyEnd - 1);
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return null;
  }
}

function isEscaped(raw: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (raw[at] === BACKSLASH) return true;
  return false;
}

function skipSpace(raw: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end) {
    const byte = raw[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}

/** Offset after the value that starts at `from`, else why there is none. */
function skipValue(raw: Buffer, from: number, end: number, seen: Seen): number {
  if (from >= end) return MALFORMED;
  const first = raw[from];
  if (first === QUOTE) return skipString(raw, from, end);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) {
    return skipContainer(raw, from, end, seen);
  }
  let at = from;
  while (at < end && !endsScalar(raw[at]!)) at++;
  return at === from ? MALFORMED : at;
}

function endsScalar(byte: number): boolean {
  return byte <= 0x20 || byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET;
}

/** Counts brackets without matching their kinds: `[}` is JSON.parse's to refuse. */
function skipContainer(raw: Buffer, from: number, end: number, seen: Seen): number {
  // The scanned object is the first level, and the container at `from` opens the second.
  let depth = 1;
  let at = from;
  while (at < end) {
    const byte = raw[at]!;
    if (byte === QUOTE) {
      if (++seen.parts > JSON_PARTS_MAX) return TOO_MANY;
      const start = at;
      at = skipString(raw, start, end);
      if (at === MALFORMED) return MALFORMED;
      if (!seen.escapedKey && raw[skipSpace(raw, at, end)] === COLON) {
        seen.escapedKey = isEscaped(raw, start, at);
      }
      continue;
    }
    at++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth > JSON_DEPTH_MAX) return TOO_DEEP;
      if (++seen.parts > JSON_PARTS_MAX) return TOO_MANY;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
      if (depth === 1) return at;
    }
  }
  return MALFORMED;
}

/**
 * Offset after the string whose opening quote is at `open`, or MALFORMED. A quote ends it unless an
 * odd run of backslashes stands before it. Long stretches are jumped by a native search; after each
 * escaped quote a byte loop goes first, because JSON inside a string has one every few bytes.
 */
function skipString(raw: Buffer, open: number, end: number): number {
  let at = open + 1;
  while (at < end) {
    const near = Math.min(at + NATIVE_SEARCH_BYTES_MIN, end);
    for (; at < near; at++) {
      const byte = raw[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) at++;
    }
    const quote = raw.indexOf(QUOTE, at);
    if (quote === -1 || quote >= end) return MALFORMED;
    let run = quote;
    while (run > at && raw[run - 1] === BACKSLASH) run--;
    if ((quote - run) % 2 === 0) return quote + 1;
    at = quote + 1;
  }
  return MALFORMED;
}
