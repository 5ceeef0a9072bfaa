/**
 * Gradient boosting of regression trees that grow by their best leaf first (as LightGBM's do).
 * Squared loss; deterministic by its seed.
 */

import { mulberry32 } from '../../../test/support/mulberry32.ts';
import { STEPS, type Trees } from '../src/complexity/trees.ts';

export interface Boosting {
  readonly trees: number;
  readonly leavesPerTree: number;
  readonly rate: number;
  /** Shares of the rows and of the features that a tree is grown from. */
  readonly rowShare: number;
  readonly featureShare: number;
  /** Pulls the leaves' values to zero, in units of row weight. */
  readonly penalty: number;
  /** A leaf's rows. */
  readonly rowsMin: number;
  readonly seed: number;
}

const BINS = 48;

interface Column {
  readonly feature: number;
  readonly bins: Uint8Array;
  /** In STEPS; a value v is in bin b when cuts[b - 1] < v <= cuts[b]. */
  readonly cuts: readonly number[];
}

/** Bins of about equal counts. */
function columnOf(rows: readonly Float64Array[], feature: number): Column {
  const sorted = Float64Array.from(rows, (row) => row[feature]! * STEPS).sort();
  const cuts = new Set<number>();
  for (let b = 0; b < BINS - 1; b++) {
    const cut = Math.floor(sorted[Math.floor((b * sorted.length) / (BINS - 1))]!);
    if (cut < 255 && sorted.at(-1)! > cut) cuts.add(cut);
  }
  const ordered = [...cuts].sort((a, b) => a - b);
  const bins = Uint8Array.from(rows, (row) => {
    let bin = 0;
    while (bin < ordered.length && row[feature]! * STEPS > ordered[bin]!) bin++;
    return bin;
  });
  return { feature, bins, cuts: ordered };
}

/** Columns of the features that take more than one value. */
export const columnsOf = (rows: readonly Float64Array[]): Column[] =>
  Array.from(rows[0]!, (_, feature) => columnOf(rows, feature)).filter(
    ({ cuts }) => cuts.length > 0,
  );

interface Leaf {
  readonly rows: Uint32Array;
  /** Per candidate column, BINS triples of Σ weight·residual, Σ weight and rows. */
  readonly histogram: Float64Array;
  readonly split: Split | null;
  /** Where the leaf hangs: the node's slot and answer; none at the root. */
  readonly parent: { readonly node: number; readonly side: 'no' | 'yes' } | null;
}

interface Split {
  readonly gain: number;
  readonly column: number;
  readonly cut: number;
}

/** `columns` are the rows', by columnsOf. A row of weight 0 is left out. */
export function boost(
  rows: readonly Float64Array[],
  columns: readonly Column[],
  targets: Float64Array,
  weights: Float64Array,
  options: Boosting,
): Trees {
  const { trees, leavesPerTree, rate, penalty, rowsMin } = options;
  const random = mulberry32(options.seed);
  const slots = trees * (leavesPerTree - 1);
  const grown = {
    leavesPerTree,
    features: new Uint8Array(slots),
    thresholds: new Uint8Array(slots),
    no: new Int8Array(slots).fill(-1),
    yes: new Int8Array(slots).fill(-1),
    leaves: new Float64Array(trees * leavesPerTree),
  };
  const residual = targets.slice();
  const known = Uint32Array.from(targets.keys()).filter((i) => weights[i]! > 0);

  for (let tree = 0; tree < trees; tree++) {
    const root = tree * (leavesPerTree - 1);
    const candidates = columns.filter(() => random() < options.featureShare);
    const leafOf = (of: Uint32Array, histogram: Float64Array, parent: Leaf['parent']): Leaf => ({
      rows: of,
      histogram,
      parent,
      split: bestSplit(candidates, histogram, penalty, rowsMin),
    });
    const count = (of: Uint32Array): Float64Array => histogramOf(candidates, of, residual, weights);
    const drawn = known.filter(() => random() < options.rowShare);
    const leaves: Leaf[] = [leafOf(drawn, count(drawn), null)];
    for (let node = 0; node < leavesPerTree - 1; node++) {
      let best = -1;
      leaves.forEach(({ split }, i) => {
        if (split !== null && (best < 0 || split.gain > leaves[best]!.split!.gain)) best = i;
      });
      if (best < 0) break;
      const leaf = leaves[best]!;
      const { column, cut } = leaf.split!;
      const { feature, bins, cuts } = candidates[column]!;
      grown.features[root + node] = feature;
      grown.thresholds[root + node] = cuts[cut]!;
      if (leaf.parent !== null) grown[leaf.parent.side][root + leaf.parent.node] = node;
      const below = leaf.rows.filter((i) => bins[i]! <= cut);
      const above = leaf.rows.filter((i) => bins[i]! > cut);
      // The larger side's histogram is what the smaller one's leaves of the parent's.
      const small = count(below.length < above.length ? below : above);
      const large = leaf.histogram.map((value, at) => value - small[at]!);
      const [low, high] = below.length < above.length ? [small, large] : [large, small];
      leaves[best] = leafOf(below, low, { node, side: 'no' });
      leaves.push(leafOf(above, high, { node, side: 'yes' }));
    }
    leaves.forEach(({ rows: own, parent }, leaf) => {
      if (parent === null) return;
      grown[parent.side][root + parent.node] = ~leaf;
      let sum = 0;
      let mass = penalty;
      for (const i of own) {
        sum += weights[i]! * residual[i]!;
        mass += weights[i]!;
      }
      grown.leaves[tree * leavesPerTree + leaf] = (rate * sum) / mass;
    });
    if (leaves.length > 1) descend(grown, tree, rows, residual);
  }
  return grown;
}

function histogramOf(
  columns: readonly Column[],
  rows: Uint32Array,
  residual: Float64Array,
  weights: Float64Array,
): Float64Array {
  const histogram = new Float64Array(columns.length * BINS * 3);
  columns.forEach(({ bins }, c) => {
    const from = c * BINS * 3;
    for (let k = 0; k < rows.length; k++) {
      const i = rows[k]!;
      const at = from + bins[i]! * 3;
      histogram[at]! += weights[i]! * residual[i]!;
      histogram[at + 1]! += weights[i]!;
      histogram[at + 2]! += 1;
    }
  });
  return histogram;
}

function bestSplit(
  columns: readonly Column[],
  histogram: Float64Array,
  penalty: number,
  rowsMin: number,
): Split | null {
  let best: Split | null = null;
  columns.forEach(({ cuts }, column) => {
    const from = column * BINS * 3;
    let [sum, mass, rows] = [0, 0, 0];
    for (let bin = 0; bin <= cuts.length; bin++) {
      sum += histogram[from + bin * 3]!;
      mass += histogram[from + bin * 3 + 1]!;
      rows += histogram[from + bin * 3 + 2]!;
    }
    const whole = (sum * sum) / (mass + penalty);
    let [low, lowMass, lowRows] = [0, 0, 0];
    for (let cut = 0; cut < cuts.length; cut++) {
      low += histogram[from + cut * 3]!;
      lowMass += histogram[from + cut * 3 + 1]!;
      lowRows += histogram[from + cut * 3 + 2]!;
      if (lowRows < rowsMin || rows - lowRows < rowsMin) continue;
      const gain =
        (low * low) / (lowMass + penalty) + (sum - low) ** 2 / (mass - lowMass + penalty) - whole;
      if (gain > (best?.gain ?? 0)) best = { gain, column, cut };
    }
  });
  return best;
}

/** Takes what the tree says of each row off its residual. */
function descend(
  { leavesPerTree, features, thresholds, no, yes, leaves }: Trees,
  tree: number,
  rows: readonly Float64Array[],
  residual: Float64Array,
): void {
  const root = tree * (leavesPerTree - 1);
  rows.forEach((values, i) => {
    let at = 0;
    do {
      const node = root + at;
      at = values[features[node]!]! * STEPS > thresholds[node]! ? yes[node]! : no[node]!;
    } while (at >= 0);
    residual[i]! -= leaves[tree * leavesPerTree + ~at]!;
  });
}
