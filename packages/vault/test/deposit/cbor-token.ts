/** Writes version 4 tokens (`cashuB`), for tests of the reader. */
import type { EcashToken } from '../../src/wallet/ecash.ts';

export function cborToken({ mintUrl, proofs }: EcashToken, unit: string): string {
  const entries = proofs.map(({ amount, keysetId, secret, signature }) =>
    map({
      i: bytes(Buffer.from(keysetId, 'hex')),
      p: list([
        map({ a: head(0, amount), s: text(secret), c: bytes(Buffer.from(signature, 'hex')) }),
      ]),
    }),
  );
  const token = map({ m: text(mintUrl), u: text(unit), t: list(entries) });
  return `cashuB${token.toString('base64url')}`;
}

export function head(kind: number, size: number): Buffer {
  if (size < 24) return Buffer.of((kind << 5) | size);
  const long = Buffer.alloc(9);
  long[0] = (kind << 5) | 27;
  long.writeBigUInt64BE(BigInt(size), 1);
  return long;
}

export const bytes = (data: Buffer): Buffer => Buffer.concat([head(2, data.length), data]);
export const text = (value: string): Buffer => {
  const data = Buffer.from(value);
  return Buffer.concat([head(3, data.length), data]);
};
export const list = (items: Buffer[]): Buffer => Buffer.concat([head(4, items.length), ...items]);
export const map = (entries: Record<string, Buffer>): Buffer => {
  const pairs = Object.entries(entries).flatMap(([key, value]) => [text(key), value]);
  return Buffer.concat([head(5, pairs.length / 2), ...pairs]);
};
