import { type Msat, msat } from '@arbstr/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Usage } from '../../src/openai/usage.ts';
import { type Bill, type BillOrder, decideBill, type OwnCount } from '../../src/pricing/bill.ts';
import { withMarkup } from '../../src/pricing/rate.ts';
import { decimalRates, markups, rates, ratesOf, usages } from './arbitrary.ts';
import { oracleCost, smaller } from './oracle.ts';

const usage = (inputTokens: number, outputTokens: number, more: Partial<Usage> = {}): Usage => ({
  inputTokens,
  cachedInputTokens: 0,
  outputTokens,
  reasoningTokens: 0,
  ...more,
});

/** Our own count, and how often its exact parts were asked for. */
function ownCount(input: number, output: number, floors: { input?: number; output?: number } = {}) {
  const asked = { input: 0, output: 0 };
  const own: OwnCount = {
    inputFloor: () => floors.input ?? 0,
    outputFloor: () => floors.output ?? 0,
    inputTokens: () => {
      asked.input++;
      return input;
    },
    outputTokens: () => {
      asked.output++;
      return output;
    },
  };
  return { own, asked };
}

/** 8 sats per 1k tokens with a tenth of it the operator's; own count 100 in, 50 out. */
const bill = (order: Partial<BillOrder>): Bill =>
  decideBill({
    rates: rates(8800, 8800),
    providerRates: rates(8000, 8000),
    reported: usage(110, 55),
    own: ownCount(100, 50).own,
    tolerance: 2,
    reasoningModel: false,
    held: msat(1_000_000),
    ...order,
  });

describe('a report that is borne out', () => {
  it('is the bill, at our rates', () => {
    expect(bill({})).toEqual({
      usage: { inputTokens: 110, cachedInputTokens: 0, outputTokens: 55 },
      costMsat: 1452,
      providerCostMsat: 1320,
      estimated: false,
      disbelieved: false,
      capped: false,
    });
  });

  it('brings its cached tokens at their rate', () => {
    const { costMsat, usage: billed } = bill({
      rates: rates(8000, 8000, { cached: 1000 }),
      reported: usage(110, 55, { cachedInputTokens: 100 }),
    });
    expect(billed.cachedInputTokens).toBe(100);
    expect(costMsat).toBe(80 + 100 + 440);
  });

  it.each([
    ['less than we counted', usage(1, 1)],
    ['no answer beside a prompt', usage(100, 0)],
    ['just what tolerance and margin allow', usage(264, 164)],
  ])('may say %s', (_, reported) => {
    const decided = bill({ reported });
    expect(decided.usage).toEqual({
      inputTokens: reported.inputTokens,
      cachedInputTokens: 0,
      outputTokens: reported.outputTokens,
    });
    expect(decided.estimated || decided.disbelieved).toBe(false);
  });

  it('is no report where both sides are zero: many servers send that for "unknown"', () => {
    const decided = bill({ reported: usage(0, 0) });
    expect(decided.usage.outputTokens).toBeGreaterThan(0);
    expect(decided).toMatchObject({ estimated: true, disbelieved: false });
    expect(bill({ reported: usage(0, 0), tolerance: 0 }).estimated).toBe(false);
  });

  it('costs no tokenizing where the floors bear it out', () => {
    const { own, asked } = ownCount(100, 50, { input: 60, output: 30 });
    expect(bill({ own, reported: usage(184, 124) }).estimated).toBe(false);
    expect(asked).toEqual({ input: 0, output: 0 });
    expect(bill({ own, reported: usage(185, 125) }).estimated).toBe(false);
    expect(asked).toEqual({ input: 1, output: 1 });
  });

  it('may be anything where the operator trusts the provider', () => {
    const { own, asked } = ownCount(100, 50);
    const decided = bill({ own, tolerance: 0, reported: usage(9_000_000, 9_000_000), held: null });
    expect(decided.usage.outputTokens).toBe(9_000_000);
    expect(decided.disbelieved).toBe(false);
    expect(asked).toEqual({ input: 0, output: 0 });
  });
});

describe('a report that is not borne out', () => {
  const ours = { inputTokens: 100, cachedInputTokens: 0, outputTokens: 50 };

  it.each([
    ['a million output tokens', usage(100, 1_000_000)],
    ['a million input tokens', usage(1_000_000, 50)],
    ['one output token too many', usage(100, 165)],
    ['one input token too many', usage(265, 50)],
    ['2^53 of everything', usage(2 ** 53 - 1, 2 ** 53 - 1)],
  ])('(%s) earns our own count, flagged', (_, reported) => {
    const { own, asked } = ownCount(100, 50);
    const decided = bill({ own, reported });
    expect(decided.usage).toEqual(ours);
    expect(decided.costMsat).toBe(1320);
    expect(decided.providerCostMsat).toBe(1200);
    expect(decided.estimated && decided.disbelieved).toBe(true);
    expect(Math.max(asked.input, asked.output)).toBe(1);
  });

  it('does not get max_tokens for a one-word answer', () => {
    const { own } = ownCount(20, 1, { input: 15, output: 1 });
    const decided = bill({ own, reported: usage(22, 4096) });
    expect(decided.usage).toEqual({ inputTokens: 22, cachedInputTokens: 0, outputTokens: 1 });
    expect(decided.disbelieved).toBe(true);
  });

  it('does not cost the agent its cached discount by a lie about the answer', () => {
    const { own } = ownCount(100, 50);
    const decided = bill({ own, reported: usage(100, 1_000_000, { cachedInputTokens: 90 }) });
    expect(decided.usage).toEqual({ inputTokens: 100, cachedInputTokens: 90, outputTokens: 50 });
    expect(decided.disbelieved).toBe(true);
  });
});

describe('reasoning', () => {
  const reported = usage(100, 2000, { reasoningTokens: 1900 });

  it('explains what is not seen of a model that is known to reason', () => {
    const decided = bill({ reasoningModel: true, reported });
    expect(decided.usage.outputTokens).toBe(2000);
    expect(decided.disbelieved).toBe(false);
  });

  it('explains nothing of any other model', () => {
    expect(bill({ reasoningModel: false, reported }).disbelieved).toBe(true);
  });

  it('explains no more than is said to be reasoning', () => {
    const unexplained = usage(100, 2000, { reasoningTokens: 1835 });
    expect(bill({ reasoningModel: true, reported: unexplained }).disbelieved).toBe(true);
    expect(bill({ reasoningModel: true, reported: usage(100, 2000) }).disbelieved).toBe(true);
  });

  it('explains nothing of the prompt', () => {
    const input = usage(2000, 100, { reasoningTokens: 100 });
    expect(bill({ reasoningModel: true, reported: input }).disbelieved).toBe(true);
  });
});

describe('no report', () => {
  it('is billed by our own count: not nothing, not the hold', () => {
    expect(bill({ reported: null })).toEqual({
      usage: { inputTokens: 100, cachedInputTokens: 0, outputTokens: 50 },
      costMsat: 1320,
      providerCostMsat: 1200,
      estimated: true,
      disbelieved: false,
      capped: false,
    });
  });

  it('bills the prompt where nothing was delivered', () => {
    const decided = bill({ reported: null, own: ownCount(100, 0).own });
    expect(decided.costMsat).toBe(880);
  });

  it('is our own count for a trusted provider, too', () => {
    expect(bill({ reported: null, tolerance: 0 }).estimated).toBe(true);
  });
});

describe('the hold', () => {
  it('is the most that is charged, and the most that the provider is owed', () => {
    const decided = bill({ held: msat(1000) });
    expect(decided.costMsat).toBe(1000);
    expect(decided.providerCostMsat).toBe(1000);
    expect(decided.capped).toBe(true);
    expect(bill({ held: msat(1400) }).providerCostMsat).toBe(1320);
  });

  it('caps nothing where there is none', () => {
    const decided = bill({ tolerance: 0, reported: usage(1e9, 1e9), held: null });
    expect(decided.costMsat).toBe(17_600_000_000);
    expect(decided.capped).toBe(false);
  });

  it('is not capped by what exactly fits', () => {
    expect(bill({ held: msat(1452) }).capped).toBe(false);
  });
});

const counts = fc.oneof(fc.nat(200), fc.nat(100_000), fc.maxSafeNat());
const reports = fc.option(
  fc.record({
    inputTokens: counts,
    cachedInputTokens: counts,
    outputTokens: counts,
    reasoningTokens: counts,
  }),
);

describe('any bill', () => {
  it('is what an independent computation says of the usage that it names', () => {
    const order = fc.record({
      decimal: decimalRates,
      ppm: markups,
      reported: reports,
      own: usages,
      tolerance: fc.constantFrom(0, 1, 1.5, 2, 10),
      reasoningModel: fc.boolean(),
      held: fc.option(fc.maxSafeNat()),
    });
    fc.assert(
      fc.property(order, ({ decimal, ppm, reported, own, held, ...rest }) => {
        const decided = decideBill({
          ...rest,
          rates: withMarkup(ratesOf(decimal), ppm),
          providerRates: ratesOf(decimal),
          reported,
          own: ownCount(Number(own.input), Number(own.output)).own,
          held: held as Msat | null,
        });
        const said = {
          input: BigInt(decided.usage.inputTokens),
          cached: BigInt(decided.usage.cachedInputTokens),
          output: BigInt(decided.usage.outputTokens),
        };
        const full = oracleCost(decimal, said, ppm);
        const charged = held === null ? full : smaller(full, BigInt(held));
        expect(BigInt(decided.costMsat)).toBe(charged);
        expect(BigInt(decided.providerCostMsat)).toBe(
          smaller(oracleCost(decimal, said, 0), charged),
        );
        expect(decided.capped).toBe(charged < full);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never pays a seller for more than tolerance and margin allow, unless it is trusted', () => {
    fc.assert(
      fc.property(reports, fc.nat(50_000), fc.nat(50_000), (reported, input, output) => {
        const { usage: billed } = bill({ reported, own: ownCount(input, output).own, held: null });
        expect(billed.inputTokens).toBeLessThanOrEqual(2 * input + 64);
        expect(billed.outputTokens).toBeLessThanOrEqual(2 * output + 64);
      }),
      { numRuns: 500 },
    );
  });
});
