/** What is measured of a text beside the concepts that its words name, about 0…1 each. */
import type { Options } from './options.ts';
import type { Tally } from './scan.ts';
import {
  BRACKET,
  CODE,
  COLON,
  COMMA,
  DASH,
  MATHS,
  MONEY,
  QUESTION,
  QUOTE,
  SENTENCE_END,
} from './symbols.ts';

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

export interface Measured {
  /** What is read of the text. */
  readonly sample: string;
  /** Of the whole text. */
  readonly chars: number;
  readonly tally: Tally;
  readonly options: Options;
  readonly fences: number;
  readonly opening: string;
}

/** Grows with the logarithm of a count: 0 → 0, 1 → 0.25, 15 → 1. */
export const grow = (count: number): number => Math.log2(1 + count) / 4;

type Measure = readonly [name: string, group: FeatureGroup, value: (of: Measured) => number];
type Value = Measure[2];

const has = (yes: boolean): number => (yes ? 1 : 0);
const share = (part: number, of: number, times: number): number =>
  Math.min(1, (times * part) / Math.max(1, of));
const opensWith =
  (pattern: RegExp): Value =>
  ({ opening }) =>
    has(pattern.test(opening));
const symbols =
  (sort: number): Value =>
  ({ tally }) =>
    grow(tally.symbols[sort]!);
const symbolShare =
  (sort: number): Value =>
  ({ tally }) =>
    share(tally.symbols[sort]!, tally.letters, 8);

export const MEASURES: readonly Measure[] = [
  ['chars', 'length', ({ chars }) => Math.log2(1 + chars) / 8],
  ['words', 'length', ({ tally }) => Math.log2(1 + tally.words) / 8],
  ['sentences', 'length', ({ tally }) => grow(tally.sentences)],
  ['longest_sentence', 'length', ({ tally }) => Math.log2(1 + tally.longestSentence) / 6],
  ['last_sentence', 'length', ({ tally }) => Math.log2(1 + tally.lastSentence) / 6],
  ['words_each', 'length', ({ tally }) => share(tally.words, tally.sentences, 1 / 40)],
  ['lines', 'form', ({ tally }) => grow(tally.lines - 1)],
  ['word_length', 'form', ({ tally }) => share(tally.letters, tally.words, 1 / 16)],
  ['long_words', 'form', ({ tally }) => grow(tally.longWords)],
  ['long_word_share', 'form', ({ tally }) => share(tally.longWords, tally.words, 2)],
  ['distinct_share', 'form', ({ tally }) => share(tally.bucketCount, tally.words, 1 / 2)],
  ['capitals', 'form', ({ tally }) => share(tally.capitals, tally.letters, 4)],
  ['names', 'form', ({ tally }) => grow(tally.names)],
  ['name_share', 'form', ({ tally }) => share(tally.names, tally.words, 4)],
  ['sentence_ends', 'form', symbols(SENTENCE_END)],
  ['commas', 'form', symbols(COMMA)],
  ['comma_share', 'form', symbolShare(COMMA)],
  ['colons', 'form', symbols(COLON)],
  ['dashes', 'form', symbols(DASH)],
  ['brackets', 'form', symbols(BRACKET)],
  ['quotes', 'form', symbols(QUOTE)],
  ['questions', 'form', symbols(QUESTION)],
  ['numbers', 'reasoning', ({ tally }) => grow(tally.numbers)],
  ['number_share', 'reasoning', ({ tally }) => share(tally.numbers, tally.words, 4)],
  ['digits_each', 'reasoning', ({ tally }) => share(tally.digits, tally.numbers, 1 / 8)],
  ['decimals', 'reasoning', ({ tally }) => grow(tally.decimals)],
  ['fractions', 'reasoning', ({ tally }) => grow(tally.fractions)],
  ['big_numbers', 'reasoning', ({ tally }) => grow(tally.bigNumbers)],
  ['years', 'reasoning', ({ tally }) => grow(tally.years)],
  ['prices', 'reasoning', ({ tally }) => grow(tally.prices)],
  ['percentages', 'reasoning', ({ tally }) => grow(tally.percentages)],
  ['first_number', 'reasoning', ({ tally }) => Math.log2(1 + tally.firstNumber) / 16],
  ['smallest_number', 'reasoning', ({ tally }) => Math.log2(1 + tally.smallestNumber) / 16],
  ['largest_number', 'reasoning', ({ tally }) => Math.log2(1 + tally.largestNumber) / 16],
  ['math_symbols', 'reasoning', symbols(MATHS)],
  ['math_share', 'reasoning', symbolShare(MATHS)],
  ['money', 'reasoning', symbols(MONEY)],
  ['code_symbols', 'code', symbols(CODE)],
  ['code_share', 'code', symbolShare(CODE)],
  ['fences', 'code', ({ fences }) => grow(fences)],
  ['indented', 'code', ({ sample }) => has(sample.includes('\n    '))],
  ['latex', 'reasoning', ({ sample }) => has(sample.includes('\\'))],
  ['blank', 'form', ({ sample }) => has(sample.includes('__') || sample.includes(' _ '))],
  ['opens_wh', 'form', opensWith(/^(?:q: *)?(?:who|when|where|which|what|whose)\b/)],
  ['opens_how_why', 'form', opensWith(/^(?:q: *)?(?:how|why)\b/)],
  ['opens_lower', 'form', ({ sample }) => has(/^[a-z]/.test(sample))],
  ['opens_condition', 'reasoning', opensWith(/^(?:if|let|suppose|assume|given|consider)\b/)],
  [
    'opens_order',
    'form',
    opensWith(/^(?:write|find|solve|compute|determine|prove|evaluate|explain|give|make|create)\b/),
  ],
  ['ends_asking', 'form', ({ sample }) => has(/[?？]\s*$/.test(sample.slice(-4)))],
  ['ends_open', 'form', ({ sample }) => has(/[\p{L}\p{N}]\s*$/u.test(sample.slice(-4)))],
  ['options', 'form', ({ options }) => options.count / 8],
  ['options_length', 'form', ({ options }) => Math.log2(1 + options.chars) / 8],
  ['options_longest', 'form', ({ options }) => Math.log2(1 + options.longest) / 8],
  ['options_shortest', 'form', ({ options }) => Math.log2(1 + options.shortest) / 8],
  ['options_numeric', 'form', ({ options }) => options.numeric],
  ['stem_length', 'form', ({ options }) => Math.log2(1 + options.stemChars) / 8],
];
