/**
 * The part of CBOR (RFC 8949) that ecash tokens are made of: unsigned integers, byte and text
 * strings, arrays, maps with text keys. Definite lengths only; anything else is refused.
 */
export class CborError extends Error {}

export type CborValue =
  | number
  | string
  | Uint8Array
  | boolean
  | null
  | CborValue[]
  | { [key: string]: CborValue };

const DEPTH_MAX = 8;

/** Throws CborError. The whole of `bytes` must be one value. */
export function decodeCbor(bytes: Uint8Array): CborValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new CborError('bytes after the end');
  }

  value(depth: number): CborValue {
    if (depth > DEPTH_MAX) throw new CborError('nested too deeply');
    const head = this.#take(1)[0]!;
    const kind = head >> 5;
    if (kind === 7) return simpleOf(head & 31);
    const size = this.#size(head & 31);
    switch (kind) {
      case 0:
        return size;
      case 2:
        return new Uint8Array(this.#take(size));
      case 3:
        return textOf(this.#take(size));
      case 4:
        return this.#list(size, depth);
      case 5:
        return this.#map(size, depth);
      default:
        throw new CborError('a kind of value that tokens do not have');
    }
  }

  #list(size: number, depth: number): CborValue[] {
    const items: CborValue[] = [];
    // One by one: a size that lies about what follows ends with the bytes.
    for (let n = 0; n < size; n++) items.push(this.value(depth + 1));
    return items;
  }

  #map(size: number, depth: number): { [key: string]: CborValue } {
    const entries = new Map<string, CborValue>();
    for (let n = 0; n < size; n++) {
      const key = this.value(depth + 1);
      if (typeof key !== 'string' || entries.has(key)) throw new CborError('a key that is none');
      entries.set(key, this.value(depth + 1));
    }
    return Object.fromEntries(entries);
  }

  #size(info: number): number {
    if (info < 24) return info;
    if (info > 27) throw new CborError('a length that is not definite');
    const bytes = this.#take(2 ** (info - 24));
    const size =
      bytes.length === 8 ? Number(bytes.readBigUInt64BE()) : bytes.readUIntBE(0, bytes.length);
    if (!Number.isSafeInteger(size)) throw new CborError('a number that is too large');
    return size;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new CborError('cut off');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}

function simpleOf(info: number): boolean | null {
  if (info === 20) return false;
  if (info === 21) return true;
  if (info === 22) return null;
  throw new CborError('a kind of value that tokens do not have');
}

function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CborError('text that is not UTF-8');
  }
}
