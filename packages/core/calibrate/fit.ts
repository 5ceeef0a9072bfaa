/** Fits the model of src/complexity/model.ts to examples. */
import type { Model } from '../src/complexity/model.ts';
import { type Boosting, boost, columnsOf } from './boost.ts';
import { type Example, meansOf, type Source } from './examples.ts';
import { learnDomain } from './subjects.ts';
import { learnWordProblems } from './word-problems.ts';

const SEED = 1;
const BOOSTING: Boosting = {
  trees: 250,
  leavesPerTree: 16,
  rate: 0.03,
  rowShare: 0.7,
  featureShare: 0.3,
  penalty: 10,
  rowsMin: 60,
  seed: SEED,
};
/** The few anchors count for more than a prompt each. */
const WEIGHTS: Readonly<Record<Source, number>> = { mmlu: 1, gsm8k: 2, llmrouter: 2, traffic: 8 };
/** Fits on the examples that `use` names; a fit per fold shares the columns. */
export function fitter(examples: readonly Example[]): (use: (i: number) => boolean) => Model {
  const rows = examples.map(({ features }) => features.dense);
  const columns = columnsOf(rows);
  return (use) => {
    const used = examples.filter((_, i) => use(i));
    const means = meansOf(used);
    const targets = Float64Array.from(
      examples,
      ({ gap, source }) => gap - (means.get(source) ?? 0),
    );
    const weights = Float64Array.from(examples, ({ source }, i) => (use(i) ? WEIGHTS[source] : 0));
    const trees = boost(rows, columns, targets, weights, BOOSTING);
    const values = Float64Array.from(trees.leaves);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const leaves = Int8Array.from(values, (value) => Math.round((127 * value) / largest));
    const questions = used.filter(({ source }) => source === 'mmlu');
    return {
      trees: { ...trees, leaves },
      treeScale: largest / 127,
      domain: learnDomain(
        questions.map(({ features: { buckets, bucketCount }, subject, gap }) => ({
          buckets: buckets.subarray(0, bucketCount),
          subject,
          gap,
        })),
        SEED,
      ),
      wordProblem: learnWordProblems(used),
    };
  };
}
