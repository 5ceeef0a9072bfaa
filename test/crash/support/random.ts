/** Seeded chance, so that a failing run can be run again: CRASH_SEED=… */
import { mulberry32 } from '../../support/mulberry32.ts';

export interface Random {
  readonly seed: number;
  /** 0 ≤ x < 1. */
  next(): number;
  /** An integer, both ends included. */
  int(min: number, max: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** Chance of its own for `name`, so that what others draw changes nothing for it. */
  fork(name: string): Random;
}

export function createRandom(seed = seedOfThisRun()): Random {
  const next = mulberry32(seed);
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    seed,
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => list[int(0, list.length - 1)]!,
    fork: (name) => createRandom(hashOf(`${seed} ${name}`)),
  };
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

function seedOfThisRun(): number {
  const given = Number(process.env.CRASH_SEED);
  return given > 0 ? given : 1 + Math.floor(Math.random() * 2 ** 31);
}

/** Adds to a failure what is needed to see it again. */
export async function seeded<T>(run: (random: Random) => Promise<T>): Promise<T> {
  const random = createRandom();
  try {
    return await run(random);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`with CRASH_SEED=${random.seed}: ${message}`, { cause: error });
  }
}
