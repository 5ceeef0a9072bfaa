/** Arithmetic told as a story: what makes it harder is not what makes other requests harder. */
import { DENSE_FEATURES } from './features.ts';

const indexOf = (name: string): number => {
  const index = DENSE_FEATURES.findIndex((feature) => feature.name === name);
  if (index < 0) throw new RangeError(`no such feature: ${name}`);
  return index;
};

/** The features that a word problem is weighed by; the calibrated data follow their order. */
export const WORD_PROBLEM_FEATURES: readonly number[] = [
  ...['chars', 'words', 'sentences', 'words_each', 'last_sentence', 'longest_sentence'],
  ...['numbers', 'number_word', 'number_share', 'largest_number', 'first_number', 'big_numbers'],
  ...[
    'smallest_number',
    'decimals',
    'percentages',
    'fraction',
    'fractions',
    'prices',
    'years',
    'quantity',
    'sum',
    'calculation',
  ],
  ...['proportion', 'comparative', 'remainder', 'sequence', 'hypothesis', 'measure', 'constraint'],
  ...['conjunction', 'third_person', 'article', 'preposition', 'past', 'names', 'commas', 'dashes'],
  ...['colons', 'word_length', 'long_words', 'distinct_share'],
].map(indexOf);

const CHARS_MIN = Math.log2(60) / 8;
const CHARS_MAX = Math.log2(1_500) / 8;

const CHARS = indexOf('chars');
const OPTIONS = indexOf('options');
const INDENTED = indexOf('indented');
const LATEX = indexOf('latex');
const MATH_SHARE = indexOf('math_share');
const NUMBERS = ['numbers', 'number_word'].map(indexOf);
const ASKING = ['quantity', 'questions', 'sum', 'calculation'].map(indexOf);

/** Prose of a few sentences with a number and a question of quantity; no options, code or formulae. */
export function isWordProblem(dense: Float64Array): boolean {
  const chars = dense[CHARS]!;
  return (
    chars > CHARS_MIN &&
    chars < CHARS_MAX &&
    dense[OPTIONS] === 0 &&
    dense[INDENTED] === 0 &&
    !(dense[LATEX]! > 0 && dense[MATH_SHARE]! > 0.3) &&
    NUMBERS.some((index) => dense[index]! > 0) &&
    ASKING.some((index) => dense[index]! > 0)
  );
}

export const isChoice = (dense: Float64Array): boolean => dense[OPTIONS]! > 0;
