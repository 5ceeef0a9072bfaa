/** Regression trees, packed; packages/core/calibrate grows them. */
export interface Trees {
  /** Slots per tree: `leavesPerTree - 1` nodes, of which the first is the root. */
  readonly leavesPerTree: number;
  /** Per node: the feature asked for, and the value, in STEPS, above which the answer is yes. */
  readonly features: Uint8Array;
  readonly thresholds: Uint8Array;
  /** Per node and answer: a node of the same tree where not negative, else the complement of a leaf. */
  readonly no: Int8Array;
  readonly yes: Int8Array;
  readonly leaves: Int8Array | Float64Array;
}

/** Features are compared in hundredths, so that a threshold fits into a byte. */
export const STEPS = 100;

/** Sum of the leaves that `values` reaches. Visits at most `leavesPerTree - 1` nodes per tree. */
export function sumOfTrees(trees: Trees, values: Float64Array): number {
  const { leavesPerTree, features, thresholds, no, yes, leaves } = trees;
  let sum = 0;
  let leaf = 0;
  for (let root = 0; root < features.length; root += leavesPerTree - 1) {
    let at = 0;
    do {
      const node = root + at;
      at = values[features[node]!]! * STEPS > thresholds[node]! ? yes[node]! : no[node]!;
    } while (at >= 0);
    sum += leaves[leaf + ~at]!;
    leaf += leavesPerTree;
  }
  return sum;
}
