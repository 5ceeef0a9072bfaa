/** Seeded chance (mulberry32), so that a failing run can be run again: CRASH_SEED=… */
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
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
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
