/**
 * What core itself said in translated answers, for clients that refer to it by its id in their next
 * request. It is in memory alone, for a while and within bounds: what is forgotten is refused with
 * the way to do without, so nothing has to be durable, and no conversation is ever on a disk.
 *
 * An id is found by the owner it was made for and by nobody else: another's id and one that never
 * was are the same look-up.
 */
export interface Memory {
  /** The oldest of this owner, then the oldest of all, give way. What is too large is not kept. */
  remember(owner: string, id: string, item: object): void;
  /** The item as JSON, which is used now; null = this owner has none of this id. */
  recall(owner: string, id: string): string | null;
  /** Drops what is over; nobody may come who would. */
  prune(): void;
}

/** Since it was last used: longer than somebody thinks about an answer. */
export const KEPT_MS = 3_600_000;
/** Of all owners: 16 that use all of theirs, or some thousands of conversations. */
export const BYTES_MAX = 64 * 1024 * 1024;
/** Of one owner, so that one cannot push out everybody else's. */
export const OWNER_BYTES_MAX = 4 * 1024 * 1024;
/** What an item takes beside its text: its id, and its places in two lists. */
export const ITEM_BYTES = 1_024;
/** As long as one character is not Latin-1, each of a text takes two. */
const BYTES_PER_CHAR = 2;

interface Kept {
  readonly owner: string;
  readonly id: string;
  readonly json: string;
  readonly bytes: number;
  usedAtMs: number;
}

/** Lists are in the order of use: what was used last stands last. */
interface Owned {
  readonly items: Map<string, Kept>;
  bytes: number;
}

export function createMemory(nowMs: () => number): Memory {
  const all = new Set<Kept>();
  const owners = new Map<string, Owned>();
  let bytes = 0;

  function add(kept: Kept): Owned {
    const owned = owners.get(kept.owner) ?? { items: new Map(), bytes: 0 };
    owners.set(kept.owner, owned);
    owned.items.set(kept.id, kept);
    all.add(kept);
    owned.bytes += kept.bytes;
    bytes += kept.bytes;
    return owned;
  }

  function drop(kept: Kept): void {
    const owned = owners.get(kept.owner)!;
    owned.items.delete(kept.id);
    all.delete(kept);
    owned.bytes -= kept.bytes;
    bytes -= kept.bytes;
    if (owned.items.size === 0) owners.delete(kept.owner);
  }

  const isOver = ({ usedAtMs }: Kept): boolean => usedAtMs + KEPT_MS <= nowMs();

  return {
    remember(owner, id, item) {
      const json = JSON.stringify(item);
      const kept: Kept = {
        owner,
        id,
        json,
        bytes: json.length * BYTES_PER_CHAR + ITEM_BYTES,
        usedAtMs: nowMs(),
      };
      if (kept.bytes > OWNER_BYTES_MAX) return;
      const owned = add(kept);
      while (owned.bytes > OWNER_BYTES_MAX) drop(firstOf(owned.items.values()));
      while (bytes > BYTES_MAX) drop(firstOf(all));
    },
    recall(owner, id) {
      const kept = owners.get(owner)?.items.get(id);
      if (kept === undefined) return null;
      drop(kept);
      if (isOver(kept)) return null;
      kept.usedAtMs = nowMs();
      add(kept);
      return kept.json;
    },
    prune() {
      for (const kept of all) {
        if (!isOver(kept)) return;
        drop(kept);
      }
    },
  };
}

function firstOf(kept: Iterable<Kept>): Kept {
  for (const first of kept) return first;
  throw new Error('more bytes are counted than kept');
}
