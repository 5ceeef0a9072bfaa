/** Writes and signs a BOLT 11 invoice: for wallets without a node, and to test the reader. */
import type { Msat } from '@arbstr/shared';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { bech32 } from '@scure/base';
import { formatPrefix } from './amount.ts';
import { signedBytes } from './decode.ts';
import { FIELD } from './fields.ts';
import type { Network } from './invoice.ts';

export interface NewInvoice {
  readonly network: Network;
  readonly amountMsat: Msat | null;
  /** Unix ms; an invoice knows whole seconds. */
  readonly createdAtMs: number;
  readonly expirySecs: number;
  /** Hex, 32 bytes, like the secret. */
  readonly paymentHash: string;
  readonly paymentSecret: string;
  readonly description: string;
  readonly minFinalCltvDelta: number;
}

const TIMESTAMP_WORDS = 7;
/** Payment secret (14) and what it rests on (8), both demanded, as LND writes them. */
const FEATURE_WORDS = [16, 8, 0];

/** @param secretKey of the payee, 32 bytes */
export function encodeInvoice(invoice: NewInvoice, secretKey: Uint8Array): string {
  const createdSecs = Math.floor(invoice.createdAtMs / 1_000);
  const words = [
    ...integerWords(createdSecs, TIMESTAMP_WORDS),
    ...field(FIELD.paymentHash, bech32.toWords(Buffer.from(invoice.paymentHash, 'hex'))),
    ...field(FIELD.paymentSecret, bech32.toWords(Buffer.from(invoice.paymentSecret, 'hex'))),
    ...field(FIELD.description, bech32.toWords(Buffer.from(invoice.description))),
    ...field(FIELD.expiry, integerWords(invoice.expirySecs)),
    ...field(FIELD.minFinalCltv, integerWords(invoice.minFinalCltvDelta)),
    ...field(FIELD.features, FEATURE_WORDS),
  ];
  return signInvoice(formatPrefix(invoice), words, secretKey);
}

/** @param words timestamp and tagged fields */
export function signInvoice(
  prefix: string,
  words: readonly number[],
  secretKey: Uint8Array,
): string {
  const signature = secp256k1.sign(signedBytes(prefix, words), secretKey, { format: 'recovered' });
  const inOrder = Buffer.concat([signature.subarray(1), signature.subarray(0, 1)]);
  return bech32.encode(prefix, [...words, ...bech32.toWords(inOrder)], false);
}

export function field(type: number, data: readonly number[]): number[] {
  return [type, Math.floor(data.length / 32), data.length % 32, ...data];
}

/** Big-endian; in as few words as it takes, or in exactly `length`. */
export function integerWords(value: number, length?: number): number[] {
  const words: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 32)) words.unshift(rest % 32);
  while (words.length < (length ?? 1)) words.unshift(0);
  return words;
}
