import type { Generator } from '../load/generator.ts';
import type { Row } from '../report.ts';

export interface Run {
  /** For databases and logs of this run. */
  readonly folder: string;
  readonly generator: Generator;
  /** A minute instead of six: fewer and shorter rounds, and no database of 10⁶ reservations. */
  readonly quick: boolean;
  /** For CPU profiles of what is measured; they cost a tenth of the speed. */
  readonly profileFolder: string | undefined;
  say(line: string): void;
}

export interface Suite {
  readonly name: string;
  measure(run: Run): Promise<Row[]>;
}

/** Rounds of one figure, and how long each contender is measured in each. */
export interface Plan {
  readonly rounds: number;
  readonly measureMs: number;
}
