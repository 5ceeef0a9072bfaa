/** Fits the model of src/complexity/model.ts to examples. */
import type { Model } from '../src/complexity/model.ts';
import { isWordProblem, WORD_PROBLEM_FEATURES } from '../src/complexity/word-problem.ts';
import { type Boosting, boost, columnsOf } from './boost.ts';
import type { Example, Source } from './examples.ts';
import { ridge } from './ridge.ts';
import { learnDomain } from './subjects.ts';

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
const WORD_PROBLEM_PENALTY = 100;
/** LLMRouter's word problems are of other kinds than GSM8K's. */
const WORD_PROBLEM_WEIGHTS: Readonly<Partial<Record<Source, number>>> = {
  gsm8k: 1,
  llmrouter: 0.3,
};

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
      wordProblem: wordProblemOf(used),
    };
  };
}

/** Mean gap per source: which set a prompt is from must not be what is learned. */
function meansOf(examples: readonly Example[]): Map<Source, number> {
  const sums = new Map<Source, [sum: number, count: number]>();
  for (const { source, gap } of examples) {
    const [sum, count] = sums.get(source) ?? [0, 0];
    sums.set(source, [sum + gap, count + 1]);
  }
  return new Map(Array.from(sums, ([source, [sum, count]]) => [source, sum / count]));
}

/** Weights of the standardised features, told for the plain ones. */
function wordProblemOf(examples: readonly Example[]): Float32Array {
  const mine = examples.filter(
    ({ source, features }) => source in WORD_PROBLEM_WEIGHTS && isWordProblem(features.dense),
  );
  const size = WORD_PROBLEM_FEATURES.length;
  if (mine.length === 0) return new Float32Array(size + 1);
  const rows = mine.map(({ features }) => WORD_PROBLEM_FEATURES.map((f) => features.dense[f]!));
  const centres = new Map<Source, readonly number[]>();
  for (const source of new Set(mine.map((example) => example.source))) {
    const own = rows.filter((_, i) => mine[i]!.source === source);
    centres.set(source, columnMeans(own));
  }
  const gaps = meansOf(mine);
  const spreads = columnMeans(
    rows.map((row, i) => row.map((v, j) => (v - centres.get(mine[i]!.source)![j]!) ** 2)),
  ).map((variance) => Math.sqrt(variance) + 1e-9);
  const beta = ridge(
    rows.map((row, i) => row.map((v, j) => (v - centres.get(mine[i]!.source)![j]!) / spreads[j]!)),
    mine.map(({ gap, source }) => gap - gaps.get(source)!),
    mine.map(({ source }) => WORD_PROBLEM_WEIGHTS[source]!),
    WORD_PROBLEM_PENALTY,
  ).map((weight, j) => weight / spreads[j]!);
  // Zero for the average word problem, whatever set it is from.
  const overall = columnMeans(rows);
  const constant = -beta.reduce((sum, weight, j) => sum + weight * overall[j]!, 0);
  return Float32Array.from([...beta, constant]);
}

function columnMeans(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length);
}
