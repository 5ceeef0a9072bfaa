/** Kinds of UTF-16 code units, as far as scanning a prompt for words needs them. */
export const SPACE = 0;
export const NEWLINE = 1;
export const SYMBOL = 2;
export const DIGIT = 3;
export const LETTER = 4;
/** Scripts without spaces (Han, kana): read in pairs of characters. */
export const PAIRED = 5;

const TABLE_SIZE = 0x500;

/** Indexed by code units below 0x500: their kinds. Above, `kindOf` decides by block. */
const KINDS = new Uint8Array(TABLE_SIZE).fill(SYMBOL);
/** Small letter without diacritics for each code unit below 0x500. */
const FOLDED = new Uint16Array(TABLE_SIZE);

for (let unit = 0; unit < TABLE_SIZE; unit++) {
  const text = String.fromCharCode(unit);
  const folded = text.toLowerCase().normalize('NFD').charCodeAt(0);
  FOLDED[unit] = folded;
  if (/\p{L}/u.test(text)) KINDS[unit] = LETTER;
  else if (/\p{Nd}/u.test(text)) KINDS[unit] = DIGIT;
}
KINDS.fill(SPACE, 0, 0x21);
KINDS[0xa0] = SPACE;
KINDS[0x0a] = NEWLINE;
KINDS.fill(LETTER, 0x300, 0x370);

export function kindOf(unit: number): number {
  if (unit < TABLE_SIZE) return KINDS[unit]!;
  if (unit >= 0x3040 && unit < 0xa000) return PAIRED;
  if (unit >= 0xac00 && unit < 0xd7b0) return LETTER;
  if (unit >= 0x1e00 && unit < 0x2000) return LETTER;
  if (unit >= 0x2000 && unit < 0x3040) return unit === 0x3000 ? SPACE : SYMBOL;
  if (unit >= 0xd800 && unit < 0x10000) return SYMBOL;
  return LETTER;
}

export const fold = (unit: number): number => (unit < TABLE_SIZE ? FOLDED[unit]! : unit);

/** FNV-1a over code units, one unit a step. */
export const HASH_START = 0x811c9dc5 | 0;
export const hashStep = (hash: number, unit: number): number => Math.imul(hash ^ unit, 0x01000193);
