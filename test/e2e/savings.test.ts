/** The price table of examples/savings as sellers' lists of models. */
import { expect, it } from 'vitest';
import { tableToOpenRouterFeed, tableToRoutstrFeed } from '../../examples/savings/feeds.ts';
import type { PriceTable } from '../../examples/savings/price-table.ts';

const table: PriceTable = {
  source: '',
  date: '',
  caveats: [],
  models: [
    {
      model: 'gpt-oss-20b',
      offers: [
        {
          provider: 'other',
          id: 'o',
          input_usd_per_mtok: 9,
          output_usd_per_mtok: 9,
        },
        {
          provider: 'shop',
          id: 'openai/gpt-oss-20b',
          input_usd_per_mtok: 0.0721,
          output_usd_per_mtok: 0.309,
          cached_input_usd_per_mtok: 0.03,
        },
      ],
    },
    { model: 'not sold', offers: [] },
  ],
};

it('are, of a Routstr node, numbers per token in USD and in sats', () => {
  const { data } = tableToRoutstrFeed(table, 'shop');
  expect(JSON.parse(JSON.stringify(data))).toMatchObject([
    {
      id: 'gpt-oss-20b',
      alias_ids: ['openai/gpt-oss-20b'],
      pricing: { prompt: 7.21e-8, completion: 3.09e-7, input_cache_read: 3e-8, request: 0 },
      sats_pricing: { prompt: 7.21e-5, completion: 0.000309, input_cache_read: 0.00003 },
    },
  ]);
});

it('are, of OpenRouter, decimal strings per token in USD', () => {
  const [listed] = tableToOpenRouterFeed(table, 'shop').data;
  expect(listed).toMatchObject({
    id: 'gpt-oss-20b',
    canonical_slug: 'openai/gpt-oss-20b',
    pricing: {
      prompt: '0.0000000721',
      completion: '0.000000309',
      input_cache_read: '0.00000003',
      request: '0',
    },
  });
  const [uncached] = tableToOpenRouterFeed(table, 'other').data;
  expect(uncached).toMatchObject({ pricing: { prompt: '0.000009' } });
  expect(uncached).not.toHaveProperty('pricing.input_cache_read');
});
