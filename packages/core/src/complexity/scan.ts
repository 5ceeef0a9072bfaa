/**
 * One pass over a bounded sample of a text: which concepts its words name, how many numbers, symbols
 * and lines it has, and into which buckets its words and pairs of words hash. Work and memory depend
 * on the sample alone, so that a prompt of any size costs the same.
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

/** UTF-16 code units of a sample's two ends; a shorter text is read whole. */
export const SAMPLE_HEAD_CHARS = 1_600;
export const SAMPLE_TAIL_CHARS = 800;
export const SAMPLE_CHARS = SAMPLE_HEAD_CHARS + SAMPLE_TAIL_CHARS;

/** Buckets of hashed words and word pairs; a power of two. */
export const BUCKETS = 1 << 15;
/** A stem shorter than this is looked up as a whole word only. */
const PREFIX_CHARS_MIN = 3;

export interface Tally {
  /** Matches of each concept of CONCEPTS, by its index. */
  readonly concepts: Uint16Array;
  /** Distinct buckets hit, in order of appearance; `bucketCount` of them are set. */
  readonly buckets: Uint16Array;
  bucketCount: number;
  words: number;
  letters: number;
  capitals: number;
  numbers: number;
  digits: number;
  lines: number;
  /** Symbols by what they are typical of. */
  mathSymbols: number;
  codeSymbols: number;
  sentenceEnds: number;
  questions: number;
  quotes: number;
}

/** The two ends of a long text, else the text. */
export function sampleOf(text: string): string {
  if (text.length <= SAMPLE_CHARS) return text;
  return `${text.slice(0, SAMPLE_HEAD_CHARS)}\n${text.slice(text.length - SAMPLE_TAIL_CHARS + 1)}`;
}

// ── Stems ────────────────────────────────────────────────────────────────────────────────────────

/** Open addressing over the hashes of stems; twice as many slots as stems at least. */
interface StemTable {
  readonly keys: Int32Array;
  /** First of a stem's concepts in CONCEPTS plus one; 0 = empty slot. */
  readonly concepts: Uint8Array;
  readonly mask: number;
}

function buildStems(): { whole: StemTable; prefix: StemTable } {
  const whole: [number, number][] = [];
  const prefix: [number, number][] = [];
  CONCEPTS.forEach(({ stems }, index) => {
    for (const stem of stems.split(' ')) {
      const open = stem.endsWith('*');
      let hash = HASH_START;
      for (const unit of unitsOf(open ? stem.slice(0, -1) : stem)) hash = hashStep(hash, unit);
      (open ? prefix : whole).push([hash, index]);
    }
  });
  return { whole: tableOf(whole), prefix: tableOf(prefix) };
}

function unitsOf(stem: string): number[] {
  return Array.from({ length: stem.length }, (_, i) => fold(stem.charCodeAt(i)));
}

function tableOf(entries: readonly (readonly [hash: number, concept: number])[]): StemTable {
  const size = 2 ** Math.ceil(Math.log2(entries.length * 4));
  const table = { keys: new Int32Array(size), concepts: new Uint8Array(size), mask: size - 1 };
  for (const [hash, concept] of entries) {
    let slot = hash & table.mask;
    while (table.concepts[slot] !== 0 && table.keys[slot] !== hash) slot = (slot + 1) & table.mask;
    // A stem that two concepts share belongs to the first.
    if (table.concepts[slot] !== 0) continue;
    table.keys[slot] = hash;
    table.concepts[slot] = concept + 1;
  }
  return table;
}

/** The stem's concept plus one; 0 = no such stem. */
function findStem(table: StemTable, hash: number): number {
  let slot = hash & table.mask;
  for (;;) {
    const found = table.concepts[slot]!;
    if (found === 0 || table.keys[slot] === hash) return found;
    slot = (slot + 1) & table.mask;
  }
}

const STEMS = buildStems();

// ── Symbols ──────────────────────────────────────────────────────────────────────────────────────

const PROSE = 0;
const MATHS = 1;
const CODE = 2;
const SENTENCE_END = 3;
const QUESTION = 4;
const QUOTE = 5;

const SYMBOLS = new Uint8Array(0x80);
for (const [symbols, sort] of [
  ['+*^=<>%$\\|', MATHS],
  ['{}[]();_`#&@~/', CODE],
  ['.!:', SENTENCE_END],
  ['?', QUESTION],
  ['"\'', QUOTE],
] as const) {
  for (const symbol of symbols) SYMBOLS[symbol.charCodeAt(0)] = sort;
}

function sortOf(unit: number): number {
  if (unit < 0x80) return SYMBOLS[unit]!;
  if (unit === 0x3002 || unit === 0xff01) return SENTENCE_END;
  if (unit === 0xff1f || unit === 0xbf) return QUESTION;
  // Operators, arrows, superscripts; degree, plus-minus, multiplication and division signs.
  if (unit >= 0x2070 && unit < 0x2300) return MATHS;
  return unit === 0xb0 || unit === 0xb1 || unit === 0xd7 || unit === 0xf7 ? MATHS : PROSE;
}

function countSymbol(tally: Tally, unit: number): void {
  switch (sortOf(unit)) {
    case MATHS:
      tally.mathSymbols++;
      break;
    case CODE:
      tally.codeSymbols++;
      break;
    case SENTENCE_END:
      tally.sentenceEnds++;
      break;
    case QUESTION:
      tally.questions++;
      break;
    case QUOTE:
      tally.quotes++;
      break;
  }
}

// ── The pass ─────────────────────────────────────────────────────────────────────────────────────

const emptyTally = (units: number): Tally => ({
  concepts: new Uint16Array(CONCEPTS.length),
  buckets: new Uint16Array(2 * units + 2),
  bucketCount: 0,
  words: 0,
  letters: 0,
  capitals: 0,
  numbers: 0,
  digits: 0,
  lines: 1,
  mathSymbols: 0,
  codeSymbols: 0,
  sentenceEnds: 0,
  questions: 0,
  quotes: 0,
});

/** Never throws, whatever the text holds; lone surrogates are symbols. Reads SAMPLE_CHARS at most. */
export function scan(text: string): Tally {
  const sample = sampleOf(text);
  const tally = emptyTally(sample.length);
  const seen = new Uint32Array(BUCKETS >> 5);
  let previous = HASH_START;
  let i = 0;
  while (i < sample.length) {
    const unit = sample.charCodeAt(i);
    const kind = kindOf(unit);
    if (kind === LETTER || kind === PAIRED) {
      const start = i;
      i = kind === LETTER ? endOfWord(sample, i, tally) : i + 1;
      const word = kind === LETTER ? wordHash : pairHash(sample, start, tally);
      note(tally, seen, word);
      note(tally, seen, hashStep(Math.imul(previous, 31), word));
      previous = word;
      continue;
    }
    i++;
    if (kind === DIGIT) {
      const start = i;
      while (i < sample.length && kindOf(sample.charCodeAt(i)) === DIGIT) i++;
      tally.numbers++;
      tally.digits += i - start + 1;
      // A number is a word by its length: which one it is says nothing.
      const word = hashStep(HASH_START, -Math.min(4, i - start + 1));
      note(tally, seen, word);
      note(tally, seen, hashStep(Math.imul(previous, 31), word));
      previous = word;
    } else if (kind === SYMBOL) {
      countSymbol(tally, unit);
      note(tally, seen, hashStep(HASH_START, unit));
    } else if (kind === NEWLINE) tally.lines++;
    else if (kind !== SPACE) throw new RangeError(`no such kind of character: ${kind}`);
  }
  return tally;
}

/** Hash of the word that `endOfWord` read last: a second result without an object per word. */
let wordHash = HASH_START;

function endOfWord(sample: string, start: number, tally: Tally): number {
  let hash = HASH_START;
  let named = 0;
  let i = start;
  for (; i < sample.length; i++) {
    const unit = sample.charCodeAt(i);
    if (kindOf(unit) !== LETTER) break;
    const folded = fold(unit);
    if (folded !== unit) tally.capitals++;
    hash = hashStep(hash, folded);
    if (i - start + 1 >= PREFIX_CHARS_MIN && named === 0) named = findStem(STEMS.prefix, hash);
  }
  const whole = findStem(STEMS.whole, hash);
  if (whole !== 0) named = whole;
  if (named !== 0) tally.concepts[named - 1]!++;
  tally.words++;
  tally.letters += i - start;
  wordHash = hash;
  return i;
}

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
  if ((at & 1) === 0) tally.words++;
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
