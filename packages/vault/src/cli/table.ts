/** Aligned columns; as wide as what is in them, and the last one as long as it wants. */
import { formatSats, msat } from '@arbstr/shared';
import { harmless } from './print.ts';

export interface Column<Row> {
  readonly head: string;
  /** Empty and null are shown as `-`, so that every row has as many words for `awk`. */
  readonly of: (row: Row) => string | null;
  /** Amounts and counts: units stand below units. */
  readonly right?: true;
}

export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [
    columns.map(({ head }) => head),
    ...rows.map((row) => columns.map(({ of }) => harmless(of(row) || '-'))),
  ];
  const widths = columns.map((_, n) => Math.max(...cells.map((line) => length(line[n]!))));
  return cells.map((line) =>
    line
      .map((cell, n) => {
        const gap = ' '.repeat(widths[n]! - length(cell));
        return columns[n]!.right ? gap + cell : cell + gap;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Names and their values, one a line; where a value is null there is none to show. */
export function fields(pairs: readonly (readonly [string, string | null])[]): string[] {
  const shown = pairs.filter(([, value]) => value !== null);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `  ${name.padEnd(width)}  ${harmless(value!)}`);
}

export const sats = (amountMsat: number): string => formatSats(msat(amountMsat));

export const iso = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString();

/** In code points: a column of names in wide scripts is ragged, and nothing worse. */
const length = (text: string): number => [...text].length;
