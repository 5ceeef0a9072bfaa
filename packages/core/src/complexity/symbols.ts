/** Sorts of symbols, by what they are typical of; a tally counts each. */
export const PROSE = 0;
export const MATHS = 1;
export const CODE = 2;
export const SENTENCE_END = 3;
export const QUESTION = 4;
export const QUOTE = 5;
export const COMMA = 6;
export const COLON = 7;
export const BRACKET = 8;
export const MONEY = 9;
export const PERCENT = 10;
export const DASH = 11;
export const SORTS = 12;

const ASCII = new Uint8Array(0x80);
for (const [symbols, sort] of [
  ['+*^=<>\\|', MATHS],
  ['{}[];_`#&@~/', CODE],
  ['.!', SENTENCE_END],
  ['?', QUESTION],
  ['"\'', QUOTE],
  [',', COMMA],
  [':', COLON],
  ['()', BRACKET],
  ['$', MONEY],
  ['%', PERCENT],
  ['-', DASH],
] as const) {
  for (const symbol of symbols) ASCII[symbol.charCodeAt(0)] = sort;
}

/** Of those above ASCII that matter. */
const OTHERS = new Map<number, number>(
  (
    [
      ['。！', SENTENCE_END],
      ['？¿', QUESTION],
      ['«»“”„‘’「」', QUOTE],
      ['，、', COMMA],
      ['：', COLON],
      ['（）', BRACKET],
      ['€£¥', MONEY],
      ['–—', DASH],
      ['°±×÷', MATHS],
    ] as const
  ).flatMap(([symbols, sort]) => Array.from(symbols, (symbol) => [symbol.charCodeAt(0), sort])),
);

export function sortOf(unit: number): number {
  if (unit < 0x80) return ASCII[unit]!;
  // Superscripts, arrows, operators.
  if (unit >= 0x2070 && unit < 0x2300 && unit !== 0x20ac) return MATHS;
  return OTHERS.get(unit) ?? PROSE;
}
