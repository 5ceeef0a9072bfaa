/**
 * The token table of a byte-pair encoding as flat typed arrays: 5 MB for the 200,000 tokens of
 * o200k_base, and a lookup that allocates nothing. (A `Map` of strings takes ten times that, and
 * makes a new string per lookup, which is most of the time of a merge.)
 */

/** What no rank can be: larger than all of them, so that a minimum search skips it. */
export const NO_RANK = 0x7fffffff;

/** Ranks are below 2^18 = 262,144. */
export const RANK_WIDTH = 18;

/** Tokens in rank order: text, or bytes where the token is not valid UTF-8 by itself. */
export type RankedTokens = readonly (string | readonly number[])[];

export interface Vocabulary {
  /** Rank of the token that is exactly `bytes[from, to)`, or NO_RANK. */
  rankOf(bytes: Uint8Array, from: number, to: number): number;
  /** The same for two bytes; the first step of each merge asks for nothing else. */
  rankOfPair(first: number, second: number): number;
}

const RANK_BITS = (1 << RANK_WIDTH) - 1;
const HASH_BITS = ~RANK_BITS;

interface Arena {
  readonly bytes: Uint8Array;
  /** Token r is `bytes[offsets[r], offsets[r + 1])`. */
  readonly offsets: Uint32Array;
  readonly tokenBytesMax: number;
}

/** UTF-8 takes at most 3 bytes per UTF-16 code unit. */
export const UTF8_BYTES_PER_UNIT = 3;

function layOut(tokens: RankedTokens): Arena {
  const sizeMax = tokens.reduce((sum, token) => sum + token.length * UTF8_BYTES_PER_UNIT, 0);
  const scratch = new Uint8Array(sizeMax);
  const offsets = new Uint32Array(tokens.length + 1);
  const encoder = new TextEncoder();
  let end = 0;
  let tokenBytesMax = 0;
  tokens.forEach((token, rank) => {
    if (typeof token === 'string') end += encoder.encodeInto(token, scratch.subarray(end)).written;
    else {
      scratch.set(token, end);
      end += token.length;
    }
    offsets[rank + 1] = end;
    tokenBytesMax = Math.max(tokenBytesMax, end - offsets[rank]!);
  });
  return { bytes: scratch.slice(0, end), offsets, tokenBytesMax };
}

/** FNV-1a, with its high bits folded down because the table's index takes the low ones. */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash ^ (hash >>> 15);
}

export function createVocabulary(tokens: RankedTokens): Vocabulary {
  const { bytes: arena, offsets, tokenBytesMax } = layOut(tokens);
  // A power of two at least twice the number of tokens: probe chains stay short.
  const mask = 2 ** Math.ceil(Math.log2(tokens.length * 2 + 1)) - 1;
  /** rank + 1 below, bits of the hash above; 0 = empty. Open addressing, linear probing. */
  const slots = new Int32Array(mask + 1);
  const pairs = new Int32Array(0x10000).fill(NO_RANK);

  for (let rank = 0; rank < tokens.length; rank++) {
    const from = offsets[rank]!;
    const to = offsets[rank + 1]!;
    const hash = hashOf(arena, from, to);
    let slot = hash & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = (hash & HASH_BITS) | (rank + 1);
    if (to - from === 2) pairs[(arena[from]! << 8) | arena[from + 1]!] = rank;
  }

  const isToken = (rank: number, bytes: Uint8Array, from: number, to: number): boolean => {
    let at = offsets[rank]!;
    if (offsets[rank + 1]! - at !== to - from) return false;
    for (let i = from; i < to; i++) if (arena[at++] !== bytes[i]) return false;
    return true;
  };

  return {
    rankOf(bytes, from, to) {
      if (to - from > tokenBytesMax) return NO_RANK;
      const hash = hashOf(bytes, from, to);
      let slot = hash & mask;
      for (let entry = slots[slot]!; entry !== 0; entry = slots[slot]!) {
        if (((entry ^ hash) & HASH_BITS) === 0) {
          const rank = (entry & RANK_BITS) - 1;
          if (isToken(rank, bytes, from, to)) return rank;
        }
        slot = (slot + 1) & mask;
      }
      return NO_RANK;
    },
    rankOfPair: (first, second) => pairs[(first << 8) | second]!,
  };
}
