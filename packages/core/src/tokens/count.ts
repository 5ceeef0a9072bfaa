/**
 * Tokens of a text under o200k_base (GPT-4o and later), the same number that OpenAI's tiktoken
 * gives. It is the yardstick for every model: others cut text differently, by some 10 to 30 %, which
 * is what the tolerance on reported usage is for.
 *
 * The table and the pattern are those of gpt-tokenizer. Its own `countTokens` is not used: it is
 * quadratic in the longest run of letters (40 KB of "a" take a second), overflows the regular
 * expression's stack on long ones, and takes 0.5 MB/s on text that it has not seen before.
 */
import o200kBase from 'gpt-tokenizer/bpeRanks/o200k_base';
import { O200K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';
import { estimateTokens } from './estimate.ts';
import { tokenFloor } from './floor.ts';
import { createMerger, type Merger } from './merge.ts';
import { createVocabulary, UTF8_BYTES_PER_UNIT } from './vocabulary.ts';

/**
 * UTF-16 units that are tokenised; what is beyond is estimated, because counting stops the event
 * loop: this much takes 0.02 to 0.1 s of ordinary text and about 0.25 s of the worst.
 */
export const COUNTED_UNITS_MAX = 1 << 19;

/** UTF-16 units that are matched at a time: bounds the pattern's backtracking stack. */
const SEGMENT_UNITS_MAX = 8192;

const encoder = new TextEncoder();

const SPACE = 0x20;
const NEWLINE = 0x0a;
const WHITESPACE = /\s/;
const WHITESPACE_OR_SLASH = /[\s/]/;

interface Tokenizer {
  readonly merger: Merger;
  /** A segment in UTF-8. */
  readonly bytes: Uint8Array;
  /** Our own copy, because matching moves its `lastIndex`. */
  readonly pieces: RegExp;
}

/** Built at the first count and kept: 5 MB and 50 ms for a table that never changes. */
let tokenizer: Tokenizer | null = null;

function getTokenizer(): Tokenizer {
  tokenizer ??= {
    merger: createMerger(createVocabulary(o200kBase)),
    bytes: new Uint8Array(SEGMENT_UNITS_MAX * UTF8_BYTES_PER_UNIT),
    pieces: new RegExp(O200K_TOKEN_SPLIT_REGEX),
  };
  return tokenizer;
}

/** Builds the table now (about 50 ms), so that the first count does not. */
export function warmTokenizer(): void {
  getTokenizer();
}

/**
 * Where a segment that starts at `start` may end: before a space that follows something else, where
 * the pattern never matches across, so that the cut changes nothing. A text without one in 4,096
 * units is cut in the middle (never in a surrogate pair), which can add a token or two per segment.
 */
function segmentEnd(text: string, start: number, end: number): number {
  const limit = start + SEGMENT_UNITS_MAX;
  if (limit >= end) return end;
  for (let at = limit; at > limit - SEGMENT_UNITS_MAX / 2; at--) {
    if (text.charCodeAt(at) === SPACE && !WHITESPACE.test(text[at - 1]!)) return at;
    if (text.charCodeAt(at - 1) === NEWLINE && !WHITESPACE_OR_SLASH.test(text[at]!)) return at;
  }
  return isHighSurrogate(text.charCodeAt(limit - 1)) ? limit - 1 : limit;
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/** UTF-8 bytes of `text[from, to)`; a lone surrogate is encoded as U+FFFD, 3 bytes. */
function utf8Bytes(text: string, from: number, to: number): number {
  let bytes = 0;
  for (let i = from; i < to; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isHighSurrogate(unit) && i + 1 < to && isLowSurrogate(text.charCodeAt(i + 1))) {
      bytes += 4;
      i++;
    } else bytes += 3;
  }
  return bytes;
}

function countSegment({ merger, bytes, pieces }: Tokenizer, segment: string): number {
  const { written } = encoder.encodeInto(segment, bytes);
  const isAscii = written === segment.length;
  let tokens = 0;
  let unitFrom = 0;
  let byteFrom = 0;
  pieces.lastIndex = 0;
  // Every character belongs to some alternative, so a piece starts where the one before it ended.
  while (pieces.test(segment)) {
    const unitTo = pieces.lastIndex;
    const byteTo = byteFrom + (isAscii ? unitTo - unitFrom : utf8Bytes(segment, unitFrom, unitTo));
    tokens += merger.tokensOf(bytes, byteFrom, byteTo);
    unitFrom = unitTo;
    byteFrom = byteTo;
  }
  return tokens;
}

/**
 * Tokens of `text`. Never throws: special tokens such as <|endoftext|> count as the text that they
 * are, a lone surrogate as U+FFFD. Exact for the first `unitsMax` units, but that a run longer than
 * MERGE_BYTES_MAX bytes, and a segment without a space or a line's end, can come out a token or two
 * too high. What is beyond is estimated, and never below its floor.
 */
export function countTokens(text: string, unitsMax = COUNTED_UNITS_MAX): number {
  const end = Math.min(text.length, unitsMax);
  let tokens = 0;
  for (let start = 0; start < end; ) {
    const stop = segmentEnd(text, start, end);
    tokens += countSegment(getTokenizer(), text.slice(start, stop));
    start = stop;
  }
  if (end === text.length) return tokens;
  const rest = end === 0 ? text : text.slice(end);
  return tokens + Math.max(estimateTokens(rest), tokenFloor(rest));
}
