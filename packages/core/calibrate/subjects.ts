/** Learns vectors of words and subjects: a softmax over the subjects, by AdaGrad (as fastText). */

import { mulberry32 } from '../../../test/support/mulberry32.ts';
import type { Domain } from '../src/complexity/domain.ts';
import { BUCKETS } from '../src/complexity/scan.ts';

export interface Question {
  readonly buckets: Uint16Array;
  readonly subject: string;
  readonly gap: number;
}

const DIMENSIONS = 4;
const EPOCHS = 10;
const RATE = 0.3;
/** Share of the words that are hidden at each step, so that no single one decides. */
const HIDDEN = 0.2;
/** A subject's gain is pulled to the mean as if by this many questions of average gain. */
const QUESTIONS_PRIOR = 15;

class Weights {
  readonly values: Float64Array;
  readonly #squares: Float64Array;
  constructor(size: number, initial: () => number) {
    this.values = Float64Array.from({ length: size }, initial);
    this.#squares = new Float64Array(size).fill(1e-3);
  }
  descend(at: number, gradient: number, rate: number): void {
    this.#squares[at]! += gradient * gradient;
    this.values[at]! -= (rate * gradient) / Math.sqrt(this.#squares[at]!);
  }
}

export function learnDomain(questions: readonly Question[], seed: number): Domain {
  const random = mulberry32(seed);
  const names = [...new Set(questions.map(({ subject }) => subject))];
  const labels = questions.map(({ subject }) => names.indexOf(subject));
  const words = new Weights(BUCKETS * DIMENSIONS, () => (random() - 0.5) * 0.2);
  const heads = new Weights(names.length * DIMENSIONS, () => random() - 0.5);
  const biases = new Weights(names.length, () => 0);
  const order = questions.map((_, i) => i);
  const hidden = new Float64Array(DIMENSIONS);
  const back = new Float64Array(DIMENSIONS);
  const likely = new Float64Array(names.length);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const rate = RATE * (1 - epoch / EPOCHS);
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    for (const i of order) {
      const shown = questions[i]!.buckets.filter(() => random() >= HIDDEN);
      if (shown.length === 0) continue;
      const scale = 1 / Math.sqrt(shown.length);
      hidden.fill(0);
      for (const word of shown) {
        for (let d = 0; d < DIMENSIONS; d++)
          hidden[d]! += words.values[word * DIMENSIONS + d]! * scale;
      }
      softmax(likely, hidden, heads.values, biases.values);
      back.fill(0);
      for (let s = 0; s < names.length; s++) {
        const error = likely[s]! - (s === labels[i] ? 1 : 0);
        // What is next to nothing is left, for speed.
        if (Math.abs(error) < 1e-4) continue;
        for (let d = 0; d < DIMENSIONS; d++) {
          back[d]! += error * heads.values[s * DIMENSIONS + d]!;
          heads.descend(s * DIMENSIONS + d, error * hidden[d]!, rate);
        }
        biases.descend(s, error, rate);
      }
      for (const word of shown) {
        for (let d = 0; d < DIMENSIONS; d++)
          words.descend(word * DIMENSIONS + d, back[d]! * scale, rate);
      }
    }
  }
  return packed(
    words.values,
    heads.values,
    biases.values,
    gainsOf(questions, labels, names.length),
  );
}

function softmax(
  likely: Float64Array,
  hidden: Float64Array,
  heads: Float64Array,
  biases: Float64Array,
): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (let s = 0; s < likely.length; s++) {
    let logit = biases[s]!;
    for (let d = 0; d < DIMENSIONS; d++) logit += heads[s * DIMENSIONS + d]! * hidden[d]!;
    likely[s] = logit;
    largest = Math.max(largest, logit);
  }
  let total = 0;
  for (let s = 0; s < likely.length; s++) total += likely[s] = Math.exp(likely[s]! - largest);
  for (let s = 0; s < likely.length; s++) likely[s]! /= total;
}

/** Mean gap of each subject relative to that of all. */
function gainsOf(questions: readonly Question[], labels: readonly number[], count: number) {
  const mean = questions.reduce((sum, { gap }) => sum + gap, 0) / questions.length;
  const sums = new Array<number>(count).fill(0);
  const counts = new Array<number>(count).fill(QUESTIONS_PRIOR);
  questions.forEach(({ gap }, i) => {
    sums[labels[i]!]! += gap - mean;
    counts[labels[i]!]! += 1;
  });
  return sums.map((sum, s) => sum / counts[s]!);
}

function packed(
  words: Float64Array,
  heads: Float64Array,
  biases: Float64Array,
  gains: readonly number[],
): Domain {
  const largest = words.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const subjects = gains.flatMap((gain, s) => [
    ...heads.subarray(s * DIMENSIONS, (s + 1) * DIMENSIONS),
    biases[s]!,
    gain,
  ]);
  return {
    dimensions: DIMENSIONS,
    vectors: Int8Array.from(words, (value) => Math.round((127 * value) / largest)),
    vectorScale: largest / 127,
    subjects: Float32Array.from(subjects),
  };
}
