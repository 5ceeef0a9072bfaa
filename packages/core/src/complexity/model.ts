/**
 * What the words and shape of a text are worth. Trees read every text; where it is a multiple choice
 * its subject counts besides, and where it is a word problem a sum of its own features.
 */
import { type Domain, domainGain } from './domain.ts';
import { DENSE_FEATURES, type TextFeatures } from './features.ts';
import { sumOfTrees, type Trees } from './trees.ts';
import { type ComplexityWeights, DEFAULT_WEIGHTS } from './weights.ts';
import { isChoice, isWordProblem, WORD_PROBLEM_FEATURES } from './word-problem.ts';

export interface Model {
  readonly trees: Trees;
  /** Of a leaf's value. */
  readonly treeScale: number;
  readonly domain: Domain;
  /** Follows WORD_PROBLEM_FEATURES; its last entry is the constant. */
  readonly wordProblem: Float64Array | Float32Array;
}

/** Neither part may outweigh the trees: a text far from all that was learned from stays in their range. */
const PART_MAX = 0.3;

const bounded = (value: number): number => Math.max(-PART_MAX, Math.min(PART_MAX, value));

/** Expected gain of a better model relative to the mean of the prompts that were learned from. */
export function expectedGain(
  model: Model,
  { dense, buckets, bucketCount }: TextFeatures,
  weights: ComplexityWeights = DEFAULT_WEIGHTS,
): number {
  const values =
    weights === DEFAULT_WEIGHTS
      ? dense
      : dense.map((value, i) => value * weights[DENSE_FEATURES[i]!.group]);
  let gain = model.treeScale * sumOfTrees(model.trees, values);
  if (isChoice(dense)) {
    gain += weights.words * bounded(domainGain(model.domain, buckets, bucketCount));
  } else if (isWordProblem(dense)) gain += bounded(wordProblemGain(model.wordProblem, values));
  return gain;
}

function wordProblemGain(weights: Model['wordProblem'], values: Float64Array): number {
  let gain = weights[WORD_PROBLEM_FEATURES.length]!;
  for (let i = 0; i < WORD_PROBLEM_FEATURES.length; i++) {
    gain += weights[i]! * values[WORD_PROBLEM_FEATURES[i]!]!;
  }
  return gain;
}
