/** Byte-pair merging of one piece, counting only. */
import { NO_RANK, type Vocabulary } from './vocabulary.ts';

/** A heap key holds a position in its low bits, above them a rank (< 2^18): together 30 bits. */
const POSITION_BITS = 12;
const POSITION_MASK = (1 << POSITION_BITS) - 1;

/**
 * Bytes of a piece that are merged together. A longer piece (which prose and code do not have, but
 * 5 MB of one letter is) is cut; a cut can break a token, so a token or two in 4,096 bytes are too
 * many.
 */
export const MERGE_BYTES_MAX = 1 << POSITION_BITS;

export interface Merger {
  /** Tokens of `bytes[from, to)`, which is one piece of the pattern, of any length. */
  tokensOf(bytes: Uint8Array, from: number, to: number): number;
}

/** A minimum heap of small integers with room for `size` of them. */
function createHeap(size: number) {
  const keys = new Int32Array(size);
  let length = 0;
  return {
    push(key: number): void {
      let at = length++;
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (keys[parent]! <= key) break;
        keys[at] = keys[parent]!;
        at = parent;
      }
      keys[at] = key;
    },
    /** The smallest key, or -1 where there is none. */
    pop(): number {
      if (length === 0) return -1;
      const top = keys[0]!;
      const last = keys[--length]!;
      let at = 0;
      for (let child = 1; child < length; child = 2 * at + 1) {
        if (child + 1 < length && keys[child + 1]! < keys[child]!) child++;
        if (keys[child]! >= last) break;
        keys[at] = keys[child]!;
        at = child;
      }
      keys[at] = last;
      return top;
    },
  };
}

/**
 * Merges the pair of lowest rank, leftmost first, until none is left: n log n for n bytes, with a
 * linked list of parts and a heap whose outdated entries are skipped.
 */
export function createMerger(vocabulary: Vocabulary): Merger {
  // Positions are relative to the piece. A part starts at p and ends at next[p].
  const next = new Int32Array(MERGE_BYTES_MAX + 1);
  const previous = new Int32Array(MERGE_BYTES_MAX + 1);
  /** Rank of the part at p together with the one after it. */
  const ranks = new Int32Array(MERGE_BYTES_MAX + 1);
  // At most one entry per byte to begin with and two per merge, of which there are fewer than bytes.
  const heap = createHeap(3 * MERGE_BYTES_MAX);

  function rate(position: number, rank: number): void {
    ranks[position] = rank;
    if (rank !== NO_RANK) heap.push((rank << POSITION_BITS) | position);
  }

  function merge(bytes: Uint8Array, from: number, to: number): number {
    const length = to - from;
    for (let p = 0; p <= length; p++) {
      next[p] = p + 1;
      previous[p] = p - 1;
      rate(
        p,
        p + 1 < length ? vocabulary.rankOfPair(bytes[from + p]!, bytes[from + p + 1]!) : NO_RANK,
      );
    }
    let parts = length;
    for (let key = heap.pop(); key !== -1; key = heap.pop()) {
      const p = key & POSITION_MASK;
      if (ranks[p] !== key >> POSITION_BITS) continue;
      const absorbed = next[p]!;
      const end = next[absorbed]!;
      ranks[absorbed] = NO_RANK;
      next[p] = end;
      previous[end] = p;
      parts--;
      rate(p, end < length ? vocabulary.rankOf(bytes, from + p, from + next[end]!) : NO_RANK);
      const before = previous[p]!;
      if (before >= 0) rate(before, vocabulary.rankOf(bytes, from + before, from + end));
    }
    return parts;
  }

  return {
    tokensOf(bytes, from, to) {
      let tokens = 0;
      let start = from;
      while (to - start > MERGE_BYTES_MAX) {
        tokens += merge(bytes, start, start + MERGE_BYTES_MAX);
        start += MERGE_BYTES_MAX;
      }
      if (vocabulary.rankOf(bytes, start, to) !== NO_RANK) return tokens + 1;
      return tokens + merge(bytes, start, to);
    },
  };
}
