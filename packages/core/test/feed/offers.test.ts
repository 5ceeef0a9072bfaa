import { describe, expect, it } from 'vitest';
import type { ModelInfo, OwnTerms, PartialRates } from '../../src/config/types.ts';
import { agreedMsatPerUsd, impliedMsatPerUsd } from '../../src/feed/exchange-rate.ts';
import type { Feed } from '../../src/feed/feed.ts';
import { type ListingOrder, listingOf } from '../../src/feed/offers.ts';
import { readFeed } from '../../src/feed/read-feed.ts';
import { pauseMs, standingOf } from '../../src/feed/standing.ts';
import { acceptPrices, NO_MEMORY } from '../../src/feed/sudden.ts';
import { openrouterModel, pricing, routstrModel } from './lists.ts';

const NO_RATES: PartialRates = { input: null, output: null, cachedInput: null, baseFee: null };
const NO_INFO: ModelInfo = {
  contextWindow: null,
  maxOutputTokens: null,
  supports: null,
  reasoning: null,
  imageTokens: null,
};

const node = (...data: object[]): Feed => readFeed('routstr', { data }) as Feed;
const priced = (prompt: number, completion = prompt, more: object = {}) =>
  routstrModel({
    sats_pricing: pricing(prompt, completion),
    canonical_slug: null,
    alias_ids: [],
    ...more,
  });

interface Wish extends Partial<Omit<ListingOrder, 'provider'>> {
  readonly models?: string[];
  readonly rates?: Partial<PartialRates>;
  readonly byModel?: Record<string, Partial<PartialRates>>;
  readonly info?: Record<string, Partial<ModelInfo>>;
}

function listing({ models = [], rates = {}, byModel = {}, info = {}, ...order }: Wish) {
  const entries = <T>(named: Record<string, Partial<T>>, base: T) =>
    new Map(Object.entries(named).map(([name, some]) => [name, { ...base, ...some }]));
  const terms: OwnTerms = {
    rates: { ...NO_RATES, ...rates },
    ratesByModel: entries(byModel, NO_RATES),
    infoByModel: entries(info, NO_INFO),
  };
  const { offers, unroutable } = listingOf({
    provider: { models, terms },
    feed: null,
    noFeed: 'no feed',
    msatPerUsd: null,
    markupPpm: 0,
    virtualModels: new Map(),
    ...order,
  });
  const shown = [...offers.values()].map(({ model, rates: r }) => [
    model,
    r.inputMsatPerMtok,
    r.outputMsatPerMtok,
  ]);
  return { shown, offers, unroutable };
}

describe('what is sold', () => {
  it('is what the feed lists, at its price with the markup', () => {
    const { shown, offers } = listing({ feed: node(priced(0.001, 0.002)), markupPpm: 100_000 });
    expect(shown).toEqual([['gpt-4o-mini', 1_100_000, 2_200_000]]);
    expect(offers.get('gpt-4o-mini')!.providerRates.inputMsatPerMtok).toBe(1_000_000);
  });

  it("costs what the operator says: of one model, of all, and only where nobody does the feed's price", () => {
    const feed = node(priced(0.001), priced(0.001, 0.001, { id: 'b' }));
    expect(listing({ feed, rates: { input: 7, output: 8 } }).shown).toEqual([
      ['gpt-4o-mini', 7, 8],
      ['b', 7, 8],
    ]);
    expect(listing({ feed, byModel: { b: { input: 5, output: 6 } } }).shown).toEqual([
      ['gpt-4o-mini', 1_000_000, 1_000_000],
      ['b', 5, 6],
    ]);
    // One alone replaces that one, and what is cached goes with the input.
    const half = listing({ feed, byModel: { b: { input: 5 } } });
    expect(half.shown[1]).toEqual(['b', 5, 1_000_000]);
    expect(half.offers.get('b')!.rates.cachedInputMsatPerMtok).toBeNull();
  });

  it('may be free where the operator says so, and nowhere else', () => {
    const feed = node(priced(0));
    expect(listing({ feed }).unroutable[0]!.reason).toContain('input costs 0');
    expect(listing({ feed, byModel: { 'gpt-4o-mini': { input: 0, output: 0 } } }).shown).toEqual([
      ['gpt-4o-mini', 0, 0],
    ]);
  });

  it('is only what is listed, where something is', () => {
    const feed = node(priced(0.001), priced(0.001, 0.001, { id: 'b' }));
    const { shown, unroutable } = listing({ feed, models: ['b', 'c'] });
    expect(shown).toEqual([['b', 1_000_000, 1_000_000]]);
    expect(unroutable).toEqual([{ model: 'c', reason: 'its feed does not list it' }]);
  });

  it('is also what the operator lists and prices, with or without a feed', () => {
    const wish = { models: ['c'], byModel: { c: { input: 1, output: 2 } } };
    for (const feed of [null, node(priced(0.001))]) {
      expect(listing({ ...wish, feed }).shown).toEqual([['c', 1, 2]]);
    }
    expect(listing({ models: ['c'] }).unroutable).toEqual([{ model: 'c', reason: 'no feed' }]);
  });

  it('has every name that the seller takes, at the same price', () => {
    const feed = node(priced(0.001, 0.001, { alias_ids: ['x/a'] }));
    expect(listing({ feed, byModel: { 'gpt-4o-mini': { input: 5, output: 6 } } }).shown).toEqual([
      ['gpt-4o-mini', 5, 6],
      ['x/a', 5, 6],
    ]);
    expect(listing({ feed, models: ['x/a'] }).shown).toEqual([['x/a', 1_000_000, 1_000_000]]);
  });

  it('can do what the operator says, then what the feed says', () => {
    const info = { 'gpt-4o-mini': { contextWindow: 4096, reasoning: true } };
    expect(listing({ feed: node(priced(0.001)), info }).offers.get('gpt-4o-mini')).toMatchObject({
      contextWindow: 4096,
      maxOutputTokens: 16_384,
      reasoning: true,
      imageTokens: 1600,
    });
  });

  it('has no price in USD without somebody who says what that is', () => {
    const feed = readFeed('openrouter', {
      data: [openrouterModel({ canonical_slug: null })],
    }) as Feed;
    expect(listing({ feed }).unroutable[0]!.reason).toContain('set pricing.sats_per_usd');
    expect(listing({ feed, msatPerUsd: 2_000_000 }).shown).toEqual([
      ['openai/gpt-4o-mini', 300_000, 1_200_000],
    ]);
  });
});

describe('what a USD costs', () => {
  const both = (id: string, usd: number, sats: number) =>
    routstrModel({ id, pricing: pricing(usd, usd), sats_pricing: pricing(sats, sats) });

  it('is the middle of what the models of a feed imply', () => {
    const feed = node(both('a', 1e-6, 0.001), both('b', 1e-6, 0.0011), both('c', 1e-6, 0.9));
    expect(impliedMsatPerUsd(feed)).toBe(1_100_000);
  });

  it('is rounded up from exact decimals', () => {
    expect(impliedMsatPerUsd(node(both('a', 3e-7, 0.0003704)))).toBe(1_234_667);
  });

  it.each([
    ['a bitcoin at 100 million USD', 0.000_001],
    ['a bitcoin at 100 USD', 1],
  ])('is not %s', (_what, sats) => {
    expect(impliedMsatPerUsd(node(both('a', 1e-6, sats)))).toBeNull();
  });

  it('is nothing where no model says both', () => {
    expect(impliedMsatPerUsd(node(routstrModel({ pricing: null })))).toBeNull();
  });

  it('is the middle of several sellers, and of two the higher', () => {
    expect(agreedMsatPerUsd([3, 900, 2])).toBe(3);
    expect(agreedMsatPerUsd([1000, 900])).toBe(1000);
    expect(agreedMsatPerUsd([])).toBeNull();
  });
});

describe('a sudden price', () => {
  const readings = (...prices: number[]) => {
    let memory = NO_MEMORY;
    return prices.map((price) => {
      const accepted = acceptPrices(node(priced(price)), memory);
      ({ memory } = accepted);
      return 'unknown' in accepted.feed.models[0]!.price! ? 'doubted' : price;
    });
  };

  it('counts when it is read twice, in either direction', () => {
    expect(readings(0.001, 0.0105, 0.0105, 0.0105)).toEqual([0.001, 'doubted', 0.0105, 0.0105]);
    expect(readings(0.001, 0.00009, 0.00008)).toEqual([0.001, 'doubted', 0.00008]);
  });

  it('is forgotten when the old one comes back, and another one is doubted anew', () => {
    expect(readings(0.001, 1, 0.001, 1, 0.00001)).toEqual([
      0.001,
      'doubted',
      0.001,
      'doubted',
      'doubted',
    ]);
  });

  it('is not one that moves tenfold or less', () => {
    expect(readings(0.001, 0.01, 0.001)).toEqual([0.001, 0.01, 0.001]);
  });
});

describe('how much a feed is worth', () => {
  const at = (ageMs: number, refreshMs = 120_000) =>
    standingOf({ readAtMs: 0, hasFailed: true, refreshMs }, ageMs);

  it('depends on its age', () => {
    expect([at(360_000), at(360_001), at(3_600_000), at(3_600_001)]).toEqual([
      'fresh',
      'stale',
      'stale',
      'expired',
    ]);
    // Where it is read once an hour, it holds for ten.
    expect([at(36_000_000, 3_600_000), at(36_000_001, 3_600_000)]).toEqual(['stale', 'expired']);
    const never = { readAtMs: null, refreshMs: 1000 };
    expect(standingOf({ ...never, hasFailed: false }, 9)).toBe('pending');
    expect(standingOf({ ...never, hasFailed: true }, 9)).toBe('failed');
  });
});

describe('the pause before the next reading', () => {
  const pause = (
    failures: number,
    random = 0,
    refreshMs = 120_000,
    retryAfterMs: number | null = null,
  ) => pauseMs({ refreshMs, failures, retryAfterMs }, random);

  it('is the interval with a tenth of jitter, never more', () => {
    expect([pause(0, 0), pause(0, 0.5)]).toEqual([120_000, 114_000]);
  });

  it('grows with failures from a second to the interval', () => {
    expect([1, 2, 3, 7, 8, 9, 1000].map((n) => pause(n))).toEqual([
      1000, 2000, 4000, 64_000, 120_000, 120_000, 120_000,
    ]);
    expect([1, 4, 5, 9].map((n) => pause(n, 0, 1000))).toEqual([1000, 8000, 10_000, 10_000]);
  });

  it('is what the seller asks for, where that is longer', () => {
    expect(pause(1, 0, 1000, 30_000)).toBe(30_000);
  });
});
