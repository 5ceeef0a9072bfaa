/** The human-readable part of an invoice: `ln`, network, amount in bitcoin with a multiplier. */
import { MSAT_MAX, type Msat, msat } from '@arbstr/shared';
import { InvoiceError, NETWORK_PREFIXES, NETWORKS, type Network } from './invoice.ts';

const PICO_PER_MSAT = 10n;
/** Pico-bitcoin in one unit of the multiplier. */
const PICO_PER_UNIT: Readonly<Record<string, bigint>> = {
  '': 1_000_000_000_000n,
  m: 1_000_000_000n,
  u: 1_000_000n,
  n: 1_000n,
  p: 1n,
};
/** 21 million bitcoin have 20 digits in pico-bitcoin; more are nothing but work. */
const DIGITS_MAX = 20;

export interface Prefix {
  readonly network: Network;
  readonly amountMsat: Msat | null;
}

/** Throws InvoiceError. */
export function parsePrefix(prefix: string): Prefix {
  const [, coin, amount] = /^ln([a-z]+)(.*)$/.exec(prefix) ?? [];
  const network = NETWORKS.find((name) => NETWORK_PREFIXES[name] === coin);
  if (network === undefined) throw new InvoiceError('unknown_prefix');
  return { network, amountMsat: amount === '' ? null : parseAmount(amount!) };
}

function parseAmount(text: string): Msat {
  const [, digits, multiplier] = /^(\d+)([munp]?)$/.exec(text) ?? [];
  if (digits === undefined) throw new InvoiceError('bad_amount');
  if (/^0+$/.test(digits)) throw new InvoiceError('amount_zero');
  // BOLT 11: "a positive decimal integer with no leading 0s".
  if (digits.startsWith('0')) throw new InvoiceError('bad_amount');
  if (digits.length > DIGITS_MAX) throw new InvoiceError('amount_too_large');
  const pico = BigInt(digits) * PICO_PER_UNIT[multiplier!]!;
  if (pico % PICO_PER_MSAT !== 0n) throw new InvoiceError('amount_below_msat');
  const amount = pico / PICO_PER_MSAT;
  // Far below 21 million bitcoin, so those are refused with it.
  if (amount > BigInt(MSAT_MAX)) throw new InvoiceError('amount_too_large');
  return msat(Number(amount));
}

/** In the largest unit that is exact, as BOLT 11 asks for. */
export function formatPrefix({ network, amountMsat }: Prefix): string {
  const coin = `ln${NETWORK_PREFIXES[network]}`;
  if (amountMsat === null) return coin;
  const pico = BigInt(amountMsat) * PICO_PER_MSAT;
  const [multiplier, unit] = Object.entries(PICO_PER_UNIT).find(([, size]) => pico % size === 0n)!;
  return `${coin}${pico / unit}${multiplier}`;
}
