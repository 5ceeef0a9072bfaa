/**
 * The dense features of a text: its length, its shape, and the concepts that its words name. Each
 * belongs to a group that an operator can weigh. Their order is part of the calibrated data, so a
 * change here means calibrating anew.
 */
import { CONCEPTS } from './lexicon.ts';
import { type FeatureGroup, grow, MEASURES, type Measured } from './measures.ts';
import { optionsOf } from './options.ts';
import { sampleOf, scan } from './scan.ts';

export interface TextFeatures {
  /** One value per entry of DENSE_FEATURES, about 0…1 each. */
  readonly dense: Float64Array;
  readonly buckets: Uint16Array;
  readonly bucketCount: number;
}

export interface DenseFeature {
  readonly name: string;
  readonly group: FeatureGroup;
}

export const DENSE_FEATURES: readonly DenseFeature[] = [
  ...MEASURES.map(([name, group]) => ({ name, group })),
  ...CONCEPTS.map(({ name, group }) => ({ name, group })),
  ...CONCEPTS.map(({ name, group }) => ({ name: `${name}_dense`, group })),
];

/** Of one text. Bounded work: everything but its length is measured on a sample. */
export function textFeatures(text: string): TextFeatures {
  const sample = sampleOf(text);
  const tally = scan(sample);
  const measured: Measured = {
    sample,
    chars: text.length,
    tally,
    options: optionsOf(sample),
    fences: countFences(sample),
    opening: sample.slice(0, 24).trimStart().toLowerCase(),
  };
  const dense = new Float64Array(DENSE_FEATURES.length);
  let at = 0;
  for (const [, , value] of MEASURES) dense[at++] = value(measured);
  const words = Math.max(8, tally.words);
  for (const count of tally.concepts) dense[at++] = grow(count);
  for (const count of tally.concepts) dense[at++] = Math.min(1, (8 * count) / words);
  return { dense, buckets: tally.buckets, bucketCount: tally.bucketCount };
}

function countFences(sample: string): number {
  let count = 0;
  for (let at = sample.indexOf('```'); at >= 0; at = sample.indexOf('```', at + 3)) count++;
  return count;
}
