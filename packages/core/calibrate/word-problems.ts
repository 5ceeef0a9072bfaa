/** Learns the weights of word-problem.ts: a ridge regression of the gap on standardised features. */
import { DENSE_FEATURES } from '../src/complexity/features.ts';
import { isWordProblem, WORD_PROBLEM_FEATURES } from '../src/complexity/word-problem.ts';
import { type Example, meansOf, type Source } from './examples.ts';
import { ridge } from './ridge.ts';

const PENALTY = 300;
/**
 * What length is taken to gain before any evidence, per standard deviation. On the whole of GSM8K,
 * of which half is here, RouteLLM's labels give length alone an APGR of .598.
 */
const LENGTH_PRIOR = 0.06;
/** LLMRouter's word problems are of other kinds than GSM8K's. */
const WEIGHTS: Readonly<Partial<Record<Source, number>>> = {
  gsm8k: 1,
  llmrouter: 0.3,
};

/** Where the length stands in WORD_PROBLEM_FEATURES. */
const CHARS = WORD_PROBLEM_FEATURES.findIndex((f) => DENSE_FEATURES[f]!.name === 'chars');

/** Follows WORD_PROBLEM_FEATURES; the constant comes last. */
export function learnWordProblems(examples: readonly Example[]): Float32Array {
  const mine = examples.filter(
    ({ source, features }) => source in WEIGHTS && isWordProblem(features.dense),
  );
  const size = WORD_PROBLEM_FEATURES.length;
  if (mine.length === 0) return new Float32Array(size + 1);
  const rows = mine.map(({ features }) => WORD_PROBLEM_FEATURES.map((f) => features.dense[f]!));
  // Which set a problem is from must not be what is learned: each set is centred by itself.
  const centres = new Map<Source, readonly number[]>();
  for (const source of new Set(mine.map((example) => example.source))) {
    centres.set(source, columnMeans(rows.filter((_, i) => mine[i]!.source === source)));
  }
  const centred = rows.map((row, i) => row.map((v, j) => v - centres.get(mine[i]!.source)![j]!));
  const spreads = columnMeans(centred.map((row) => row.map((v) => v ** 2))).map(Math.sqrt);
  // A feature that never varies has no spread and gets no weight.
  const standard = centred.map((row) =>
    row.map((v, j) => (spreads[j] === 0 ? 0 : v / spreads[j]!)),
  );
  const means = meansOf(mine);
  const beta = ridge(
    standard,
    mine.map(
      ({ gap, source }, i) => gap - means.get(source)! - LENGTH_PRIOR * standard[i]![CHARS]!,
    ),
    mine.map(({ source }) => WEIGHTS[source]!),
    PENALTY,
  );
  beta[CHARS]! += LENGTH_PRIOR;
  const plain = beta.map((weight, j) => (spreads[j] === 0 ? 0 : weight / spreads[j]!));
  // Zero for the average word problem, whatever set it is from.
  const overall = columnMeans(rows);
  const constant = -plain.reduce((sum, weight, j) => sum + weight * overall[j]!, 0);
  return Float32Array.from([...plain, constant]);
}

function columnMeans(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, j) => rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length);
}
