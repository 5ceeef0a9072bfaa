/** A conditional write that hit nothing means that memory and disk disagree. */
export function changedOne(result: { changes: number }): void {
  if (result.changes !== 1) throw new Error(`expected to change 1 row, changed ${result.changes}`);
}
