import { MSAT_MAX, msat } from '@arbstr/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ceilingOf } from '../../src/pricing/ceiling.ts';
import { costOf } from '../../src/pricing/cost.ts';
import { expectedCost } from '../../src/pricing/expected.ts';
import { withMarkup } from '../../src/pricing/rate.ts';
import { decimalRates, markups, rates, ratesOf, usages } from './arbitrary.ts';
import { type OracleUsage, oracleCost } from './oracle.ts';

const used = (inputTokens: number, outputTokens: number, cachedInputTokens = 0) => ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
});
const fromOracle = ({ input, cached, output }: OracleUsage) =>
  used(Number(input), Number(output), Number(cached));

const most = msat(MSAT_MAX);

describe('costOf', () => {
  it('is what an independent computation says, for rates and usage of any size', () => {
    fc.assert(
      fc.property(decimalRates, usages, markups, (decimal, usage, ppm) => {
        const cost = costOf(withMarkup(ratesOf(decimal), ppm), fromOracle(usage));
        expect(BigInt(cost)).toBe(oracleCost(decimal, usage, ppm));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is the same on both sides of where floats stop being exact', () => {
    const decimal = { input: '9000000', output: '0.001', cachedInput: null, baseFee: '0' };
    fc.assert(
      fc.property(
        fc.integer({ min: -3_000, max: 3_000 }),
        fc.bigInt(0n, 2_000_000n),
        (offset, output) => {
          // 2^53 ÷ (9 × 10^9) = 1,000,799.9 tokens, of which each step is far less than the whole.
          const usage = { input: BigInt(1_000_799 + offset), cached: 0n, output };
          expect(BigInt(costOf(ratesOf(decimal), fromOracle(usage)))).toBe(
            oracleCost(decimal, usage, 0),
          );
        },
      ),
    );
  });

  it.each([
    ['8 sats per 1k, 12 in and 3 out', rates(8000, 8000), used(12, 3), 120],
    ['one token at the smallest rate', rates(0.001, 0), used(1, 0), 1],
    ['10^6 tokens at the smallest rate', rates(0.001, 0), used(1_000_000, 0), 1],
    ['one more, rounded up once', rates(0.001, 0.001), used(500_001, 500_000), 2],
    ['half of the prompt from the cache', rates(8000, 0, { cached: 4000 }), used(100, 0, 50), 600],
    ['a cache without a rate of its own', rates(8000, 0), used(100, 0, 50), 800],
    ['a cache that is free', rates(8000, 0, { cached: 0 }), used(100, 0, 100), 0],
    ['a base fee alone', rates(0, 0, { baseFee: 1.5 }), used(5, 5), 1500],
    ['a base fee after the rounding', rates(0.001, 0, { baseFee: 0.001 }), used(1, 0), 2],
    ['nothing at no price', rates(0, 0), used(0, 0), 0],
    ['2^53 tokens', rates(1, 0), used(Number.MAX_SAFE_INTEGER, 0), 9_007_199_254_741],
    ['more than there is', rates(1e12, 0), used(Number.MAX_SAFE_INTEGER, 0), 2 ** 53 - 1],
    ['a bound of 128 times 2^53', rates(0, 0.001), used(0, 2 ** 60), 1_152_921_504_607],
    ['a base fee that is all there is', { ...rates(1, 0), baseFeeMsat: most }, used(9, 0), most],
    ['more cached than read', rates(8000, 0, { cached: 4000 }), used(10, 0, 11), 40],
  ])('of %s', (_, at, usage, msat) => {
    expect(costOf(at, usage)).toBe(msat);
  });

  it('refuses what is no number of tokens', () => {
    for (const count of [Number.NaN, Number.POSITIVE_INFINITY, 0.5, -10]) {
      expect(() => costOf(rates(8000, 8000), used(count, 0))).toThrow(/not a number of tokens/);
      expect(() => costOf(rates(8000, 8000), used(0, count))).toThrow(/not a number of tokens/);
    }
  });
});

describe('expectedCost', () => {
  it('is the cost of what is expected, at the cached rate where something is in the cache', () => {
    const at = rates(8000, 16_000, { cached: 1000, baseFee: 1 });
    expect(expectedCost(at, { inputTokens: 1000, outputTokens: 100 })).toBe(8000 + 1600 + 1000);
    expect(expectedCost(at, { inputTokens: 1000, cachedInputTokens: 900, outputTokens: 100 })).toBe(
      800 + 900 + 1600 + 1000,
    );
  });
});

describe('ceilingOf', () => {
  it('is that of the dearest candidate', () => {
    const bound = { inputTokensMax: 1000, outputTokensMax: 4096 };
    expect(
      ceilingOf([
        { rates: rates(8000, 8000), ...bound },
        { rates: rates(12_000, 12_000), ...bound },
        { rates: rates(10_000, 10_000), ...bound },
      ]),
    ).toBe(5096 * 12);
  });

  it('is not lowered by a cache, and is raised by a dear one', () => {
    const bound = { inputTokensMax: 1000, outputTokensMax: 0 };
    expect(ceilingOf([{ rates: rates(8000, 0, { cached: 1 }), ...bound }])).toBe(8000);
    expect(ceilingOf([{ rates: rates(8000, 0, { cached: 9000 }), ...bound }])).toBe(9000);
  });

  it('is nothing where nothing is sent', () => {
    expect(ceilingOf([])).toBe(0);
  });

  it('is never below what a request within its bounds costs at any candidate', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(decimalRates, usages), { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (list, share) => {
          const candidates = list.map(([decimal, bounds]) => ({
            rates: ratesOf(decimal),
            inputTokensMax: Number(bounds.input),
            outputTokensMax: Number(bounds.output),
          }));
          const ceiling = ceilingOf(candidates);
          const costs = candidates.map((candidate, i) => {
            const input = Math.floor(candidate.inputTokensMax * share);
            const output = Math.floor(candidate.outputTokensMax * share);
            return costOf(candidate.rates, used(input, output, Number(list[i]![1].cached)));
          });
          expect(Math.max(...costs)).toBeLessThanOrEqual(ceiling);
        },
      ),
      { numRuns: 500 },
    );
  });
});
