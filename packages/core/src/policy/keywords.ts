/**
 * Keywords as whole words: "code" is not in "encoded", and Straße is a word. Scripts without spaces
 * between words have no such boundaries: there a keyword is found wherever it stands.
 */

/** Chinese, Japanese, Thai, Lao, Khmer, Burmese; with the signs that are shared, such as "ー". */
const SPACELESS =
  '\\p{scx=Han}\\p{scx=Hira}\\p{scx=Kana}\\p{scx=Thai}\\p{scx=Laoo}\\p{scx=Khmr}\\p{scx=Mymr}';
/** A character that, beside a keyword, makes both one longer word. */
const OF_A_WORD = `[[\\p{L}\\p{N}_]--[${SPACELESS}]]`;
const BEGINS_SPACELESS = new RegExp(`^[${SPACELESS}]`, 'v');
const ENDS_SPACELESS = new RegExp(`[${SPACELESS}]$`, 'v');

/** Characters of a text that are looked at, at its start and at its end. */
const LOOKED_AT_CHARS = 16_384;

/** null where there are none. Case does not matter. */
export function keywordPattern(keywords: readonly string[]): RegExp | null {
  if (keywords.length === 0) return null;
  // By their boundaries, which are looked at once for all of them: per keyword it costs milliseconds.
  const groups = Map.groupBy(
    keywords.map((keyword) => keyword.trim()),
    boundariesOf,
  );
  const alternatives = [...groups].map(([boundaries, words]) =>
    boundaries.replace('WORDS', () => words.map(escaped).join('|')),
  );
  return new RegExp(alternatives.join('|'), 'iv');
}

function boundariesOf(word: string): string {
  const before = BEGINS_SPACELESS.test(word) ? '' : `(?<!${OF_A_WORD})`;
  const after = ENDS_SPACELESS.test(word) ? '' : `(?!${OF_A_WORD})`;
  return `${before}(?:WORDS)${after}`;
}

const escaped = (word: string): string => RegExp.escape(word).replace(/(?:\\x20|\s)+/g, '\\s+');

/** The text of the last user message, shortened in the middle. */
export function lastUserText(messages: readonly Readonly<Record<string, unknown>>[]): string {
  const message = messages.findLast(({ role }) => role === 'user');
  const { content } = message ?? {};
  if (typeof content === 'string') return shortened(content);
  if (!Array.isArray(content)) return '';
  const texts = content.map((part: { text?: unknown } | null) =>
    typeof part?.text === 'string' ? shortened(part.text) : '',
  );
  return shortened(texts.join('\n'));
}

function shortened(text: string): string {
  if (text.length <= 2 * LOOKED_AT_CHARS) return text;
  return `${text.slice(0, LOOKED_AT_CHARS)}\n${text.slice(-LOOKED_AT_CHARS)}`;
}
