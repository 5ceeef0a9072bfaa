/**
 * Reads a BOLT 11 invoice, strictly: what is accepted here means the same to every wallet that may
 * pay it. Pure; never throws, whatever the text.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { bech32 } from '@scure/base';
import { parsePrefix } from './amount.ts';
import { checkFeatures } from './features.ts';
import { type Fields, integerOf, readFields } from './fields.ts';
import { type DecodedInvoice, type Invoice, InvoiceError, type Network } from './invoice.ts';

/** LND's own limit, in characters. */
export const INVOICE_CHARS_MAX = 7_089;
/** How far the payee's clock may be ahead of ours. */
const CLOCK_SKEW_MAX_MS = 600_000;
const TIMESTAMP_WORDS = 7;
const SIGNATURE_WORDS = 104;
/** BOLT 11's defaults where the field is not there. */
const DEFAULT_EXPIRY_SECS = 3_600;
const DEFAULT_FINAL_CLTV_DELTA = 18;
/** Blocks, about two weeks: LND locks money for no longer. */
const CLTV_DELTA_MAX = 2_016;
/** Later than any date that ECMAScript knows is no time. */
const TIME_MAX_MS = 8.64e15;

export interface DecodeOptions {
  /** Unix ms; null reads an invoice whatever its time, to show it. */
  readonly nowMs: number | null;
  /** Those that the vault may pay on. */
  readonly networks: readonly Network[];
}

export function decodeInvoice(text: string, options: DecodeOptions): DecodedInvoice {
  try {
    return { ok: true, invoice: decode(text, options) };
  } catch (error) {
    if (!(error instanceof InvoiceError)) throw error;
    return { ok: false, reason: error.reason, message: error.message };
  }
}

function decode(text: string, { nowMs, networks }: DecodeOptions): Invoice {
  const { prefix, words } = readBech32(text);
  const { network, amountMsat } = parsePrefix(prefix);
  if (!networks.includes(network)) throw new InvoiceError('wrong_network');
  if (words.length < TIMESTAMP_WORDS + SIGNATURE_WORDS) throw new InvoiceError('truncated');

  const signed = words.slice(0, -SIGNATURE_WORDS);
  const fields = readFields(signed.slice(TIMESTAMP_WORDS));
  const { paymentHash, description, descriptionHash } = fields;
  if (paymentHash === undefined) throw new InvoiceError('missing_payment_hash');
  if (description === undefined && descriptionHash === undefined) {
    throw new InvoiceError('missing_description');
  }
  if (description !== undefined && descriptionHash !== undefined) {
    throw new InvoiceError('two_descriptions');
  }
  const features = fields.features ?? [];
  checkFeatures(features);
  const minFinalCltvDelta = fields.minFinalCltvDelta ?? DEFAULT_FINAL_CLTV_DELTA;
  if (minFinalCltvDelta > CLTV_DELTA_MAX) throw new InvoiceError('cltv_too_long');
  const payee = readPayee(prefix, signed, words.slice(-SIGNATURE_WORDS), fields);
  const times = readTimes(integerOf(signed.slice(0, TIMESTAMP_WORDS)), fields, nowMs);
  return {
    network,
    amountMsat,
    ...times,
    paymentHash,
    paymentSecret: fields.paymentSecret ?? null,
    description: description ?? null,
    descriptionHash: descriptionHash ?? null,
    payee,
    minFinalCltvDelta,
    features,
    routeHints: fields.routeHints,
  };
}

function readBech32(text: string): { prefix: string; words: number[] } {
  if (text.length > INVOICE_CHARS_MAX) throw new InvoiceError('too_long');
  const lower = text.toLowerCase();
  if (!/^[\x21-\x7e]+1[02-9ac-hj-np-z]{6,}$/.test(lower)) throw new InvoiceError('not_bech32');
  if (text !== lower && text !== text.toUpperCase()) throw new InvoiceError('mixed_case');
  const decoded = bech32.decodeUnsafe(lower as `${string}1${string}`, false);
  if (!decoded) throw new InvoiceError('bad_checksum');
  return decoded;
}

/** Whoever signed; the named payee must be the same. */
function readPayee(
  prefix: string,
  signed: readonly number[],
  signatureWords: number[],
  { payee }: Fields,
): string {
  // 104 words are 65 bytes without a rest: r, s, recovery id. The library wants the id first.
  const signature = bech32.fromWords(signatureWords);
  const recoverable = Buffer.concat([signature.subarray(64), signature.subarray(0, 64)]);
  let signer: string;
  try {
    const key = secp256k1.recoverPublicKey(recoverable, signedBytes(prefix, signed));
    signer = Buffer.from(key).toString('hex');
  } catch {
    throw new InvoiceError('bad_signature');
  }
  if (payee !== undefined && payee !== signer) throw new InvoiceError('wrong_payee');
  return signer;
}

/** What the signature is over: the prefix as text, the words as bits filled up with zeros. */
export function signedBytes(prefix: string, words: readonly number[]): Uint8Array {
  const data = Buffer.alloc(Math.ceil((words.length * 5) / 8));
  for (const [index, word] of words.entries()) {
    const bit = index * 5;
    const pair = word << (11 - (bit % 8));
    const byte = bit >> 3;
    data[byte] = data[byte]! | (pair >> 8);
    if (byte + 1 < data.length) data[byte + 1] = pair & 0xff;
  }
  return Buffer.concat([Buffer.from(prefix), data]);
}

function readTimes(createdSecs: number, { expirySecs }: Fields, nowMs: number | null) {
  const createdAtMs = createdSecs * 1_000;
  const expiresAtMs = createdAtMs + (expirySecs ?? DEFAULT_EXPIRY_SECS) * 1_000;
  if (expiresAtMs > TIME_MAX_MS) throw new InvoiceError('bad_expiry');
  if (nowMs !== null) {
    if (createdAtMs > nowMs + CLOCK_SKEW_MAX_MS) throw new InvoiceError('from_the_future');
    if (expiresAtMs <= nowMs) throw new InvoiceError('expired');
  }
  return { createdAtMs, expiresAtMs };
}
