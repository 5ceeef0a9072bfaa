import { describe, expect, it } from 'vitest';
import { type Boosting, boost, columnsOf } from '../../calibrate/boost.ts';
import { learnDomain } from '../../calibrate/subjects.ts';
import { type Domain, domainGain } from '../../src/complexity/domain.ts';
import { textFeatures } from '../../src/complexity/features.ts';
import { scan } from '../../src/complexity/scan.ts';
import { textPoints } from '../../src/complexity/score.ts';
import { sumOfTrees, type Trees } from '../../src/complexity/trees.ts';
import { DEFAULT_WEIGHTS } from '../../src/complexity/weights.ts';
import { isWordProblem } from '../../src/complexity/word-problem.ts';

describe('trees', () => {
  /** One tree: feature 0 above 0.5 → 7; else feature 1 above 0.2 → 3, else 1. */
  const tree: Trees = {
    leavesPerTree: 3,
    features: Uint8Array.of(0, 1),
    thresholds: Uint8Array.of(50, 20),
    no: Int8Array.of(1, ~0),
    yes: Int8Array.of(~2, ~1),
    leaves: Int8Array.of(1, 3, 7),
  };

  it('are walked from the root to a leaf, where the threshold itself is a no', () => {
    const at = (...values: number[]) => sumOfTrees(tree, Float64Array.from(values));
    expect([at(0.6, 0), at(0.5, 0.3), at(0, 0.2)]).toEqual([7, 3, 1]);
  });

  it('learn what depends on two features at once, and the same by the same seed', () => {
    const rows = Array.from({ length: 400 }, (_, i) => Float64Array.of(i % 2, (i >> 1) % 2, 0.3));
    const targets = Float64Array.from(rows, ([a, b]) => (a === 1 && b === 1 ? 1 : 0));
    const options: Boosting = {
      trees: 30,
      leavesPerTree: 4,
      rate: 0.3,
      rowShare: 0.8,
      featureShare: 1,
      penalty: 1,
      rowsMin: 10,
      seed: 7,
    };
    const grow = () =>
      boost(
        rows,
        columnsOf(rows),
        targets,
        targets.map(() => 1),
        options,
      );
    const grown = grow();
    expect(sumOfTrees(grown, Float64Array.of(1, 1, 0.3))).toBeCloseTo(1, 1);
    expect(sumOfTrees(grown, Float64Array.of(1, 0, 0.3))).toBeCloseTo(0, 1);
    expect(grow()).toEqual(grown);
  });

  it('learn nothing from rows of weight 0', () => {
    const rows = Array.from({ length: 200 }, (_, i) => Float64Array.of(i % 2));
    const targets = Float64Array.from(rows, ([a]) => a!);
    const grown = boost(rows, columnsOf(rows), targets, new Float64Array(200), {
      trees: 2,
      leavesPerTree: 2,
      rate: 1,
      rowShare: 1,
      featureShare: 1,
      penalty: 1,
      rowsMin: 1,
      seed: 1,
    });
    expect(sumOfTrees(grown, Float64Array.of(1))).toBe(0);
  });
});

describe('the subject of a multiple choice', () => {
  it('counts with its gain, by how likely the words make it', () => {
    const question = (bucket: number, subject: string, gap: number) => ({
      buckets: Uint16Array.of(bucket, 9),
      subject,
      gap,
    });
    const questions = Array.from({ length: 100 }, (_, i) =>
      i % 2 === 0 ? question(1, 'easy', 0) : question(2, 'hard', 1),
    );
    const domain = learnDomain(questions, 1);
    const gain = (...buckets: number[]) =>
      domainGain(domain, Uint16Array.from(buckets), buckets.length);
    expect(gain(2, 9)).toBeGreaterThan(0.2);
    expect(gain(1, 9)).toBeLessThan(-0.2);
  });

  it('is worth nothing where none was learned', () => {
    const none: Domain = {
      dimensions: 1,
      vectors: new Int8Array(1),
      vectorScale: 1,
      subjects: new Float32Array(0),
    };
    expect(domainGain(none, Uint16Array.of(0), 1)).toBe(0);
  });
});

describe('a word problem', () => {
  const problem = 'Ann has 12 pears. She gives a third of them to Bob. How many pears are left?';

  it('is told from code, formulae, choices and talk', () => {
    const told = (text: string) => isWordProblem(textFeatures(text).dense);
    expect(told(problem)).toBe(true);
    expect(told('Thanks, see you tomorrow at the station!')).toBe(false);
    expect(told(`${problem}\nA. 4\nB. 8`)).toBe(false);
    expect(told(`${problem}\n    return 4`)).toBe(false);
  });

  it('scores higher with fractions and longer chains than with plain sums', () => {
    const points = (text: string) => textPoints(text, DEFAULT_WEIGHTS);
    const plain =
      'Ann buys 3 pears at $1.50 each and 2 plums at $0.75 each. How much does she pay?';
    const chain =
      'Ann has 12 pears, and Bob has a third more than she does. After giving half of them to Carl and a quarter of the rest to Dora, Bob has twice as many as Emil. How many pears do Ann, Carl, and Emil have together?';
    expect(points(chain)).toBeGreaterThan(points(plain));
  });
});

describe('the numbers of a text', () => {
  it('are read with thousands, decimals, fractions, prices, percentages and years', () => {
    const tally = scan('In 1984 it was $1,250.50, then 40% of 3/4.');
    expect(tally).toMatchObject({
      numbers: 5,
      decimals: 1,
      fractions: 1,
      prices: 1,
      percentages: 1,
      years: 1,
      firstNumber: 1984,
      largestNumber: 1984,
      smallestNumber: 3,
    });
  });

  it('stay finite for thousands of digits', () => {
    expect(scan('9'.repeat(5_000)).largestNumber).toBe(1e12);
  });
});
