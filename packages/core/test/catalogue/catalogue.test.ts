import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Catalogue, createCatalogue } from '../../src/catalogue/catalogue.ts';
import type { Config, ProviderConfig } from '../../src/config/types.ts';
import { sellersOf } from '../../src/route/sellers.ts';
import { config } from '../config/load-text.ts';

let forgotten: string[];
let retained: string[][];
/** What the feeds make of the providers. */
let apply: (providers: readonly ProviderConfig[]) => readonly ProviderConfig[];
let startsMocks: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  forgotten = [];
  retained = [];
  apply = (providers) => providers;
  startsMocks = true;
});
afterEach(() => {
  vi.useRealTimers();
});

const create = (first: Config): Promise<Catalogue> =>
  createCatalogue(first, {
    addressed: async (providers) => {
      if (!startsMocks) throw new Error('no port is free');
      return providers;
    },
    retain: async (providers) => void retained.push(providers.map(({ url }) => url)),
    forget: (name) => void forgotten.push(name),
    feeds: { follow() {}, apply: (_config, providers) => apply(providers) },
    onError(error) {
      throw error;
    },
  });

const seller = (url: string, more = ''): string => `[[providers]]
name = "a"
url = "http://${url}"
models = ["m"]
input_rate = 8000
output_rate = 8000
${more}
`;
const at = (url: string, more = '') => config(seller(url, more));

describe('a new configuration', () => {
  it('is seen whole, and its sellers are indexed before anybody asks', async () => {
    const catalogue = await create(at('one'));
    const before = catalogue.current();
    await catalogue.adopt(at('two'));
    const { providers, config: adopted } = catalogue.current();
    expect([adopted.providers[0]!.url, providers[0]!.url]).toEqual(['http://two', 'http://two']);
    expect(sellersOf(providers).get('m')![0]!.provider).toBe(providers[0]);
    // Whoever is on the way keeps what it chose from.
    expect(before.providers[0]!.url).toBe('http://one');
  });

  it('is not seen at all where it cannot be started', async () => {
    const catalogue = await create(at('one'));
    startsMocks = false;
    await expect(catalogue.adopt(at('two'))).rejects.toThrow('no port is free');
    expect(catalogue.current().providers[0]!.url).toBe('http://one');
    expect(forgotten).toEqual([]);
  });

  it.each([
    ['gone', config(''), ['a']],
    ['at another address', at('two'), ['a']],
    ['of another kind', at('one', 'kind = "openrouter"'), ['a']],
    ['with another key', at('one', 'api_key = "sk-another"'), ['a']],
    ['with other prices', config(seller('one').replaceAll('8000', '9')), []],
  ])('with a provider that is %s forgets its failures, or not', async (_what, next, expected) => {
    const catalogue = await create(at('one'));
    await catalogue.adopt(next);
    expect(forgotten).toEqual(expected);
  });
});

describe('what was replaced', () => {
  it('is ended 30 s later, however often something else is replaced meanwhile', async () => {
    const catalogue = await create(at('zero'));
    for (let nth = 1; nth <= 7; nth++) {
      await vi.advanceTimersByTimeAsync(10_000);
      await catalogue.adopt(at(String(nth)));
    }
    // At 40 s, 50 s, 60 s and 70 s: what is in use, and what was until lately.
    const urls = (...names: (string | number)[]) => names.map((name) => `http://${name}`);
    expect(retained).toEqual([urls(3, 1, 2), urls(4, 2, 3), urls(5, 3, 4), urls(6, 4, 5)]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(retained.at(-1)).toEqual(urls(7));
    expect(retained).toHaveLength(7);
  });

  it('is left to the end of the process when that comes', async () => {
    const catalogue = await create(at('one'));
    await catalogue.adopt(at('two'));
    catalogue.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(retained).toEqual([]);
  });
});

describe('what feeds say', () => {
  it('is taken whole, with the same configuration', async () => {
    const catalogue = await create(at('one'));
    const before = catalogue.current();
    apply = (providers) => providers.map((provider) => ({ ...provider, offers: new Map() }));
    catalogue.refresh();
    expect(catalogue.current().providers[0]!.offers.size).toBe(0);
    expect(catalogue.current().config).toBe(before.config);
    expect(before.providers[0]!.offers.size).toBe(1);
  });

  it('leaves everything in place where it is what they said before', async () => {
    const catalogue = await create(at('one'));
    const before = catalogue.current();
    apply = (providers) => [...providers];
    catalogue.refresh();
    expect(catalogue.current()).toBe(before);
  });
});
