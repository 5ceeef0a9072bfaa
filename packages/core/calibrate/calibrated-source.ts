/** The text of `src/complexity/calibrated.ts`. */
import type { Model } from '../src/complexity/model.ts';
import type { Scale } from './scale.ts';

type Packed = Int8Array | Uint8Array | Float32Array | Float64Array;

const base64 = ({ buffer, byteOffset, byteLength }: Packed): string =>
  `'${Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64')}'`;

export function calibratedSource(model: Model, scale: Scale): string {
  const { trees, domain } = model;
  return `/**
 * Learned by packages/core/calibrate/main.ts, which writes this file; docs/complexity.md says how.
 * The order of features is that of DENSE_FEATURES and WORD_PROBLEM_FEATURES.
 */
import type { Model } from './model.ts';

/** A copy, because the bytes of a small Buffer are not aligned. */
const bytes = (text: string): ArrayBuffer => new Uint8Array(Buffer.from(text, 'base64')).buffer;

const model: Model = {
  trees: {
    leavesPerTree: ${trees.leavesPerTree},
    features: new Uint8Array(bytes(${base64(trees.features)})),
    thresholds: new Uint8Array(bytes(${base64(trees.thresholds)})),
    no: new Int8Array(bytes(${base64(trees.no)})),
    yes: new Int8Array(bytes(${base64(trees.yes)})),
    leaves: new Int8Array(bytes(${base64(trees.leaves)})),
  },
  treeScale: ${Number(model.treeScale.toPrecision(5))},
  domain: {
    dimensions: ${domain.dimensions},
    vectors: new Int8Array(bytes(${base64(domain.vectors)})),
    vectorScale: ${Number(domain.vectorScale.toPrecision(5))},
    subjects: new Float32Array(bytes(${base64(domain.subjects)})),
  },
  wordProblem: new Float32Array(bytes(${base64(model.wordProblem)})),
};

export const LEARNED = {
  model,
  offset: ${scale.offset},
  slope: ${scale.slope},
  thresholdLow: ${scale.thresholdLow},
  thresholdHigh: ${scale.thresholdHigh},
};
`;
}
