/**
 * Calibrates the complexity score and writes `src/complexity/calibrated.ts`.
 *
 *     npx pnpm@12 exec node packages/core/calibrate/main.ts FOLDER [--write]
 *
 * FOLDER holds `mmlu.jsonl`, `gsm8k.jsonl` and `llmrouter.jsonl` (docs/complexity.md says what they
 * are). Without `--write` it prints the out-of-fold figures alone. Deterministic.
 * What it writes is formatted by `npx pnpm@12 exec biome check --write packages/core/src/complexity`.
 */
import { writeFileSync } from 'node:fs';
import { expectedGain } from '../src/complexity/model.ts';
import { calibratedSource } from './calibrated-source.ts';
import { curveOf } from './curve.ts';
import { type Example, readExamples, SETS } from './examples.ts';
import { fitter } from './fit.ts';
import { printShares } from './report.ts';
import { anchored } from './scale.ts';

const FOLDS = 5;
/** Groups of subjects, so that the number of fits stays small. */
const SUBJECT_GROUPS = 12;

type PartOf = (example: Example, i: number) => number;

/** A fixed shuffle: every fifth of a multiplicative hash of the position. */
const foldOf: PartOf = (_, i) => (Math.imul(i + 1, 0x9e3779b1) >>> 8) % FOLDS;

function subjectGroups(examples: readonly Example[]): PartOf {
  const names = [...new Set(examples.map(({ source, subject }) => `${source}/${subject}`))];
  const groups = new Map(names.map((name, i) => [name, i % SUBJECT_GROUPS]));
  return ({ source, subject }) => groups.get(`${source}/${subject}`)!;
}

/** Each example's gain as expected by a fit that has not seen any of its part. */
function outOfFold(examples: readonly Example[], partOf: PartOf): number[] {
  const parts = examples.map(partOf);
  const fit = fitter(examples);
  const gains = new Array<number>(examples.length).fill(0);
  for (const part of new Set(parts)) {
    const model = fit((i) => parts[i] !== part);
    examples.forEach(({ features }, i) => {
      if (parts[i] === part) gains[i] = expectedGain(model, features);
    });
  }
  return gains;
}

function print(title: string, examples: readonly Example[], scores: readonly number[]): void {
  for (const source of SETS) {
    const mine = examples.map((_, i) => i).filter((i) => examples[i]!.source === source);
    const { apgr, cpt50, cpt80, deciles } = curveOf(
      mine.map((i) => scores[i]!),
      mine.map((i) => examples[i]!.gap),
    );
    const figures = `${apgr.toFixed(3)}  ${cpt50.toFixed(1)}  ${cpt80.toFixed(1)}`;
    const curve = deciles.map((share) => share.toFixed(2)).join(' ');
    process.stdout.write(`${title.padEnd(28)} ${source.padEnd(10)} ${figures}  ${curve}\n`);
  }
}

const [folder, flag] = process.argv.slice(2);
if (folder === undefined || (flag !== undefined && flag !== '--write')) {
  process.stderr.write('usage: node packages/core/calibrate/main.ts FOLDER [--write]\n');
  process.exit(2);
}
const examples = readExamples(folder);
const unseen = outOfFold(examples, foldOf);
if (flag === '--write') {
  const model = fitter(examples)(() => true);
  const scale = anchored(examples, unseen);
  const file = new URL('../src/complexity/calibrated.ts', import.meta.url);
  writeFileSync(file, calibratedSource(model, scale));
} else {
  process.stdout.write(
    '                                        APGR   CPT50 CPT80 recovered at 10 … 90 %\n',
  );
  print(
    'prompt length',
    examples,
    examples.map(({ text }) => text.length),
  );
  print('5 random folds', examples, unseen);
  printShares(examples, unseen, anchored(examples, unseen));
  const sources = [...new Set(examples.map(({ source }) => source))];
  print(
    'a source left out',
    examples,
    outOfFold(examples, ({ source }) => sources.indexOf(source)),
  );
  print('subjects left out', examples, outOfFold(examples, subjectGroups(examples)));
}
