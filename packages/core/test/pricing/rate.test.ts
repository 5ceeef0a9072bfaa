import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BASE_FEE_MSAT_MAX,
  MARKUP_PPM_MAX,
  msatFromSats,
  RATE_MSAT_PER_MTOK_MAX,
  rateFromSats,
  withMarkup,
} from '../../src/pricing/rate.ts';
import { rates } from './arbitrary.ts';
import { msatOf, withMargin } from './oracle.ts';

describe('rateFromSats', () => {
  it.each([
    [0, 0],
    [-0, 0],
    [8000, 8_000_000],
    [0.001, 1],
    [1e-3, 1],
    [0.29, 290],
    [1.005, 1005],
    [8.2, 8200],
    [4.35, 4350],
    [1_234_567.891, 1_234_567_891],
    [1e12, RATE_MSAT_PER_MTOK_MAX],
  ])('takes %s sats for %s msat', (sats, msat) => {
    expect(Object.is(rateFromSats(sats), msat)).toBe(true);
  });

  it('is exact for every number of thousandths', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: RATE_MSAT_PER_MTOK_MAX }), (thousandths) => {
        const text = String(thousandths)
          .padStart(4, '0')
          .replace(/(...)$/, '.$1');
        expect(rateFromSats(Number(text))).toBe(thousandths);
        expect(BigInt(rateFromSats(Number(text)))).toBe(msatOf(text));
      }),
    );
  });

  it.each([0.0001, 1.2345, 1e-4, 5e-324, 0.1 + 0.2])('refuses the decimals of %s', (sats) => {
    expect(() => rateFromSats(sats)).toThrow(RangeError);
    expect(() => rateFromSats(sats)).toThrow(/at most 3 decimals/);
  });

  it.each([-1, -0.001, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'refuses %s',
    (sats) => {
      expect(() => rateFromSats(sats)).toThrow(/not negative/);
    },
  );

  it.each([1e12 + 1, 1e21, 1.5e300, Number.MAX_VALUE])('refuses %s as too large', (sats) => {
    expect(() => rateFromSats(sats)).toThrow(/at most 1000000000000:/);
  });
});

describe('msatFromSats', () => {
  it('is exact, and bounded by itself', () => {
    expect(msatFromSats(1.234)).toBe(1234);
    expect(msatFromSats(1e9)).toBe(BASE_FEE_MSAT_MAX);
    expect(() => msatFromSats(1e9 + 1)).toThrow(/at most 1000000000:/);
    expect(() => msatFromSats(0.0005)).toThrow(/at most 3 decimals/);
  });
});

describe('withMarkup', () => {
  const base = rates(8000, 0.001, { cached: 0.5, baseFee: 1 });

  it('changes nothing for nothing', () => {
    expect(withMarkup(base, 0)).toEqual(base);
  });

  it('raises each rate and the base fee, each rounded up', () => {
    expect(withMarkup(base, 50_000)).toEqual({
      inputMsatPerMtok: 8_400_000,
      outputMsatPerMtok: 2,
      cachedInputMsatPerMtok: 525,
      baseFeeMsat: 1050,
    });
  });

  it('leaves what is free free, and no cached rate none', () => {
    expect(withMarkup(rates(0, 0), MARKUP_PPM_MAX)).toEqual(rates(0, 0));
  });

  it('is exact for rates beyond what floats multiply', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: RATE_MSAT_PER_MTOK_MAX / 2 }),
        fc.integer({ min: 0, max: MARKUP_PPM_MAX }),
        (rate, ppm) => {
          const text = String(rate)
            .padStart(4, '0')
            .replace(/(...)$/, '.$1');
          const marked = withMarkup({ ...base, inputMsatPerMtok: rate }, ppm).inputMsatPerMtok;
          expect(BigInt(marked)).toBe(withMargin(text, ppm));
        },
      ),
    );
  });

  it('ends at what an amount can be', () => {
    const marked = withMarkup(rates(1e12, 0), MARKUP_PPM_MAX);
    expect(marked.inputMsatPerMtok).toBe(Number.MAX_SAFE_INTEGER);
  });

  it.each([-1, 0.5, Number.NaN, MARKUP_PPM_MAX + 1])('refuses %s parts per million', (ppm) => {
    expect(() => withMarkup(base, ppm)).toThrow(RangeError);
  });
});
