/** Which concept of the lexicon a word names, told by the hash of its folded letters. */
import { fold, HASH_START, hashStep } from './folding.ts';
import { CONCEPTS } from './lexicon.ts';

/** A stem shorter than this is looked up as a whole word only. */
export const PREFIX_CHARS_MIN = 3;

/** Open addressing over the hashes of stems; twice as many slots as stems at least. */
interface StemTable {
  readonly keys: Int32Array;
  /** First of a stem's concepts in CONCEPTS plus one; 0 = empty slot. */
  readonly concepts: Uint8Array;
  readonly mask: number;
}

function buildStems(): { whole: StemTable; prefix: StemTable } {
  const whole: [number, number][] = [];
  const prefix: [number, number][] = [];
  CONCEPTS.forEach(({ stems }, index) => {
    for (const stem of stems.split(' ')) {
      const open = stem.endsWith('*');
      let hash = HASH_START;
      for (const unit of unitsOf(open ? stem.slice(0, -1) : stem)) hash = hashStep(hash, unit);
      (open ? prefix : whole).push([hash, index]);
    }
  });
  return { whole: tableOf(whole), prefix: tableOf(prefix) };
}

function unitsOf(stem: string): number[] {
  return Array.from({ length: stem.length }, (_, i) => fold(stem.charCodeAt(i)));
}

function tableOf(entries: readonly (readonly [hash: number, concept: number])[]): StemTable {
  const size = 2 ** Math.ceil(Math.log2(entries.length * 4));
  const table = { keys: new Int32Array(size), concepts: new Uint8Array(size), mask: size - 1 };
  for (const [hash, concept] of entries) {
    let slot = hash & table.mask;
    while (table.concepts[slot] !== 0 && table.keys[slot] !== hash) slot = (slot + 1) & table.mask;
    // A stem that two concepts share belongs to the first.
    if (table.concepts[slot] !== 0) continue;
    table.keys[slot] = hash;
    table.concepts[slot] = concept + 1;
  }
  return table;
}

/** The stem's concept plus one; 0 = no such stem. */
export function findStem(table: StemTable, hash: number): number {
  let slot = hash & table.mask;
  for (;;) {
    const found = table.concepts[slot]!;
    if (found === 0 || table.keys[slot] === hash) return found;
    slot = (slot + 1) & table.mask;
  }
}

export const STEMS = buildStems();
