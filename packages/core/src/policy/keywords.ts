/** Keywords as whole words: "code" is not in "encoded", and Straße is a word. */

/** Characters of a text that are looked at, at its start and at its end. */
const LOOKED_AT_CHARS = 16_384;

/** null where there are none. Case does not matter. */
export function keywordPattern(keywords: readonly string[]): RegExp | null {
  if (keywords.length === 0) return null;
  const words = keywords.map((keyword) =>
    RegExp.escape(keyword.trim()).replace(/(?:\\x20|\s)+/g, '\\s+'),
  );
  return new RegExp(`(?<![\\p{L}\\p{N}_])(?:${words.join('|')})(?![\\p{L}\\p{N}_])`, 'iu');
}

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
