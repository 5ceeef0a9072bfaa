/**
 * The tagged fields of an invoice: type (5 bits), length in 5-bit words (10 bits), data.
 *
 * Stricter than BOLT 11 where readers differ: a second field of a kind that decides what is paid is
 * refused, because some wallets read the first and some the last. As BOLT 11 demands, a hash,
 * secret or key of another length is skipped like an unknown field, so it is no second one.
 */
import { bech32 } from '@scure/base';
import { InvoiceError, type RouteHop } from './invoice.ts';

/** Letters of the bech32 alphabet as BOLT 11 names the fields. */
export const FIELD = {
  paymentHash: 1,
  routeHint: 3,
  features: 5,
  expiry: 6,
  description: 13,
  paymentSecret: 16,
  payee: 19,
  descriptionHash: 23,
  minFinalCltv: 24,
} as const;

const HASH_WORDS = 52;
const KEY_WORDS = 53;
const HEADER_WORDS = 3;
const HOP_BYTES = 51;
/** Enough for any time or block count, and exact in a double. */
const INTEGER_WORDS_MAX = 10;

export interface Fields {
  readonly paymentHash?: string;
  readonly paymentSecret?: string;
  readonly payee?: string;
  readonly descriptionHash?: string;
  readonly description?: string;
  readonly expirySecs?: number;
  readonly minFinalCltvDelta?: number;
  readonly features?: readonly number[];
  readonly routeHints: readonly (readonly RouteHop[])[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Throws InvoiceError. */
export function readFields(words: readonly number[]): Fields {
  const routeHints: RouteHop[][] = [];
  const fields: Mutable<Fields> = { routeHints };
  let at = 0;
  while (at < words.length) {
    if (at + HEADER_WORDS > words.length) throw new InvoiceError('truncated');
    const length = words[at + 1]! * 32 + words[at + 2]!;
    const data = words.slice(at + HEADER_WORDS, at + HEADER_WORDS + length);
    if (data.length !== length) throw new InvoiceError('truncated');
    readField(fields, routeHints, words[at]!, data);
    at += HEADER_WORDS + length;
  }
  return fields;
}

function readField(
  fields: Mutable<Fields>,
  routeHints: RouteHop[][],
  type: number,
  data: readonly number[],
): void {
  switch (type) {
    case FIELD.paymentHash:
      if (data.length === HASH_WORDS) once(fields, 'paymentHash', hexOf(data));
      return;
    case FIELD.paymentSecret:
      if (data.length === HASH_WORDS) once(fields, 'paymentSecret', hexOf(data));
      return;
    case FIELD.descriptionHash:
      if (data.length === HASH_WORDS) once(fields, 'descriptionHash', hexOf(data));
      return;
    case FIELD.payee:
      if (data.length === KEY_WORDS) once(fields, 'payee', hexOf(data));
      return;
    case FIELD.description:
      once(fields, 'description', textOf(data));
      return;
    case FIELD.expiry:
      once(fields, 'expirySecs', integerOf(data));
      return;
    case FIELD.minFinalCltv:
      once(fields, 'minFinalCltvDelta', integerOf(data));
      return;
    case FIELD.features:
      once(fields, 'features', bitsOf(data));
      return;
    case FIELD.routeHint:
      routeHints.push(hopsOf(data));
      return;
  }
}

function once<K extends keyof Fields>(fields: Mutable<Fields>, name: K, value: Fields[K]): void {
  if (fields[name] !== undefined) throw new InvoiceError('duplicate_field');
  fields[name] = value;
}

/** Refuses padding that is not zero, as LND does: it would be a second spelling of one invoice. */
function bytesOf(words: readonly number[]): Uint8Array {
  const bytes = bech32.fromWordsUnsafe([...words]);
  if (!bytes) throw new InvoiceError('bad_field');
  return bytes;
}

const hexOf = (words: readonly number[]): string => Buffer.from(bytesOf(words)).toString('hex');

function textOf(words: readonly number[]): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(words));
  } catch {
    throw new InvoiceError('bad_description');
  }
}

/** Big-endian; leading zero words are legal. */
export function integerOf(words: readonly number[]): number {
  const first = words.findIndex((word) => word !== 0);
  const digits = first === -1 ? [] : words.slice(first);
  if (digits.length > INTEGER_WORDS_MAX) throw new InvoiceError('bad_field');
  return digits.reduce((value, word) => value * 32 + word, 0);
}

/** Big-endian, bit 0 is the last one. */
function bitsOf(words: readonly number[]): number[] {
  const bits: number[] = [];
  for (const [index, word] of words.toReversed().entries()) {
    for (let bit = 0; bit < 5; bit++) if (word & (1 << bit)) bits.push(index * 5 + bit);
  }
  return bits;
}

function hopsOf(words: readonly number[]): RouteHop[] {
  const bytes = Buffer.from(bytesOf(words));
  if (bytes.length === 0 || bytes.length % HOP_BYTES !== 0) {
    throw new InvoiceError('bad_route_hint');
  }
  const hops: RouteHop[] = [];
  for (let at = 0; at < bytes.length; at += HOP_BYTES) {
    hops.push({
      nodeId: bytes.toString('hex', at, at + 33),
      shortChannelId: bytes.toString('hex', at + 33, at + 41),
      feeBaseMsat: bytes.readUInt32BE(at + 41),
      feePpm: bytes.readUInt32BE(at + 45),
      cltvDelta: bytes.readUInt16BE(at + 49),
    });
  }
  return hops;
}
