import { describe, expect, it } from 'vitest';
import type { ProviderKind } from '../../src/config/types.ts';
import type { Feed, FeedModel } from '../../src/feed/feed.ts';
import { feedRates } from '../../src/feed/rates.ts';
import { readFeed } from '../../src/feed/read-feed.ts';
import { readOllamaDetails } from '../../src/feed/read-ollama-details.ts';
import {
  meshModel,
  ollamaDetails,
  ollamaModel,
  openrouterModel,
  pricing,
  routstrModel,
} from './lists.ts';

function feed(kind: ProviderKind, ...data: unknown[]): Feed {
  const read = readFeed(kind, { data });
  if ('wrong' in read) throw new Error(read.wrong);
  return read;
}
const model = (kind: ProviderKind, entry: unknown): FeedModel => feed(kind, entry).models[0]!;
/** msat per 1M tokens, a USD at 1,000 sats. */
const rates = (kind: ProviderKind, entry: unknown, msatPerUsd: number | null = 1_000_000) =>
  feedRates(model(kind, entry).price, msatPerUsd);
const sats = (prompt: unknown, completion: unknown = 0.001, more: object = {}) =>
  routstrModel({ sats_pricing: pricing(prompt, completion, more) });
const usd = (more: object) =>
  openrouterModel({ pricing: { prompt: '0.000001', completion: '0.000002', ...more } });

describe('a node of Routstr', () => {
  it('says sats per token, names and limits', () => {
    const entry = routstrModel();
    expect(rates('routstr', entry, null)).toEqual({
      input: 150_000,
      output: 600_000,
      cachedInput: 75_000,
      // 0.001 sat is the least that it charges at all, and no fee.
      baseFee: 0,
      steps: [],
    });
    expect(model('routstr', entry)).toMatchObject({
      id: 'gpt-4o-mini',
      aliases: ['openai/gpt-4o-mini'],
      contextWindow: 128_000,
      maxOutputTokens: 16_384,
      supports: new Set(['tools', 'images', 'json']),
      reasoning: null,
      unfit: null,
    });
  });

  it('rounds a price up, once, from the digits that it wrote', () => {
    expect(rates('routstr', sats(JSON.parse('0.00017391304347826086')), null)).toMatchObject({
      input: 173_914,
    });
    expect(rates('routstr', sats(0.0003, 0.0000011), null)).toMatchObject({
      input: 300_000,
      output: 1_100,
    });
  });

  it('has a fee where it is more than the least', () => {
    expect(rates('routstr', sats(0.001, 0.001, { request: 0.5 }), null)).toMatchObject({
      baseFee: 500,
    });
  });

  it('without sats has a price in USD', () => {
    const entry = routstrModel({ sats_pricing: null });
    expect(rates('routstr', entry, null)).toHaveProperty('unknown');
    expect(rates('routstr', entry)).toMatchObject({ input: 150_000, output: 600_000 });
  });

  it('with a price in sats that is wrong has none, whatever it says in USD', () => {
    expect(rates('routstr', sats(-1))).toHaveProperty('unknown');
  });

  it('does not sell what is disabled', () => {
    expect(model('routstr', routstrModel({ enabled: false })).unfit).toBe(
      'its seller has it disabled',
    );
  });
});

describe('OpenRouter', () => {
  it('says USD per token in decimal text, and what a model can do', () => {
    const entry = openrouterModel();
    expect(rates('openrouter', entry)).toEqual({
      input: 150_000,
      output: 600_000,
      cachedInput: 75_000,
      baseFee: 0,
      steps: [],
    });
    expect(model('openrouter', entry)).toMatchObject({
      aliases: ['openai/gpt-4o-mini-2024-07-18'],
      supports: new Set(['tools', 'images', 'json']),
      reasoning: false,
      // 0.000217 USD each, at 0.00000015 a token.
      imageTokens: 1447,
    });
  });

  it('has prices whose USD rate is exact and rounded up', () => {
    expect(rates('openrouter', openrouterModel(), 1_234_567)).toMatchObject({
      input: 185_186,
      output: 740_741,
    });
  });

  it('has fees per request, and reasoning that may be dearer than the rest', () => {
    expect(rates('openrouter', usd({ request: '0.005' }))).toMatchObject({ baseFee: 5_000 });
    expect(rates('openrouter', usd({ internal_reasoning: '0.000003' }))).toMatchObject({
      output: 3_000_000,
    });
    expect(rates('openrouter', usd({ internal_reasoning: '0.0000001' }))).toMatchObject({
      output: 2_000_000,
    });
  });

  it('charges more for long prompts, whatever the order of its list', () => {
    const entry = usd({
      input_cache_read: '0.0000001',
      overrides: [
        { min_prompt_tokens: 256_000, prompt: '0.000004', completion: '0.000008' },
        { min_prompt_tokens: 32_000, prompt: '0.000002', input_cache_read: '0.0000002' },
      ],
    });
    expect(rates('openrouter', entry)).toMatchObject({
      input: 1_000_000,
      output: 2_000_000,
      steps: [
        { fromTokens: 32_000, input: 2_000_000, output: 2_000_000, cachedInput: 200_000 },
        { fromTokens: 256_000, input: 4_000_000, output: 8_000_000, cachedInput: 200_000 },
      ],
    });
  });

  it('costs what it costs at its dearest hour, and gives no discount on volume', () => {
    const entry = usd({
      overrides: [
        { utc_start: '1630', utc_end: '0030', prompt: '0.0000005' },
        { utc_start: '0800', utc_end: '1000', completion: '0.000009' },
        { min_prompt_tokens: 1000, prompt: '0.0000001' },
      ],
    });
    expect(rates('openrouter', entry)).toMatchObject({
      input: 1_000_000,
      output: 9_000_000,
      steps: [{ fromTokens: 1000, input: 1_000_000, output: 9_000_000 }],
    });
  });

  it('names what a model can do by the parameters that it takes', () => {
    const bare = openrouterModel({
      architecture: { input_modalities: ['text'], output_modalities: ['text'] },
      supported_parameters: ['max_tokens', 'reasoning'],
    });
    expect(model('openrouter', bare)).toMatchObject({ supports: new Set(), reasoning: true });
  });

  it('does not sell pictures as text', () => {
    const entry = openrouterModel({ architecture: { output_modalities: ['image'] } });
    expect(model('openrouter', entry).unfit).toBe('it does not answer in text');
  });
});

describe('a price that is none', () => {
  it.each<[string, object, string]>([
    ['missing', { prompt: undefined }, 'names no price of input'],
    ['null', { completion: null }, 'names no price of output'],
    ['negative', { prompt: '-1' }, 'price of input is negative'],
    ['NaN', { completion: 'NaN' }, 'price of output is not a number'],
    ['a list', { prompt: ['0.1'] }, 'price of input is not a number'],
    ['zero', { prompt: '0', completion: '0' }, 'input costs 0'],
    ['zero on one side', { completion: 0 }, 'output costs 0'],
    ['per 1M tokens instead of per token', { prompt: '0.15' }, 'price of input is above 100000000'],
    ['a millionth of a price', { completion: '0.0000000000006' }, 'price of output is below 0.1'],
    ['beyond all numbers', { prompt: '1e300' }, 'price of input is above'],
    ['a fee beyond all measure', { request: '1000' }, 'fee is above 10000 sats'],
    ['a fee that is negative', { request: -1 }, 'fee per request is negative'],
    [
      'reasoning at any price',
      { internal_reasoning: 'much' },
      'price of reasoning is not a number',
    ],
  ])('%s is unknown', (_what, more, reason) => {
    const unknown = rates('openrouter', usd(more)) as { unknown?: string };
    expect(unknown.unknown).toContain(reason);
  });

  it('is not made up from a table that is not there', () => {
    expect(rates('openrouter', openrouterModel({ pricing: undefined }))).toEqual({
      unknown: 'its feed names no price',
    });
  });

  it.each([{ input_cache_read: 'x' }, { input_cache_read: '-1' }, { input_cache_read: '0.00001' }])(
    'of cached input (%j) leaves that at the price of input',
    (more) => {
      expect(rates('openrouter', usd(more))).toMatchObject({ cachedInput: null });
    },
  );

  it('of an image takes the images away', () => {
    expect(model('openrouter', usd({ image: '-1' })).supports).toEqual(new Set(['tools', 'json']));
    expect(model('openrouter', usd({ image: '100' })).supports).toEqual(new Set(['tools', 'json']));
  });
});

describe('lists without prices', () => {
  it('of Ollama, Mesh-LLM and others have names and what they say of the context', () => {
    expect(feed('ollama', ollamaModel()).models).toMatchObject([
      { id: 'llama3.2:latest', aliases: ['llama3.2'], price: null },
    ]);
    expect(feed('mesh-llm', meshModel()).models).toMatchObject([
      { id: 'unsloth/Qwen3-8B-GGUF:Q4_K_M', aliases: [], price: null, supports: null },
    ]);
    expect(model('openai', { id: 'a', max_model_len: 8192 }).contextWindow).toBe(8192);
    expect(model('openai', { id: 'a', context_length: -1, context_window: 1e99 })).toMatchObject({
      contextWindow: null,
    });
    // A price in a list that has none is not looked at: nobody knows its unit.
    expect(model('openai', { id: 'a', pricing: { prompt: '1' } }).price).toBeNull();
    expect(readFeed('openai', [{ id: 'bare' }])).toMatchObject({ models: [{ id: 'bare' }] });
  });

  it('get from Ollama what its models can do', () => {
    expect(readOllamaDetails(ollamaDetails(['completion', 'vision', 'thinking']))).toEqual({
      contextWindow: 131_072,
      supports: new Set(['json', 'images']),
      reasoning: true,
      unfit: null,
    });
    const set = { ...ollamaDetails(['completion']), parameters: 'temperature 1\nnum_ctx    8192' };
    expect(readOllamaDetails(set)).toMatchObject({ contextWindow: 8192 });
    expect(readOllamaDetails({})).toEqual({
      contextWindow: null,
      supports: null,
      reasoning: null,
      unfit: null,
    });
    expect(readOllamaDetails('no')).toBeNull();
  });
});

describe('a list', () => {
  it.each<[unknown, string]>([
    [null, 'is not a list of models'],
    ['x', 'is not a list of models'],
    [{ data: {} }, 'is not a list of models'],
    [{ data: null }, 'lists no models'],
    [[], 'lists no models'],
    [{ data: new Array(2001).fill({}) }, 'lists 2001 models; at most 2000 are taken'],
  ])('%j is refused as a whole', (body, wrong) => {
    expect(readFeed('routstr', body)).toEqual({ wrong });
  });

  it('with entries that are wrong keeps the others', () => {
    const long = 'x'.repeat(129);
    const { models, refused } = feed(
      'routstr',
      1,
      null,
      {},
      { id: 7 },
      { id: long },
      { id: 'a b' },
      {
        id: 'good',
      },
    );
    expect(models.map(({ id }) => id)).toEqual(['good']);
    expect(refused.map(({ model: name }) => name)).toEqual([
      '(no name)',
      `"${'x'.repeat(64)}"`,
      '"a b"',
    ]);
  });

  it('that has a model twice has no price for it', () => {
    const { models, refused } = feed('routstr', sats(0.001), sats(0.002), sats(0.003));
    expect(models).toEqual([]);
    expect(refused).toMatchObject([{ model: 'gpt-4o-mini' }]);
  });

  it('gives a name that two models claim to neither, and none to a model that has its own', () => {
    const as = (id: string, alias_ids: unknown) =>
      routstrModel({ id, alias_ids, canonical_slug: null });
    const { models } = feed(
      'routstr',
      as('a', ['b', 'x', 'own']),
      as('b', ['x', 5, 'y\n']),
      as('c', 'y'),
    );
    expect(models.map(({ id, aliases }) => [id, ...aliases])).toEqual([['a', 'own'], ['b'], ['c']]);
  });
});
