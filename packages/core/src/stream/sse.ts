/**
 * Splits a provider's event stream into events without changing a byte: all `raw`s in a row are the
 * input. Grammar: WHATWG HTML §9.2.5–9.2.6 (lines end with LF, CRLF or CR; an empty line ends an
 * event; one byte order mark may stand first).
 *
 * An event is handed out as soon as its empty line is whole. One ending is ambiguous when a chunk
 * stops there: an empty line's CR may be followed by the LF of a CRLF.
 *   - After a line that ended with LF or CRLF, the splitter waits for the next byte: such a stream
 *     writes CRLF, so the LF is on its way. If something else comes, the event ends before it.
 *   - After a line that ended with a bare CR, the event ends at once: a stream of bare CRs would
 *     else hold back each event until the next one, and its last one until the connection closes.
 *     Should an LF follow after all, it is an empty line of its own, so an event without content.
 * So the same bytes give the same events however they are cut into chunks.
 */

export interface SseEvent {
  /** Exactly the bytes, the empty line included. Shares memory with the chunk where it can. */
  readonly raw: Buffer;
  /** The data lines, joined with LF; null where there was none (comments, other fields). */
  readonly data: string | null;
  /** The event's type where it names one. */
  readonly event: string | null;
  /** It has an `id` field. */
  readonly setsId: boolean;
}

export interface SseSplitter {
  /**
   * The events that `chunk` completes, often none. Throws SseEventTooLargeError, then and at every
   * later call. The chunk must not be changed afterwards.
   */
  push(chunk: Buffer): SseEvent[];
  /**
   * At the end of the stream: what came after the last empty line, read as if one followed, or
   * null. A browser would drop it; a provider that forgot the last line break meant it. Its `raw`
   * has no end of its own: send `closed(raw)`, or what follows would become part of it.
   */
  end(): SseEvent | null;
}

/** A provider sent an event above the limit; nothing of it is kept. */
export class SseEventTooLargeError extends Error {
  readonly code = 'sse_event_too_large';
  /** Completed by the same chunk before the one that is too large. */
  readonly events: readonly SseEvent[];
  constructor(eventBytesMax: number, events: readonly SseEvent[]) {
    super(`the provider sent a stream event of more than ${eventBytesMax} bytes`);
    this.events = events;
  }
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
/** First allocation for an event that spans chunks, bytes. */
const CARRY_BYTES_MIN = 1_024;
const NONE: SseEvent[] = [];

/** `eventBytesMax` ≥ 1: the largest event, its empty line included. Memory stays below three times that. */
export function createSseSplitter({ eventBytesMax }: { eventBytesMax: number }): SseSplitter {
  const boundary = createBoundary();
  const carry = createCarry();
  let isFirst = true;
  let failed = false;

  function finish(raw: Buffer, isOneLine: boolean): SseEvent {
    const event = readEvent(raw, isFirst, isOneLine);
    isFirst = false;
    return event;
  }

  function refuse(events: readonly SseEvent[]): never {
    failed = true;
    carry.take();
    throw new SseEventTooLargeError(eventBytesMax, events);
  }

  function push(chunk: Buffer): SseEvent[] {
    if (failed) refuse(NONE);
    let events = NONE;
    let start = 0;
    const hasCr = chunk.indexOf(CR) !== -1;
    while (start < chunk.length) {
      const end = boundary.find(chunk, start, hasCr);
      const isWhole = end !== -1;
      const stop = isWhole ? end : chunk.length;
      if (carry.length() + stop - start > eventBytesMax) refuse(events);
      const piece = start === 0 && stop === chunk.length ? chunk : chunk.subarray(start, stop);
      start = stop;
      if (!isWhole) {
        carry.add(piece);
        break;
      }
      let event: SseEvent;
      if (carry.length() === 0) {
        event = finish(piece, boundary.isOneLine());
      } else {
        carry.add(piece);
        event = finish(carry.take(), false);
      }
      if (events === NONE) events = [event];
      else events.push(event);
    }
    return events;
  }

  function end(): SseEvent | null {
    if (failed) refuse(NONE);
    return carry.length() === 0 ? null : finish(carry.take(), false);
  }

  return { push, end };
}

/** The bytes of an event that was cut off, ended; one empty line too many says nothing. */
export function closed(raw: Buffer): Buffer {
  return Buffer.concat([raw, Buffer.from('\n\n')]);
}

// ── Where an event ends ──────────────────────────────────────────────────────────────────────────

interface Boundary {
  /** Offset after the first event end at or after `from`, or −1: the rest belongs to an open event. */
  find(chunk: Buffer, from: number, hasCr: boolean): number;
  /** Of an event that `find` saw from its start: it is a line, LF, LF. */
  isOneLine(): boolean;
}

/** State between chunks: where in its line, and after which line end, the stream stands. */
function createBoundary(): Boundary {
  let lineIsEmpty = true;
  /** The last byte was a CR that ended a line, so an LF now is the same line's end. */
  let afterCr = false;
  /** The event is whole but for the LF that may follow its last CR. */
  let held = false;
  let oneLine = false;

  function reset(end: number): number {
    lineIsEmpty = true;
    afterCr = false;
    held = false;
    return end;
  }

  /** Streams with LF only, so nearly all: native search, one call for each line. */
  function findLf(chunk: Buffer, from: number): number {
    if (lineIsEmpty && chunk[from] === LF) return reset(from + 1);
    oneLine = true;
    let at = chunk.indexOf(LF, from);
    while (at !== -1) {
      if (at + 1 === chunk.length) {
        lineIsEmpty = true;
        return -1;
      }
      if (chunk[at + 1] === LF) return reset(at + 2);
      oneLine = false;
      at = chunk.indexOf(LF, at + 1);
    }
    lineIsEmpty = false;
    return -1;
  }

  function find(chunk: Buffer, from: number, hasCr: boolean): number {
    if (!hasCr && !afterCr && !held) return findLf(chunk, from);
    oneLine = false;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at];
      if (held) return reset(byte === LF ? at + 1 : at);
      if (byte === LF) {
        if (lineIsEmpty && !afterCr) return reset(at + 1);
        lineIsEmpty = true;
        afterCr = false;
      } else if (byte === CR) {
        // Still set, it says that no LF came between: the line before ended with a bare CR.
        if (afterCr) return reset(at + 1);
        if (lineIsEmpty) held = true;
        else afterCr = true;
        lineIsEmpty = true;
      } else {
        lineIsEmpty = false;
        afterCr = false;
      }
    }
    return -1;
  }

  return { find, isOneLine: () => oneLine };
}

// ── Events that span chunks ──────────────────────────────────────────────────────────────────────

interface Carry {
  length(): number;
  add(piece: Buffer): void;
  /** Hands out what was added and starts anew. */
  take(): Buffer;
}

/**
 * One growing buffer, doubled when full, so each byte is copied a bounded number of times. A list of
 * chunks would cost a hundred times its bytes where a provider sends them one by one.
 */
function createCarry(): Carry {
  let bytes: Buffer | null = null;
  let used = 0;

  function add(piece: Buffer): void {
    if (piece.length === 0) return;
    const need = used + piece.length;
    if (bytes === null || bytes.length < need) {
      const grown = Buffer.allocUnsafe(Math.max(CARRY_BYTES_MIN, 2 * need));
      bytes?.copy(grown, 0, 0, used);
      bytes = grown;
    }
    piece.copy(bytes, used);
    used = need;
  }

  function take(): Buffer {
    const taken = bytes === null ? Buffer.alloc(0) : bytes.subarray(0, used);
    bytes = null;
    used = 0;
    return taken;
  }

  return { length: () => used, add, take };
}

// ── What an event says ───────────────────────────────────────────────────────────────────────────

const DATA = Buffer.from('data');
const EVENT = Buffer.from('event');
const ID = Buffer.from('id');

function readEvent(raw: Buffer, isFirst: boolean, isOneLine: boolean): SseEvent {
  const start = isFirst ? afterMark(raw) : 0;
  if (isOneLine) {
    // What nearly all events are: `data: …` LF LF.
    const value = valueAt(raw, start, raw.length - 2, DATA);
    if (value !== -1) {
      const data = raw.toString('utf8', value, raw.length - 2);
      return { raw, data, event: null, setsId: false };
    }
  }
  let data: string | null = null;
  let event: string | null = null;
  let setsId = false;
  for (let next = start; next < raw.length; ) {
    const at = next;
    const end = lineEnd(raw, at);
    next = afterLine(raw, end);
    const dataAt = valueAt(raw, at, end, DATA);
    if (dataAt !== -1) {
      const value = raw.toString('utf8', dataAt, end);
      data = data === null ? value : `${data}\n${value}`;
      continue;
    }
    const eventAt = valueAt(raw, at, end, EVENT);
    if (eventAt !== -1) event = raw.toString('utf8', eventAt, end);
    else if (valueAt(raw, at, end, ID) !== -1) setsId = true;
  }
  return { raw, data, event, setsId };
}

const afterMark = (raw: Buffer): number =>
  raw[0] === 0xef && raw[1] === 0xbb && raw[2] === 0xbf ? 3 : 0;

function lineEnd(raw: Buffer, from: number): number {
  let end = from;
  while (end < raw.length && raw[end] !== LF && raw[end] !== CR) end++;
  return end;
}

const afterLine = (raw: Buffer, end: number): number =>
  end + (raw[end] === CR && raw[end + 1] === LF ? 2 : 1);

/**
 * Where the value of field `name` starts in the line [at, end): after the colon and one space, at
 * `end` where there is no colon. −1 = the line is another field or a comment.
 */
function valueAt(raw: Buffer, at: number, end: number, name: Buffer): number {
  const colon = at + name.length;
  if (colon > end) return -1;
  for (let i = 0; i < name.length; i++) if (raw[at + i] !== name[i]) return -1;
  if (colon === end) return end;
  if (raw[colon] !== COLON) return -1;
  return colon + 1 < end && raw[colon + 1] === SPACE ? colon + 2 : colon + 1;
}

/**
 * A copy in which everything but the values of the data lines is spaces, so that what is found in
 * the data of an event, on one line or several, has the same offsets in its bytes.
 */
export function blankAllButData(raw: Buffer): Buffer {
  const blanked = Buffer.alloc(raw.length, SPACE);
  for (let next = afterMark(raw); next < raw.length; ) {
    const end = lineEnd(raw, next);
    const value = valueAt(raw, next, end, DATA);
    if (value !== -1) raw.copy(blanked, value, value, end);
    next = afterLine(raw, end);
  }
  return blanked;
}
