/** The options of a multiple choice. */
export interface Options {
  readonly count: number;
  /** Average length, and that of the longest and the shortest. */
  readonly chars: number;
  readonly longest: number;
  readonly shortest: number;
  /** Share of the options that start with a digit, a sign or a currency. */
  readonly numeric: number;
  /** Length of what stands before the first; 0 where there are no options. */
  readonly stemChars: number;
}

const NO_OPTIONS: Options = {
  count: 0,
  chars: 0,
  longest: 0,
  shortest: 0,
  numeric: 0,
  stemChars: 0,
};
const OPTIONS_MAX = 10;

/** Lines that start with a letter from A on and a full stop or bracket, in order. */
export function optionsOf(sample: string): Options {
  let count = 0;
  let chars = 0;
  let longest = 0;
  let shortest = Number.POSITIVE_INFINITY;
  let numeric = 0;
  let stemChars = 0;
  for (let line = sample.indexOf('\n'); line >= 0; line = sample.indexOf('\n', line + 1)) {
    const at = sample[line + 1] === '(' ? line + 2 : line + 1;
    const end = sample.charCodeAt(at + 1);
    // A full stop or a closing bracket after the letter that is due.
    if ((sample.charCodeAt(at) | 0x20) !== 0x61 + count || (end !== 0x2e && end !== 0x29)) continue;
    if (count === 0) stemChars = line;
    const next = sample.indexOf('\n', at);
    const option = sample.slice(at + 2, next < 0 ? sample.length : next).trimStart();
    chars += option.length;
    longest = Math.max(longest, option.length);
    shortest = Math.min(shortest, option.length);
    if (/^[-−$€£√(]?\d/.test(option)) numeric++;
    if (++count === OPTIONS_MAX) break;
  }
  if (count < 2) return NO_OPTIONS;
  return { count, chars: chars / count, longest, shortest, numeric: numeric / count, stemChars };
}
