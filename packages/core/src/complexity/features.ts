/**
 * The dense features of a text: its length, its shape, and the concepts that its words name. Each
 * belongs to a group that an operator can weigh. Their order is part of the calibrated data, so a
 * change here means calibrating anew.
 */
import { CONCEPTS } from './lexicon.ts';
import { sampleOf, scan, type Tally } from './scan.ts';

/** Groups of features, as `[routing.complexity_weights]` names them. */
export const FEATURE_GROUPS = [
  'words',
  'domain',
  'form',
  'reasoning',
  'code',
  'length',
  'conversation',
  'tools',
  'images',
  'output',
] as const;
export type FeatureGroup = (typeof FEATURE_GROUPS)[number];

export interface TextFeatures {
  /** One value per entry of DENSE_FEATURES, about 0…1 each. */
  readonly dense: Float64Array;
  readonly buckets: Uint16Array;
  readonly bucketCount: number;
}

/** log2 of the characters, where the slope of what length says may change. */
const LENGTH_KNOTS = [4, 5, 6, 7, 8, 9, 10, 11] as const;

type Measure = readonly [name: string, group: FeatureGroup, value: (of: Measured) => number];

interface Measured {
  readonly text: string;
  readonly tally: Tally;
  readonly options: Options;
  readonly fences: number;
  readonly opening: string;
}

/** Grows with the logarithm of a count: 0 → 0, 1 → 0.25, 15 → 1. */
const grow = (count: number): number => Math.log2(1 + count) / 4;
const has = (yes: boolean): number => (yes ? 1 : 0);
const opensWith =
  (pattern: RegExp) =>
  ({ opening }: Measured): number =>
    has(pattern.test(opening));

const MEASURES: readonly Measure[] = [
  ...LENGTH_KNOTS.map(
    (knot): Measure => [
      `length_${2 ** knot}`,
      'length',
      ({ text }) => Math.max(0, Math.log2(1 + text.length) - knot) / 4,
    ],
  ),
  ['sentences', 'length', ({ tally }) => grow(tally.sentenceEnds)],
  ['lines', 'form', ({ tally }) => grow(tally.lines - 1)],
  ['word_length', 'form', ({ tally }) => Math.min(2, tally.letters / Math.max(1, tally.words) / 8)],
  [
    'capitals',
    'form',
    ({ tally }) => Math.min(1, (4 * tally.capitals) / Math.max(1, tally.letters)),
  ],
  ['numbers', 'reasoning', ({ tally }) => grow(tally.numbers)],
  ['numbers_many', 'reasoning', ({ tally }) => Math.max(0, grow(tally.numbers) - 0.6)],
  [
    'digits_each',
    'reasoning',
    ({ tally }) => Math.min(2, tally.digits / Math.max(1, tally.numbers) / 4),
  ],
  [
    'number_share',
    'reasoning',
    ({ tally }) => Math.min(1, (4 * tally.numbers) / Math.max(1, tally.words)),
  ],
  ['math_symbols', 'reasoning', ({ tally }) => grow(tally.mathSymbols)],
  [
    'math_share',
    'reasoning',
    ({ tally }) => Math.min(1, (8 * tally.mathSymbols) / Math.max(1, tally.letters)),
  ],
  ['code_symbols', 'code', ({ tally }) => grow(tally.codeSymbols)],
  [
    'code_share',
    'code',
    ({ tally }) => Math.min(1, (8 * tally.codeSymbols) / Math.max(1, tally.letters)),
  ],
  ['fences', 'code', ({ fences }) => grow(fences)],
  ['questions', 'form', ({ tally }) => grow(tally.questions)],
  ['no_question', 'form', ({ tally }) => has(tally.questions === 0)],
  ['quotes', 'form', ({ tally }) => grow(tally.quotes)],
  ['blank', 'form', ({ text }) => has(text.includes('__') || text.includes(' _ '))],
  ['opens_wh', 'form', opensWith(/^(?:q: *)?(?:who|when|where|which|what|whose)\b/)],
  ['opens_how_why', 'form', opensWith(/^(?:q: *)?(?:how|why)\b/)],
  ['opens_lower', 'form', ({ text }) => has(/^[a-z]/.test(text))],
  ['opens_condition', 'reasoning', opensWith(/^(?:if|let|suppose|assume|given|consider)\b/)],
  [
    'opens_order',
    'form',
    opensWith(/^(?:write|find|solve|compute|determine|prove|evaluate|explain|give|make|create)\b/),
  ],
  ['options', 'form', ({ options }) => has(options.count >= 2)],
  ['options_length', 'form', ({ options }) => Math.log2(1 + options.chars) / 8],
  ['options_numeric', 'form', ({ options }) => options.numeric],
  ['stem_length', 'form', ({ options }) => Math.log2(1 + options.stemChars) / 8],
  [
    'stem_length_long',
    'form',
    ({ options }) => Math.max(0, Math.log2(1 + options.stemChars) / 8 - 1),
  ],
];

export interface DenseFeature {
  readonly name: string;
  readonly group: FeatureGroup;
}

export const DENSE_FEATURES: readonly DenseFeature[] = [
  ...MEASURES.map(([name, group]) => ({ name, group })),
  ...CONCEPTS.map(({ name, group }) => ({ name, group })),
  ...CONCEPTS.map(({ name, group }) => ({ name: `${name}_dense`, group })),
];

/** Of one text. Bounded work: everything but its length is measured on a sample. */
export function textFeatures(text: string): TextFeatures {
  const sample = sampleOf(text);
  const tally = scan(sample);
  const measured: Measured = {
    text: sample.length === text.length ? text : sample,
    tally,
    options: optionsOf(sample),
    fences: countFences(sample),
    opening: sample.slice(0, 24).trimStart().toLowerCase(),
  };
  const dense = new Float64Array(DENSE_FEATURES.length);
  let at = 0;
  for (const [, , value] of MEASURES) dense[at++] = value(measured);
  const words = Math.max(8, tally.words);
  for (const count of tally.concepts) dense[at++] = Math.min(1, grow(count));
  for (const count of tally.concepts) dense[at++] = Math.min(1, (8 * count) / words);
  return { dense, buckets: tally.buckets, bucketCount: tally.bucketCount };
}

function countFences(sample: string): number {
  let count = 0;
  for (let at = sample.indexOf('```'); at >= 0; at = sample.indexOf('```', at + 3)) count++;
  return count;
}

// ── Multiple choice ──────────────────────────────────────────────────────────────────────────────

interface Options {
  readonly count: number;
  /** Average length. */
  readonly chars: number;
  /** Share of the options that start with a digit, a sign or a currency. */
  readonly numeric: number;
  /** Length of what stands before the first; 0 where there are no options. */
  readonly stemChars: number;
}

const NO_OPTIONS: Options = { count: 0, chars: 0, numeric: 0, stemChars: 0 };
const OPTIONS_MAX = 10;

/** Lines that start with a letter from A on and a full stop or bracket, in order. */
function optionsOf(sample: string): Options {
  let count = 0;
  let chars = 0;
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
    if (/^[-−$€£√(]?\d/.test(option)) numeric++;
    if (++count === OPTIONS_MAX) break;
  }
  return count < 2
    ? NO_OPTIONS
    : { count, chars: chars / count, numeric: numeric / count, stemChars };
}
