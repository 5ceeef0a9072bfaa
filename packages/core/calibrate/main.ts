/**
 * Calibrates the complexity score and writes `src/complexity/calibrated.ts`.
 *
 *     node packages/core/calibrate/main.ts FOLDER [--write]
 *
 * FOLDER holds `mmlu.jsonl`, `gsm8k.jsonl` and `llmrouter.jsonl` (docs/complexity.md says what they
 * are). Without `--write` it prints the out-of-fold figures alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DENSE_FEATURES, textFeatures } from '../src/complexity/features.ts';
import { BUCKETS } from '../src/complexity/scan.ts';
import { curveOf } from './curve.ts';
import { dot, type Row, ridge } from './ridge.ts';
import { TRAFFIC } from './traffic.ts';

const SOURCES = ['mmlu', 'gsm8k', 'llmrouter', 'traffic'] as const;
type Source = (typeof SOURCES)[number];

interface Example {
  readonly source: Source;
  readonly text: string;
  readonly gap: number;
  /** What is left out together where the question is whether it carries over to other subjects. */
  readonly subject: string;
  readonly row: Row;
}

const DENSE = DENSE_FEATURES.length;
const SIZE = DENSE + BUCKETS + SOURCES.length;
const PENALTY_DENSE = 8;
const PENALTY_WORD = 8;
const PENALTY_SOURCE = 1e-3;
const ITERATIONS = 60;
/** The few anchors count for more than a prompt each. */
const WEIGHTS: Record<Source, number> = { mmlu: 1, gsm8k: 2, llmrouter: 2, traffic: 8 };
const FOLDS = 5;

function rowOf(text: string, source: Source): Row {
  const { dense, buckets, bucketCount } = textFeatures(text);
  const indexes = new Int32Array(DENSE + bucketCount + 1);
  const values = new Float64Array(indexes.length);
  for (let i = 0; i < DENSE; i++) {
    indexes[i] = i;
    values[i] = dense[i]!;
  }
  for (let i = 0; i < bucketCount; i++) {
    indexes[DENSE + i] = DENSE + buckets[i]!;
    values[DENSE + i] = 1 / Math.sqrt(bucketCount);
  }
  indexes[indexes.length - 1] = DENSE + BUCKETS + SOURCES.indexOf(source);
  values[indexes.length - 1] = 1;
  return { indexes, values };
}

interface Labelled {
  prompt: string;
  strong?: number;
  weak?: number;
  domain?: string;
  scores?: Record<string, number>;
}

/** Family of a task, told by its form: LLMRouter mixes several and does not name them. */
function familyOf(text: string): string {
  if (/^Q: There (?:is|are)/.test(text)) return 'house puzzles';
  if (/ {2,}_ {2,}\./.test(text)) return 'cloze';
  if (/boxed|\$.*\$.*\?|how (?:many|much)/i.test(text)) return 'word problems';
  if (/^(?:write|create) a (?:python )?function|^write/i.test(text)) return 'code';
  if (/^[a-z]/.test(text)) return 'lookup';
  return text.length < 130 ? 'short' : 'long';
}

function read(folder: string): Example[] {
  const examples: Example[] = [];
  for (const source of ['mmlu', 'gsm8k', 'llmrouter'] as const) {
    const lines = readFileSync(path.join(folder, `${source}.jsonl`), 'utf8')
      .trim()
      .split('\n');
    for (const line of lines) {
      const { prompt, strong, weak, domain, scores } = JSON.parse(line) as Labelled;
      const gap =
        scores === undefined
          ? strong! - weak!
          : scores['llama-3.1-nemotron-51b-instruct']! - scores['mistral-7b-instruct-v0.3']!;
      const subject = domain ?? (source === 'llmrouter' ? familyOf(prompt) : source);
      examples.push({ source, text: prompt, gap, subject, row: rowOf(prompt, source) });
    }
  }
  for (const { kind, tier, text } of TRAFFIC) {
    examples.push({
      source: 'traffic',
      text,
      gap: tier / 2,
      subject: kind,
      row: rowOf(text, 'traffic'),
    });
  }
  return examples;
}

function fit(examples: readonly Example[]): Float64Array {
  const penalties = new Float64Array(SIZE).fill(PENALTY_WORD);
  penalties.fill(PENALTY_DENSE, 0, DENSE).fill(PENALTY_SOURCE, DENSE + BUCKETS);
  const beta = ridge({
    rows: examples.map(({ row }) => row),
    targets: examples.map(({ gap }) => gap),
    weights: examples.map(({ source }) => WEIGHTS[source]),
    penalties,
    iterations: ITERATIONS,
  });
  // Which set a prompt is from is known while learning alone.
  return beta.fill(0, DENSE + BUCKETS);
}

/** Each example's score by a fit that has not seen any of its part. */
function outOfFold(examples: readonly Example[], partOf: (example: Example, i: number) => string) {
  const parts = examples.map(partOf);
  const scores = new Array<number>(examples.length).fill(0);
  for (const part of new Set(parts)) {
    const beta = fit(examples.filter((_, i) => parts[i] !== part));
    examples.forEach(({ row }, i) => {
      if (parts[i] === part) scores[i] = dot(row, beta);
    });
  }
  return scores;
}

function print(title: string, examples: readonly Example[], scores: readonly number[]): void {
  for (const source of ['mmlu', 'gsm8k', 'llmrouter'] as const) {
    const mine = examples.map((_, i) => i).filter((i) => examples[i]!.source === source);
    const gaps = mine.map((i) => examples[i]!.gap);
    const { apgr, cpt50, cpt80 } = curveOf(
      mine.map((i) => scores[i]!),
      gaps,
    );
    const figures = `${apgr.toFixed(3)}  ${cpt50.toFixed(1)}  ${cpt80.toFixed(1)}`;
    process.stdout.write(`${title.padEnd(28)} ${source.padEnd(10)} ${figures}\n`);
  }
}

/** A fixed shuffle: every fifth of a multiplicative hash of the position. */
const foldOf = (_: Example, i: number): string =>
  String((Math.imul(i + 1, 0x9e3779b1) >>> 8) % FOLDS);

/** Spread of the points: the standard deviation over the traffic is about this many. */
const SPREAD = 1.2;
const SHARE_LOCAL = 0.4;
const SHARE_BELOW_FRONTIER = 0.75;

function write(examples: readonly Example[]): void {
  const beta = fit(examples);
  const traffic = examples
    .filter(({ source }) => source === 'traffic')
    .map(({ row }) => dot(row, beta));
  const mean = traffic.reduce((sum, value) => sum + value, 0) / traffic.length;
  const variance = traffic.reduce((sum, value) => sum + (value - mean) ** 2, 0) / traffic.length;
  const slope = SPREAD / Math.sqrt(variance);
  const points = traffic.map((value) => slope * (value - mean)).sort((a, b) => a - b);
  const at = (share: number): string =>
    (1 / (1 + Math.exp(-points[Math.floor(share * points.length)]!))).toFixed(3);
  const words = beta.subarray(DENSE, DENSE + BUCKETS);
  const largest = words.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  const bytes = Int8Array.from(words, (weight) => Math.round((127 * weight) / largest));
  const dense = Array.from(beta.subarray(0, DENSE), (weight) =>
    Number((slope * weight).toFixed(4)),
  );
  const text = `/**
 * Learned by packages/core/calibrate/main.ts, which writes this file; docs/complexity.md says how.
 * \`dense\` follows DENSE_FEATURES. \`buckets\` holds a signed byte per bucket of hashed words.
 */
export const LEARNED = {
  offset: ${(-slope * mean).toFixed(4)},
  thresholdLow: ${at(SHARE_LOCAL)},
  thresholdHigh: ${at(SHARE_BELOW_FRONTIER)},
  dense: Float64Array.of(${dense.join(', ')}),
  bucketScale: ${((slope * largest) / 127).toPrecision(5)},
  buckets: new Int8Array(
    Buffer.from('${Buffer.from(bytes.buffer).toString('base64')}', 'base64'),
  ),
};
`;
  writeFileSync(new URL('../src/complexity/calibrated.ts', import.meta.url), text);
}

const [folder, flag] = process.argv.slice(2);
if (folder === undefined || (flag !== undefined && flag !== '--write')) {
  process.stderr.write('usage: node packages/core/calibrate/main.ts FOLDER [--write]\n');
  process.exit(2);
}
const examples = read(folder);
if (flag === '--write') write(examples);
else {
  process.stdout.write('                                        APGR   CPT50 CPT80\n');
  print(
    'prompt length',
    examples,
    examples.map(({ text }) => text.length),
  );
  print('5 random folds', examples, outOfFold(examples, foldOf));
  print(
    'a source left out',
    examples,
    outOfFold(examples, ({ source }) => source),
  );
  // Groups of subjects, so that the number of fits stays small.
  const groups = [...new Set(examples.map(({ source, subject }) => `${source}/${subject}`))];
  const groupOf = new Map(groups.map((name, i) => [name, String(i % 12)]));
  print(
    'subjects left out',
    examples,
    outOfFold(examples, (e) => groupOf.get(`${e.source}/${e.subject}`)!),
  );
}
