/** Weights that minimise Σ wᵢ (xᵢ·β − yᵢ)² + penalty·|β|², for a few dozen features. */
export function ridge(
  rows: readonly (readonly number[])[],
  targets: readonly number[],
  weights: readonly number[],
  penalty: number,
): number[] {
  const size = rows[0]!.length;
  // The normal equations with their right side as last column.
  const system = Array.from({ length: size }, (_, j) => {
    const line = new Float64Array(size + 1);
    line[j] = penalty;
    return line;
  });
  rows.forEach((row, i) => {
    for (let j = 0; j < size; j++) {
      const scaled = weights[i]! * row[j]!;
      const line = system[j]!;
      for (let k = 0; k < size; k++) line[k]! += scaled * row[k]!;
      line[size]! += scaled * targets[i]!;
    }
  });
  // They are positive definite, so elimination needs no pivoting.
  for (let j = 0; j < size; j++) {
    for (let below = j + 1; below < size; below++) {
      const factor = system[below]![j]! / system[j]![j]!;
      for (let k = j; k <= size; k++) system[below]![k]! -= factor * system[j]![k]!;
    }
  }
  const beta = new Array<number>(size).fill(0);
  for (let j = size - 1; j >= 0; j--) {
    let rest = system[j]![size]!;
    for (let k = j + 1; k < size; k++) rest -= system[j]![k]! * beta[k]!;
    beta[j] = rest / system[j]![j]!;
  }
  return beta;
}
