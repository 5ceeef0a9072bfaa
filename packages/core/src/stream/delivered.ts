/**
 * The text that a provider delivered, in one piece per part of the answer, so that parts that arrive
 * interleaved count as the words they are. Bounded in memory.
 */

/** Small pieces are joined after so many, or each would keep its own string alive. */
const PIECES_MAX = 512;
/** Characters of text kept for counting; more than any model writes in one answer. */
export const TEXT_CHARS_MAX = 4 * 1024 * 1024;
export interface Delivered {
  /** True where `text` is a string that is not empty. */
  add(index: number, kind: string, text: unknown): boolean;
  length(): number;
  text(): string;
}

/** One text: blocks of joined pieces, then the latest pieces. */
interface Track {
  readonly blocks: string[];
  pieces: string[];
}

export function createDelivered(): Delivered {
  /** By choice and kind; at most INDEX_MAX × (INDEX_MAX + 5). */
  const tracks = new Map<string, Track>();
  let lastKey = '';
  let last: Track = { blocks: [], pieces: [] };
  let total = 0;
  let kept = 0;

  function add(index: number, kind: string, text: unknown): boolean {
    if (typeof text !== 'string' || text === '') return false;
    total += text.length;
    const room = TEXT_CHARS_MAX - kept;
    if (room === 0) return true;
    const piece = text.length > room ? text.slice(0, room) : text;
    kept += piece.length;
    const key = `${index} ${kind}`;
    if (key !== lastKey) {
      lastKey = key;
      last = tracks.get(key) ?? { blocks: [], pieces: [] };
      tracks.set(key, last);
    }
    last.pieces.push(piece);
    if (last.pieces.length === PIECES_MAX) {
      last.blocks.push(last.pieces.join(''));
      last.pieces = [];
    }
    return true;
  }

  return {
    add,
    length: () => total,
    text: () =>
      Array.from(tracks.values(), ({ blocks, pieces }) => [...blocks, ...pieces].join('')).join(
        '\n',
      ),
  };
}
