/** Weighted ridge regression on sparse rows by conjugate gradients: deterministic, no seed needed. */
export interface Row {
  readonly indexes: Int32Array;
  readonly values: Float64Array;
}

export interface Fit {
  readonly rows: readonly Row[];
  readonly targets: readonly number[];
  /** Of each row. */
  readonly weights: readonly number[];
  /** Of each feature: how strongly its weight is pulled to zero. */
  readonly penalties: Float64Array;
  readonly iterations: number;
}

/** Weights that minimise Σ wᵢ (xᵢ·β − yᵢ)² + Σ λⱼ βⱼ². */
export function ridge({ rows, targets, weights, penalties, iterations }: Fit): Float64Array {
  const size = penalties.length;
  const beta = new Float64Array(size);
  const residual = new Float64Array(size);
  for (const [i, row] of rows.entries()) addScaled(residual, row, weights[i]! * targets[i]!);
  const direction = residual.slice();
  let norm = square(residual);
  for (let step = 0; step < iterations && norm > 1e-10; step++) {
    const image = direction.map((value, j) => value * penalties[j]!);
    for (const [i, row] of rows.entries()) {
      addScaled(image, row, weights[i]! * dot(row, direction));
    }
    let curvature = 0;
    for (let j = 0; j < size; j++) curvature += direction[j]! * image[j]!;
    const length = norm / curvature;
    for (let j = 0; j < size; j++) {
      beta[j]! += length * direction[j]!;
      residual[j]! -= length * image[j]!;
    }
    const next = square(residual);
    for (let j = 0; j < size; j++) direction[j] = residual[j]! + (next / norm) * direction[j]!;
    norm = next;
  }
  return beta;
}

export function dot(row: Row, beta: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < row.indexes.length; k++) sum += row.values[k]! * beta[row.indexes[k]!]!;
  return sum;
}

function addScaled(to: Float64Array, row: Row, factor: number): void {
  for (let k = 0; k < row.indexes.length; k++) to[row.indexes[k]!]! += factor * row.values[k]!;
}

function square(vector: Float64Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return sum;
}
