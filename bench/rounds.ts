/**
 * Interleaved rounds: every contender is measured in every round, in a rotating order, so that a
 * machine that slows down does so for all of them.
 */
import { type Spread, spreadOf } from './statistics.ts';

/** One round of one contender: figure → value. */
export type Figures = Readonly<Record<string, number>>;

export interface Contender {
  readonly name: string;
  measure(): Promise<Figures>;
}

export class Rounds {
  readonly #rounds: readonly ReadonlyMap<string, Figures>[];

  constructor(rounds: readonly ReadonlyMap<string, Figures>[]) {
    this.#rounds = rounds;
  }

  /** `figure` of `name` over all rounds. */
  of(name: string, figure: string): Spread {
    return this.derive((round) => round(name, figure));
  }

  /** A value that is computed from several contenders' figures of the same round. */
  derive(compute: (value: (name: string, figure: string) => number) => number): Spread {
    return spreadOf(
      this.#rounds.map((round) =>
        compute((name, figure) => {
          const value = round.get(name)?.[figure];
          if (value === undefined) throw new Error(`${name} has no ${figure}`);
          return value;
        }),
      ),
    );
  }

  has(name: string, figure: string): boolean {
    return this.#rounds.every((round) => round.get(name)?.[figure] !== undefined);
  }
}

export async function interleave(
  rounds: number,
  contenders: readonly Contender[],
): Promise<Rounds> {
  const measured: Map<string, Figures>[] = [];
  for (let round = 0; round < rounds; round++) {
    const figures = new Map<string, Figures>();
    for (let nth = 0; nth < contenders.length; nth++) {
      const contender = contenders[(round + nth) % contenders.length]!;
      figures.set(contender.name, await contender.measure());
    }
    measured.push(figures);
  }
  return new Rounds(measured);
}
