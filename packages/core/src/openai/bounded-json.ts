/** JSON of strangers: JSON.parse makes an object of each list, object and string, so these are bounded. */

export interface JsonBound {
  /** Lists and objects. */
  readonly containers: number;
  /** Lists, objects and strings; names of members count, too. */
  readonly parts: number;
}

/** `wrong`: what it is or has, as the end of a sentence about it. Never throws. O(bytes). */
export function parseBounded(
  text: string | Buffer,
  bound: JsonBound,
): { readonly value: unknown } | { readonly wrong: string } {
  // Nothing shorter has so many.
  if (text.length > Math.min(bound.containers, bound.parts)) {
    const { containers, strings } = partsIn(text);
    if (containers > bound.containers) {
      return { wrong: `has more than ${bound.containers} lists and objects` };
    }
    if (containers + strings > bound.parts) {
      return { wrong: `has more than ${bound.parts} lists, objects and strings` };
    }
  }
  try {
    return { value: JSON.parse(typeof text === 'string' ? text : text.toString('utf8')) };
  } catch {
    return { wrong: 'is not JSON' };
  }
}

/** Those that only stand in a text are counted, too: few texts have many. */
function partsIn(text: string | Buffer): { containers: number; strings: number } {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  let containers = 0;
  let quotes = 0;
  for (const byte of bytes) {
    if (byte === 0x7b || byte === 0x5b) containers++;
    else if (byte === 0x22) quotes++;
  }
  return { containers, strings: quotes / 2 };
}
