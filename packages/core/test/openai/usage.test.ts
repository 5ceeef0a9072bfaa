import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalizeUsage, reportedCost, type Usage } from '../../src/openai/usage.ts';

const usage = (input: number, cached: number, output: number, reasoning: number): Usage => ({
  inputTokens: input,
  cachedInputTokens: cached,
  outputTokens: output,
  reasoningTokens: reasoning,
});

/** As providers really write them, with the members that we do not read. */
const DIALECTS: readonly [name: string, reported: unknown, expected: Usage][] = [
  ['bare', { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 }, usage(12, 0, 3, 0)],
  [
    'OpenAI',
    {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 192,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
    usage(2006, 1920, 300, 192),
  ],
  [
    'OpenRouter',
    {
      prompt_tokens: 194,
      completion_tokens: 2,
      total_tokens: 196,
      cost: 0.0095,
      is_byok: false,
      prompt_tokens_details: { cached_tokens: 100, cache_write_tokens: 40, audio_tokens: 0 },
      cost_details: { upstream_inference_cost: null },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
    usage(194, 100, 2, 0),
  ],
  [
    'litellm, with the fields of Anthropic mirrored',
    {
      prompt_tokens: 1500,
      completion_tokens: 20,
      total_tokens: 1520,
      prompt_tokens_details: { cached_tokens: 1000, cache_creation_tokens: 300 },
      cache_creation_input_tokens: 300,
      cache_read_input_tokens: 1000,
    },
    usage(1500, 1000, 20, 0),
  ],
  [
    'litellm, with the fields of Anthropic alone',
    { prompt_tokens: 1500, completion_tokens: 20, cache_read_input_tokens: 1000 },
    usage(1500, 1000, 20, 0),
  ],
  [
    'Anthropic, where the cache comes on top',
    {
      input_tokens: 50,
      cache_creation_input_tokens: 248,
      cache_read_input_tokens: 1800,
      output_tokens: 503,
      service_tier: 'standard',
    },
    usage(2098, 1800, 503, 0),
  ],
  ['Anthropic, uncached', { input_tokens: 50, output_tokens: 503 }, usage(50, 0, 503, 0)],
  [
    'DeepSeek',
    {
      prompt_tokens: 700,
      completion_tokens: 41,
      total_tokens: 741,
      prompt_cache_hit_tokens: 640,
      prompt_cache_miss_tokens: 60,
      completion_tokens_details: { reasoning_tokens: 30 },
    },
    usage(700, 640, 41, 30),
  ],
  [
    'Moonshot',
    { prompt_tokens: 900, completion_tokens: 5, total_tokens: 905, cached_tokens: 768 },
    usage(900, 768, 5, 0),
  ],
  [
    'Responses API, where the cache is contained',
    {
      input_tokens: 328,
      input_tokens_details: { cached_tokens: 256 },
      output_tokens: 52,
      output_tokens_details: { reasoning_tokens: 32 },
      total_tokens: 380,
    },
    usage(328, 256, 52, 32),
  ],
  [
    'Responses API, with the fields of Anthropic mirrored',
    {
      input_tokens: 328,
      input_tokens_details: { cached_tokens: 256 },
      cache_read_input_tokens: 256,
      cache_creation_input_tokens: 10,
      output_tokens: 52,
    },
    usage(328, 256, 52, 0),
  ],
  [
    'Routstr, with its bill',
    {
      prompt_tokens: 19,
      completion_tokens: 10,
      total_tokens: 29,
      cost: {
        base_msats: 0,
        input_msats: 5,
        output_msats: 11,
        total_msats: 16,
        total_usd: 0.00002,
      },
      cost_sats: 0,
      remaining_balance_msats: 99_984,
    },
    usage(19, 0, 10, 0),
  ],
  [
    'details that are null',
    {
      prompt_tokens: 4,
      completion_tokens: 2,
      prompt_tokens_details: null,
      completion_tokens_details: null,
    },
    usage(4, 0, 2, 0),
  ],
];

describe('normalizeUsage', () => {
  it.each(DIALECTS)('reads %s', (_, reported, expected) => {
    expect(normalizeUsage(reported)).toEqual(expected);
  });

  it('never takes more from the cache than there was, nor more reasoning than answer', () => {
    const reported = {
      prompt_tokens: 10,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 11 },
      completion_tokens_details: { reasoning_tokens: 6 },
    };
    expect(normalizeUsage(reported)).toEqual(usage(10, 10, 5, 5));
  });

  it('ignores the total, whatever it says', () => {
    for (const total_tokens of [-1, 'many', 10 ** 300]) {
      const reported = { prompt_tokens: 1, completion_tokens: 2, total_tokens };
      expect(normalizeUsage(reported)).toEqual(usage(1, 0, 2, 0));
    }
  });

  it('takes whole floats and zeros', () => {
    expect(normalizeUsage(JSON.parse('{"prompt_tokens":12.0,"completion_tokens":-0}'))).toEqual(
      usage(12, 0, 0, 0),
    );
  });

  it.each([
    ['nothing', null],
    ['no object', 7],
    ['an array', [{ prompt_tokens: 1, completion_tokens: 1 }]],
    ['an empty object', {}],
    ['no output', { prompt_tokens: 1 }],
    ['no input', { completion_tokens: 1, total_tokens: 2 }],
    ['null for the input', { prompt_tokens: null, completion_tokens: 1 }],
    ['a negative count', { prompt_tokens: -1, completion_tokens: 1 }],
    ['a fraction', { prompt_tokens: 1, completion_tokens: 1.5 }],
    ['a string', { prompt_tokens: '1', completion_tokens: 1 }],
    ['more than 2^53', { prompt_tokens: 2 ** 53, completion_tokens: 1 }],
    ['an infinite count', JSON.parse('{"prompt_tokens":1e999,"completion_tokens":1}')],
    [
      'a negative input beside a good one',
      { prompt_tokens: -1, input_tokens: 5, output_tokens: 1 },
    ],
    [
      'a cache that is no count',
      { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -4 } },
    ],
    [
      'reasoning that is no count',
      {
        prompt_tokens: 1,
        completion_tokens: 1,
        completion_tokens_details: { reasoning_tokens: '9' },
      },
    ],
    [
      'parts whose sum is above 2^53',
      { input_tokens: 2 ** 53 - 1, cache_read_input_tokens: 1, output_tokens: 1 },
    ],
  ])('takes %s for no usage', (_, reported) => {
    expect(normalizeUsage(reported)).toBeNull();
  });

  it('never throws, and gives counts that bills can be made of', () => {
    const names = [
      ...['prompt_tokens', 'completion_tokens', 'input_tokens', 'output_tokens'],
      ...['prompt_tokens_details', 'input_tokens_details', 'completion_tokens_details'],
      ...['cache_read_input_tokens', 'cache_creation_input_tokens', 'cost', 'cost_details'],
    ];
    const count = fc.oneof(fc.nat(), fc.maxSafeInteger(), fc.jsonValue({ maxDepth: 1 }));
    const value = fc.oneof(count, fc.record({ cached_tokens: count, reasoning_tokens: count }));
    const reported = fc.record(Object.fromEntries(names.map((name) => [name, value])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(fc.oneof(reported, fc.jsonValue()), (anything) => {
        reportedCost(anything);
        const normal = normalizeUsage(anything);
        if (normal === null) return;
        for (const tokens of Object.values(normal)) {
          expect(Number.isSafeInteger(tokens) && tokens >= 0).toBe(true);
        }
        expect(normal.cachedInputTokens).toBeLessThanOrEqual(normal.inputTokens);
        expect(normal.reasoningTokens).toBeLessThanOrEqual(normal.outputTokens);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('reportedCost', () => {
  it.each([
    ['OpenRouter', { cost: 0.0095 }, { msat: null, usd: 0.0095 }],
    [
      'a fee on a key of one’s own',
      { cost: 0.05, cost_details: { upstream_inference_cost: 1 } },
      { msat: null, usd: 1.05 },
    ],
    [
      'a cost that contains the upstream’s',
      { cost: 0.5, cost_details: { upstream_inference_cost: 0.5 } },
      { msat: null, usd: 0.5 },
    ],
    [
      'a total in the details',
      { cost: 1, cost_details: { total_cost: 2 } },
      { msat: null, usd: 2 },
    ],
    [
      'Routstr',
      { cost: { total_msats: 16, total_usd: 0.00002 }, cost_sats: 0 },
      { msat: 16, usd: 0.00002 },
    ],
    ['Routstr, in sats', { cost_sats: 3 }, { msat: 3000, usd: null }],
  ])('reads %s', (_, reported, expected) => {
    expect(reportedCost(reported)).toEqual(expected);
  });

  it.each([[null], [{}], [{ cost: -1 }], [{ cost: 'free' }], [{ cost: { total_msats: '5' } }]])(
    'finds none in %j',
    (reported) => {
      expect(reportedCost(reported)).toBeNull();
    },
  );
});
