/**
 * A lower bound on `countTokens` in one pass, so that a plausible report costs no tokenising.
 *
 * The tokenizer first cuts a text by a pattern and never makes a token across a cut, so the number
 * of places where the pattern surely cuts, plus one, is a bound. The sure ones are listed in CUTS;
 * where a character could belong to either side nothing is assumed.
 */

const UNKNOWN = 0;
const LETTER = 1;
const DIGIT = 2;
/** ASCII symbols but the apostrophe, which can be that of "it's". */
const SYMBOL = 3;
const SPACE = 4;
const NEWLINE = 5;
/** Anything else of which only one thing is sure: it is not whitespace. */
const VISIBLE = 6;
const KIND_BITS = 3;

const SURE: readonly (readonly [before: number, after: number])[] = [
  // No piece has whitespace after anything else, but for line ends after symbols.
  [LETTER, SPACE],
  [DIGIT, SPACE],
  [SYMBOL, SPACE],
  [VISIBLE, SPACE],
  [LETTER, NEWLINE],
  [DIGIT, NEWLINE],
  // Digits stand alone, without the space before them.
  [LETTER, DIGIT],
  [DIGIT, LETTER],
  [DIGIT, SYMBOL],
  [SPACE, DIGIT],
  // A word takes one character before it, but no line's end, and none after it.
  [NEWLINE, LETTER],
  [NEWLINE, DIGIT],
  [LETTER, SYMBOL],
];

/** 1 where the pattern cuts between two kinds, at [before << KIND_BITS | after]. */
const CUTS = new Uint8Array(1 << (2 * KIND_BITS));
for (const [before, after] of SURE) CUTS[(before << KIND_BITS) | after] = 1;

/** Controls are UNKNOWN: some are whitespace. */
const KINDS = new Uint8Array(128).fill(SYMBOL, 0x21, 0x7f);
KINDS.fill(DIGIT, 0x30, 0x3a).fill(LETTER, 0x41, 0x5b).fill(LETTER, 0x61, 0x7b);
KINDS[0x27] = VISIBLE;
KINDS[0x20] = SPACE;
KINDS[0x09] = SPACE;
KINDS[0x0a] = NEWLINE;
KINDS[0x0d] = NEWLINE;

/** Blocks of 256 code units that have whitespace in them; the other blocks have none. */
const hasWhitespace = (block: number): boolean =>
  block === 0x00 || block === 0x16 || block === 0x20 || block === 0x30 || block === 0xfe;

/** At most as many tokens as `countTokens(text)` has, at least 1 unless it is empty. Never throws. */
export function tokenFloor(text: string): number {
  if (text === '') return 0;
  let cuts = 0;
  let digits = 0;
  let before = UNKNOWN;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    let kind: number;
    if (unit < 0x80) kind = KINDS[unit]!;
    else kind = hasWhitespace(unit >> 8) ? UNKNOWN : VISIBLE;
    cuts += CUTS[(before << KIND_BITS) | kind]!;
    if (kind === DIGIT) {
      digits = before === DIGIT ? digits + 1 : 1;
      // A piece has three digits at most, so the fourth, the seventh … start a new one.
      if (digits > 1 && digits % 3 === 1) cuts++;
    }
    before = kind;
  }
  return cuts + 1;
}
