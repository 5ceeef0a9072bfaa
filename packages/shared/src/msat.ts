/**
 * Money: integer millisatoshi (1 sat = 1,000 msat), the only unit in code, storage and on the
 * internal wire. `msat()` is the one constructor; everything else derives from checked values.
 * Direction is never a minus sign: it comes from which account is debited and which is credited.
 */
import { z } from 'zod';

declare const msatBrand: unique symbol;
export type Msat = number & { readonly [msatBrand]: 'Msat' };

/** Upper bound of any amount and balance, msat: the largest integer that JSON keeps exactly. */
export const MSAT_MAX = Number.MAX_SAFE_INTEGER;

export class MsatRangeError extends RangeError {
  readonly code = 'MSAT_OUT_OF_RANGE';
  constructor(value: unknown) {
    super(`not an amount of msat (integer from 0 to ${MSAT_MAX}): ${String(value)}`);
  }
}

/** The single choke point: an integer from 0 to MSAT_MAX, else MsatRangeError. */
export function msat(value: number | bigint): Msat {
  const n = Number(value);
  if (!Number.isSafeInteger(n) || n < 0) throw new MsatRangeError(value);
  return n as Msat;
}

export const ZERO_MSAT = msat(0);

export const addMsat = (a: Msat, b: Msat): Msat => msat(a + b);

/** a − b; throws MsatRangeError where b > a, because a negative amount is always a bug. */
export const subMsat = (a: Msat, b: Msat): Msat => msat(a - b);

export const minMsat = (a: Msat, b: Msat): Msat => (a < b ? a : b);
export const maxMsat = (a: Msat, b: Msat): Msat => (a > b ? a : b);

/** ⌈n / d⌉ for n ≥ 0, d > 0. */
export function ceilDiv(n: bigint, d: bigint): bigint {
  return (n + d - 1n) / d;
}

/** ⌊n / d⌋ for n ≥ 0, d > 0. */
export function floorDiv(n: bigint, d: bigint): bigint {
  return n / d;
}

/** Exact decimal sats of an amount: 1234 → "1.234", 12000 → "12". */
export function formatSats(amount: Msat): string {
  const whole = Math.floor(amount / 1000);
  const rest = amount % 1000;
  if (rest === 0) return String(whole);
  return `${whole}.${String(rest).padStart(3, '0').replace(/0+$/, '')}`;
}

const wireInteger: z.ZodType<number, number> = z
  .int({ error: 'must be an integer number of msat' })
  .min(0, { error: 'must not be negative' })
  .max(MSAT_MAX, { error: `must be at most ${MSAT_MAX}` })
  .meta({ description: 'Amount in millisatoshi (1 sat = 1,000 msat)' });

/**
 * Wire form of an amount: a JSON integer from 0 to MSAT_MAX. Strings and floats are refused.
 * The brand is a type only (no transform), so that JSON Schema can describe answers too.
 */
export const msatSchema = wireInteger as z.ZodType<Msat, number>;
