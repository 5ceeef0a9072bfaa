/**
 * One pass over a bounded sample of a text: which concepts its words name, what numbers, symbols,
 * sentences and lines it has, and into which buckets its words hash. Work and memory depend on the
 * sample alone, so that a prompt of any size costs the same.
 */
import {
  DIGIT,
  fold,
  HASH_START,
  hashStep,
  kindOf,
  LETTER,
  NEWLINE,
  PAIRED,
  SPACE,
  SYMBOL,
} from './folding.ts';
import { CONCEPTS } from './lexicon.ts';
import { findStem, PREFIX_CHARS_MIN, STEMS } from './stems.ts';
import { MONEY, PERCENT, QUESTION, SENTENCE_END, SORTS, sortOf } from './symbols.ts';

/** UTF-16 code units of a sample's two ends; a shorter text is read whole. */
export const SAMPLE_HEAD_CHARS = 1_600;
export const SAMPLE_TAIL_CHARS = 800;
export const SAMPLE_CHARS = SAMPLE_HEAD_CHARS + SAMPLE_TAIL_CHARS;

/** Buckets of hashed words; a power of two. */
export const BUCKETS = 1 << 12;
const LONG_WORD_LETTERS = 8;
const BIG_NUMBER = 100;
/** A whole number in this range without a unit is most often a year. */
const YEARS = [1_400, 2_100] as const;

export interface Tally {
  /** Matches of each concept of CONCEPTS, by its index. */
  readonly concepts: Uint16Array;
  /** Symbols of each sort of symbols.ts. */
  readonly symbols: Uint16Array;
  /** Distinct buckets hit, in order of appearance; `bucketCount` of them are set. */
  readonly buckets: Uint16Array;
  bucketCount: number;
  words: number;
  longWords: number;
  letters: number;
  capitals: number;
  /** Words with a capital inside of a sentence. */
  names: number;
  numbers: number;
  digits: number;
  decimals: number;
  /** Written as 3/4. */
  fractions: number;
  bigNumbers: number;
  years: number;
  prices: number;
  percentages: number;
  firstNumber: number;
  smallestNumber: number;
  largestNumber: number;
  lines: number;
  /** Words of the sentence that is being read, and of the one before it. */
  sentenceWords: number;
  lastSentence: number;
  longestSentence: number;
  sentences: number;
}

/** The two ends of a long text, else the text. */
export function sampleOf(text: string): string {
  if (text.length <= SAMPLE_CHARS) return text;
  return `${text.slice(0, SAMPLE_HEAD_CHARS)}\n${text.slice(text.length - SAMPLE_TAIL_CHARS + 1)}`;
}

const emptyTally = (units: number): Tally => ({
  concepts: new Uint16Array(CONCEPTS.length),
  symbols: new Uint16Array(SORTS),
  buckets: new Uint16Array(Math.min(units, BUCKETS)),
  bucketCount: 0,
  words: 0,
  longWords: 0,
  letters: 0,
  capitals: 0,
  names: 0,
  numbers: 0,
  digits: 0,
  decimals: 0,
  fractions: 0,
  bigNumbers: 0,
  years: 0,
  prices: 0,
  percentages: 0,
  firstNumber: 0,
  smallestNumber: 0,
  largestNumber: 0,
  lines: 1,
  sentenceWords: 0,
  lastSentence: 0,
  longestSentence: 0,
  sentences: 0,
});

/** Never throws, whatever the text holds; lone surrogates are symbols. Reads SAMPLE_CHARS at most. */
export function scan(text: string): Tally {
  const sample = sampleOf(text);
  const tally = emptyTally(sample.length);
  const seen = new Uint32Array(BUCKETS >> 5);
  let i = 0;
  while (i < sample.length) {
    const unit = sample.charCodeAt(i);
    const kind = kindOf(unit);
    if (kind === LETTER) {
      i = readWord(sample, i, tally);
      note(tally, seen, wordHash);
    } else if (kind === PAIRED) note(tally, seen, pairHash(sample, i++, tally));
    else if (kind === DIGIT) {
      const start = i;
      i = readNumber(sample, i, tally);
      // A number is a word by its length: which one it is says nothing.
      note(tally, seen, hashStep(HASH_START, -Math.min(4, i - start)));
    } else {
      i++;
      if (kind === SYMBOL) {
        const sort = sortOf(unit);
        tally.symbols[sort]!++;
        if (sort === SENTENCE_END || sort === QUESTION) endSentence(tally);
      } else if (kind === NEWLINE) {
        tally.lines++;
        endSentence(tally);
      } else if (kind !== SPACE) throw new RangeError(`no such kind of character: ${kind}`);
    }
  }
  endSentence(tally);
  return tally;
}

/** A mark ends a sentence where words stand before it. */
function endSentence(tally: Tally): void {
  if (tally.sentenceWords === 0) return;
  tally.sentences++;
  tally.longestSentence = Math.max(tally.longestSentence, tally.sentenceWords);
  tally.lastSentence = tally.sentenceWords;
  tally.sentenceWords = 0;
}

/** Hash of the word that `readWord` read last: a second result without an object per word. */
let wordHash = HASH_START;

/** Returns where the word that starts at `start` ends. */
function readWord(sample: string, start: number, tally: Tally): number {
  let hash = HASH_START;
  let named = 0;
  let i = start;
  for (; i < sample.length; i++) {
    const unit = sample.charCodeAt(i);
    if (kindOf(unit) !== LETTER) break;
    const folded = fold(unit);
    if (folded !== unit) {
      tally.capitals++;
      if (i === start && tally.sentenceWords > 0) tally.names++;
    }
    hash = hashStep(hash, folded);
    if (i - start + 1 >= PREFIX_CHARS_MIN && named === 0) named = findStem(STEMS.prefix, hash);
  }
  const whole = findStem(STEMS.whole, hash);
  if (whole !== 0) named = whole;
  if (named !== 0) tally.concepts[named - 1]!++;
  tally.words++;
  tally.sentenceWords++;
  if (i - start >= LONG_WORD_LETTERS) tally.longWords++;
  tally.letters += i - start;
  wordHash = hash;
  return i;
}

/** Returns where the number ends: digits, with commas and full stops between them. */
function readNumber(sample: string, start: number, tally: Tally): number {
  let value = 0;
  let scale = 0;
  let i = start;
  for (; i < sample.length; i++) {
    const unit = sample.charCodeAt(i);
    if (kindOf(unit) === DIGIT) {
      const digit = unit - 0x30;
      if (scale === 0) value = Math.min(1e12, value * 10 + digit);
      else value += digit * scale;
      if (scale !== 0) scale /= 10;
      tally.digits++;
    } else if (unit === 0x2e && scale === 0 && isDigit(sample, i + 1)) scale = 0.1;
    else if (unit !== 0x2c || !isDigit(sample, i + 1)) break;
  }
  if (tally.numbers++ === 0) tally.firstNumber = tally.smallestNumber = value;
  tally.smallestNumber = Math.min(tally.smallestNumber, value);
  tally.largestNumber = Math.max(tally.largestNumber, value);
  if (scale !== 0) tally.decimals++;
  else if (value >= YEARS[0] && value <= YEARS[1]) tally.years++;
  if (value >= BIG_NUMBER) tally.bigNumbers++;
  if (start > 1 && sample[start - 1] === '/' && isDigit(sample, start - 2)) tally.fractions++;
  if (start > 0 && sortOf(sample.charCodeAt(start - 1)) === MONEY) tally.prices++;
  if (i < sample.length && sortOf(sample.charCodeAt(i)) === PERCENT) tally.percentages++;
  return i;
}

const isDigit = (sample: string, at: number): boolean =>
  at < sample.length && kindOf(sample.charCodeAt(at)) === DIGIT;

/** A character of a script without spaces, with the one after it: about half a word. */
function pairHash(sample: string, at: number, tally: Tally): number {
  let hash = hashStep(HASH_START, sample.charCodeAt(at));
  if (at + 1 < sample.length) {
    const next = sample.charCodeAt(at + 1);
    if (kindOf(next) === PAIRED) hash = hashStep(hash, next);
  }
  const named = findStem(STEMS.whole, hash);
  if (named !== 0) tally.concepts[named - 1]!++;
  tally.letters++;
  if ((at & 1) === 0) {
    tally.words++;
    tally.sentenceWords++;
  }
  return hash;
}

/** Marks a word's bucket, once per text. */
function note(tally: Tally, seen: Uint32Array, hash: number): void {
  // The low bits of FNV are its weakest.
  const bucket = (Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 16) & (BUCKETS - 1);
  const bit = 1 << (bucket & 31);
  if ((seen[bucket >> 5]! & bit) !== 0) return;
  seen[bucket >> 5]! |= bit;
  tally.buckets[tally.bucketCount++] = bucket;
}
