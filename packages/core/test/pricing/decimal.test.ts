import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ceilRatio,
  ceilTimes,
  floorTimes,
  isAbove,
  isZero,
  parseDecimal,
} from '../../src/pricing/decimal.ts';

const decimal = (text: string | number) => parseDecimal(text)!;

describe('a decimal', () => {
  it.each<[string | number, bigint, number]>([
    ['0.00000015', 15n, -8],
    [1.5e-7, 15n, -8],
    ['1e-7', 1n, -7],
    ['12', 12n, 0],
    [1e21, 1n, 21],
    ['0', 0n, 0],
    [0.1 + 0.2, 30_000_000_000_000_004n, -17],
  ])('of %j is exact', (text, digits, exponent) => {
    expect(parseDecimal(text)).toEqual({ digits, exponent });
  });

  it.each([
    '-1',
    -1e-9,
    'NaN',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    ' 1',
    '1,5',
    '0x10',
    '1e999',
    '.5',
    '5.',
    '1_000',
    '9'.repeat(65),
  ])('is not made of %j', (text) => {
    expect(parseDecimal(text)).toBeNull();
  });

  it('is multiplied and rounded once', () => {
    expect(ceilTimes(decimal('0.00000015'), 1_000_000_000_000n)).toBe(150_000n);
    expect(ceilTimes(decimal('0.0000000000001'), 1_000_000_000_000n)).toBe(1n);
    expect(floorTimes(decimal('0.0000000000001'), 1_000_000_000_000n)).toBe(0n);
    // 0.000217 × 10^9 is a hair above 217000 in binary.
    expect(ceilTimes(decimal(0.000217), 1_000_000_000n)).toBe(217_000n);
    expect(ceilRatio(decimal('0.00015'), decimal('0.00000015'), 1000n)).toBe(1_000_000n);
    expect(ceilRatio(decimal('1'), decimal('3'), 1n)).toBe(1n);
  });

  it('agrees with integers', () => {
    const positive = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(positive, positive, fc.integer({ min: 0, max: 6 }), (a, b, shift) => {
        const scaled = { digits: BigInt(a), exponent: -shift };
        const power = 10 ** shift;
        expect(ceilTimes(scaled, BigInt(b))).toBe(
          (BigInt(a) * BigInt(b) + BigInt(power) - 1n) / BigInt(power),
        );
        expect(isAbove(decimal(a), decimal(b))).toBe(a > b);
        expect(isZero(decimal(a))).toBe(false);
      }),
    );
  });
});
