/** Decimal numbers as people and feeds write them, exact: no price passes through a float product. */
import { ceilDiv, floorDiv } from '@arbstr/shared';

/** `digits` × 10^`exponent`; never negative. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** Nobody writes a price with more. */
const TEXT_CHARS_MAX = 64;
/** Those of a double are within ±324; anything longer would only be a large power of ten to compute. */
const EXPONENT_MAX = 400;

/**
 * The number that a text names, or of a number the shortest decimal that names it (`String(value)`:
 * what somebody wrote, unless with more than 17 digits). null where that is negative, not finite, or
 * no number.
 */
export function parseDecimal(value: string | number): Decimal | null {
  const text = String(value);
  if (text.length > TEXT_CHARS_MAX) return null;
  const parts = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (parts === null) return null;
  const [, whole = '', fraction = '', power = '0'] = parts;
  const exponent = Number(power) - fraction.length;
  if (Math.abs(exponent) > EXPONENT_MAX) return null;
  return { digits: BigInt(whole + fraction), exponent };
}

/** ⌈decimal × factor⌉. */
export function ceilTimes({ digits, exponent }: Decimal, factor: bigint): bigint {
  return ceilDiv(digits * factor * powerOfTen(exponent), powerOfTen(-exponent));
}

/** ⌊decimal × factor⌋. */
export function floorTimes({ digits, exponent }: Decimal, factor: bigint): bigint {
  return floorDiv(digits * factor * powerOfTen(exponent), powerOfTen(-exponent));
}

/** ⌈factor × a ÷ b⌉; `b` is not zero. */
export function ceilRatio(a: Decimal, b: Decimal, factor: bigint): bigint {
  const shift = a.exponent - b.exponent;
  return ceilDiv(a.digits * factor * powerOfTen(shift), b.digits * powerOfTen(-shift));
}

/** Computed once each: a list of models needs thousands of them. */
const POWERS: bigint[] = [];

/** 1 for negative ones: those belong below the line. */
function powerOfTen(exponent: number): bigint {
  const nth = Math.max(0, exponent);
  let power = POWERS[nth];
  if (power === undefined) {
    power = 10n ** BigInt(nth);
    POWERS[nth] = power;
  }
  return power;
}

export const isZero = ({ digits }: Decimal): boolean => digits === 0n;

export function isAbove(a: Decimal, b: Decimal): boolean {
  const shift = a.exponent - b.exponent;
  return a.digits * powerOfTen(shift) > b.digits * powerOfTen(-shift);
}
