import { msat } from '@arbstr/shared';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mockConfig } from '../../src/config/mock.ts';
import type { Offer, PolicyRule, ProviderConfig } from '../../src/config/types.ts';
import type { ApiRequest } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';
import { type ChooseInput, choose } from '../../src/route/choose.ts';
import { sellersOf } from '../../src/route/sellers.ts';
import { estimatePrompt, promptOf } from '../../src/tokens/prompt.ts';

const template = mockConfig().providers[0]!;
const MODEL = 'gpt-4o';

interface Seller extends Partial<Omit<ProviderConfig, 'offers'>> {
  readonly name: string;
  readonly offer?: Partial<Offer>;
  /** msat per token, in and out. */
  readonly input?: number;
  readonly output?: number;
  readonly feeMsat?: number;
}

function seller({
  offer,
  input = 8,
  output = 8,
  feeMsat = 0,
  ...provider
}: Seller): ProviderConfig {
  const rates = {
    inputMsatPerMtok: input * 1e6,
    outputMsatPerMtok: output * 1e6,
    cachedInputMsatPerMtok: null,
    baseFeeMsat: msat(feeMsat),
  };
  const base = template.offers.get(MODEL)!;
  const model = offer?.model ?? MODEL;
  return {
    ...template,
    ...provider,
    offers: new Map([[model, { ...base, model, rates, providerRates: rates, ...offer }]]),
  };
}

const NO_RULE: PolicyRule = {
  name: 'p',
  allowedModels: null,
  allowedProviders: null,
  strategy: null,
  maxOutputMsatPerMtok: null,
  maxRequestMsat: null,
  minTier: null,
  strictTier: false,
  rescue: null,
  keywords: null,
};

interface Wish {
  body?: object;
  sellers: ProviderConfig[];
  billing?: ChooseInput['billing'];
  open?: string[];
  busy?: string[];
  /** msat. */
  balances?: Record<string, number>;
  maxAttempts?: number;
  outputExpectation?: number;
  request?: Partial<ApiRequest>;
  floor?: ChooseInput['floor'];
  isStrict?: boolean;
}

function chosen(wish: Wish) {
  const body = { model: MODEL, messages: [{ role: 'user', content: 'hi' }], ...wish.body };
  const parsed = parseChatRequest(Buffer.from(JSON.stringify(body)));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return choose({
    request: { ...parsed.request, ...wish.request },
    sellers: sellersOf(wish.sellers),
    virtual: null,
    rule: wish.isStrict ? { ...NO_RULE, strictTier: true } : null,
    agentModels: null,
    floor: wish.floor ?? null,
    strategy: 'cheapest',
    ranking: { latencyMs: () => null, turn: () => 0, random: () => 0.5 },
    prompt: estimatePrompt(promptOf(body)),
    outputExpectation: () => wish.outputExpectation ?? 256,
    billing: wish.billing === undefined ? { defaultReserveTokens: 4096 } : wish.billing,
    maxAttempts: wish.maxAttempts ?? 4,
    rescue: 'off',
    availability: {
      allows: (name, seat) => ![name, `${name} ${seat}`].some((key) => wish.open?.includes(key)),
      inFlight: (name) => ((wish.busy ?? []).includes(name) ? 1e9 : 0),
      balanceMsat: (name) => wish.balances?.[name] ?? null,
      nextTryMs: () => 1_005_000,
    },
    nowMs: 1_000_000,
  });
}

function candidates(wish: Wish) {
  const choice = chosen(wish);
  if (choice.kind === 'refused') throw new Error(choice.message);
  return choice;
}
const names = (wish: Wish) => candidates(wish).candidates.map(({ provider }) => provider.name);

describe('choose', () => {
  it('puts the cheapest for this request first, and ties by name', () => {
    const sellers = [
      seller({ name: 'b', input: 8 }),
      seller({ name: 'a', input: 8 }),
      seller({ name: 'c', input: 7 }),
    ];
    expect(names({ sellers })).toEqual(['c', 'a', 'b']);
  });

  it('knows that a long prompt and a long answer have different cheapest sellers', () => {
    const sellers = [
      seller({ name: 'reads', input: 1, output: 20 }),
      seller({ name: 'writes', input: 10, output: 2 }),
    ];
    const long = { messages: [{ role: 'user', content: 'word '.repeat(5_000) }], max_tokens: 10 };
    expect(names({ sellers, body: long })[0]).toBe('reads');
    expect(names({ sellers })[0]).toBe('writes');
  });

  it('counts a base fee per request in msat, not per token', () => {
    const sellers = [
      seller({ name: 'fee', input: 1, output: 1, feeMsat: 1_000_000 }),
      seller({ name: 'plain' }),
    ];
    expect(names({ sellers })[0]).toBe('plain');
  });

  it('reserves the worst of the candidates that may be tried, and no other', () => {
    const sellers = [
      seller({ name: 'a', output: 8 }),
      seller({ name: 'b', output: 12 }),
      seller({ name: 'c', output: 1000 }),
    ];
    const body = { max_tokens: 100 };
    const two = candidates({ sellers, body, maxAttempts: 2 });
    const three = candidates({ sellers, body, maxAttempts: 3 });
    expect(two.ceilingMsat).toBeLessThan(100 * 1000);
    expect(three.ceilingMsat).toBeGreaterThan(100 * 1000);
    expect(candidates({ sellers, body, open: ['c'] }).ceilingMsat).toBe(two.ceilingMsat);
  });

  it('covers n choices, both spellings of the bound, and images', () => {
    const sellers = [seller({ name: 'a', input: 0, output: 1 })];
    const bound = (body: object) => candidates({ sellers, body }).ceilingMsat;
    expect(bound({ max_tokens: 100 })).toBe(100);
    expect(bound({ max_completion_tokens: 100 })).toBe(100);
    expect(bound({ max_tokens: 100, n: 3 })).toBe(300);
    expect(bound({ max_tokens: 10, max_completion_tokens: 100 })).toBe(100);
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const seen = candidates({
      sellers: [seller({ name: 'a', input: 1, output: 0 })],
      body: { messages: [{ role: 'user', content: [image] }] },
    });
    expect(seen.candidates[0].estimatedInputTokens).toBeGreaterThanOrEqual(1600);
    expect(seen.candidates[0].estimatedInputTokens).toBeLessThan(1700);
  });

  it('bounds the output itself where the caller did not, in the spelling that the model takes', () => {
    const bound = (offer: Partial<Offer>, model = MODEL) => {
      const [{ outputBound, sendBoundAs }] = candidates({
        sellers: [seller({ name: 'a', offer: { ...offer, model } })],
        body: { model },
      }).candidates;
      return [outputBound, sendBoundAs];
    };
    expect(bound({})).toEqual([4096, 'max_tokens']);
    expect(bound({ maxOutputTokens: 1000 })).toEqual([1000, 'max_tokens']);
    expect(bound({ contextWindow: 500 })[0]).toBeLessThan(500);
    expect(bound({}, 'o3-mini')).toEqual([4096, 'max_completion_tokens']);
    expect(bound({}, 'openai/gpt-5-mini')).toEqual([4096, 'max_completion_tokens']);
    const [own] = candidates({
      sellers: [seller({ name: 'a' })],
      body: { max_tokens: 7 },
    }).candidates;
    expect(own).toMatchObject({ outputBound: 7, sendBoundAs: null });
  });

  it('bounds nothing in free mode', () => {
    const [first] = candidates({ sellers: [seller({ name: 'a' })], billing: null }).candidates;
    expect(first).toMatchObject({ outputBound: null, sendBoundAs: null });
  });

  it.each<[string, Wish, object]>([
    [
      'nobody serves the model',
      { sellers: [seller({ name: 'a', offer: { model: 'other' } })] },
      { code: 'model_not_found', status: 404 },
    ],
    [
      'all are paused',
      { sellers: [seller({ name: 'a' })], open: ['a'] },
      { code: 'no_healthy_provider', retryAfterSecs: 5 },
    ],
    ['all are full', { sellers: [seller({ name: 'a' })], busy: ['a'] }, { code: 'overloaded' }],
    [
      'a price-changing parameter',
      { sellers: [seller({ name: 'a' })], body: { service_tier: 'priority' } },
      { code: 'unsupported_parameter', param: 'service_tier' },
    ],
    [
      'a prompt over the context window',
      {
        sellers: [seller({ name: 'a', offer: { contextWindow: 5 } })],
        body: { messages: [{ role: 'user', content: 'word '.repeat(50) }] },
      },
      { code: 'context_length_exceeded' },
    ],
    [
      'tools that nobody takes',
      {
        sellers: [seller({ name: 'a', offer: { supports: new Set() } })],
        body: { tools: [{ type: 'function', function: { name: 'f' } }] },
      },
      { code: 'invalid_request', param: 'tools' },
    ],
  ])('refuses where %s', (_what, wish, refusal) => {
    expect(chosen(wish)).toMatchObject({ kind: 'refused', ...refusal });
  });

  it('keeps a model that is missing at one endpoint from that endpoint alone', () => {
    const endpoints = new Set(['chat', 'embeddings'] as const);
    const wish = { sellers: [seller({ name: 'a', endpoints })], open: ['a gpt-4o (embeddings)'] };
    expect(names(wish)).toEqual(['a']);
    expect(chosen({ ...wish, request: { endpoint: 'embeddings' } })).toMatchObject({
      code: 'no_healthy_provider',
      retryAfterSecs: 5,
    });
  });

  it('says of those that rest no more than it knows', () => {
    const sellers = [seller({ name: 'a' }), seller({ name: 'b', offer: { supports: new Set() } })];
    const body = { tools: [{ type: 'function', function: { name: 'f' } }] };
    const refusal = chosen({ sellers, body, open: ['a'] });
    expect(refusal).toMatchObject({ code: 'no_healthy_provider' });
    expect((refusal as { message: string }).message).toMatch(/that could take this request.*\(a\)/);
  });

  it('asks nobody whose account cannot cover the most that it may charge', () => {
    const sellers = [seller({ name: 'a' }), seller({ name: 'b', input: 9, output: 9 })];
    const body = { max_tokens: 100 };
    const { candidates: all } = candidates({ sellers, body });
    const { inputTokensMax } = all[0]!;
    // 8 msat per token, in and out.
    const needed = 8 * (inputTokensMax + 100);
    expect(names({ sellers, body, balances: { a: needed } })).toEqual(['a', 'b']);
    expect(names({ sellers, body, balances: { a: needed - 1 } })).toEqual(['b']);
    const markedUp = { rates: { ...all[0]!.offer.rates, outputMsatPerMtok: 1e12 } };
    const dear = [seller({ name: 'a', offer: markedUp })];
    expect(names({ sellers: dear, body, balances: { a: needed } })).toEqual(['a']);
    expect(chosen({ sellers, body, balances: { a: 0, b: 0 } })).toMatchObject({
      kind: 'refused',
      code: 'no_healthy_provider',
    });
  });

  it('charges a long prompt as a seller does that charges more for it', () => {
    const { rates } = seller({ name: 'x', input: 20, output: 20 }).offers.get(MODEL)!;
    const steps = [{ fromTokens: 1000, rates, providerRates: rates }];
    const sellers = [
      seller({ name: 'stepped', input: 8, offer: { steps } }),
      seller({ name: 'flat', input: 9, output: 9 }),
    ];
    const prompt = (words: number) => ({
      messages: [{ role: 'user', content: 'word '.repeat(words) }],
    });
    expect(names({ sellers, body: prompt(100) })).toEqual(['stepped', 'flat']);
    const long = candidates({ sellers, body: prompt(2000) });
    expect(long.candidates.map(({ provider }) => provider.name)).toEqual(['flat', 'stepped']);
    const [, stepped] = long.candidates;
    expect(stepped!.offer.providerRates).toBe(rates);
    // What is held covers it.
    expect(long.ceilingMsat).toBeGreaterThanOrEqual(20 * stepped!.inputTokensMax);
  });

  it('takes the longest answer of a model where nobody bounds it', () => {
    const sellers = [seller({ name: 'a', offer: { maxOutputTokens: 1000 } })];
    const free = { sellers, billing: null };
    expect(names({ ...free, balances: { a: 10_000 } })).toEqual(['a']);
    expect(chosen({ ...free, balances: { a: 8_000 } })).toMatchObject({ kind: 'refused' });
  });

  it('lets price-changing parameters pass in free mode and where they are allowed', () => {
    const body = { service_tier: 'priority' };
    expect(names({ sellers: [seller({ name: 'a' })], body, billing: null })).toEqual(['a']);
    const sellers = [seller({ name: 'a' }), seller({ name: 'b', allowParams: ['service_tier'] })];
    expect(names({ sellers, body })).toEqual(['b']);
  });

  describe('below the floor', () => {
    const sellers = [
      seller({ name: 'home', tier: 'local', input: 0, output: 0 }),
      seller({ name: 'shop', tier: 'standard', output: 20 }),
      seller({ name: 'mall', tier: 'standard', output: 10 }),
      seller({ name: 'top', tier: 'frontier', output: 50 }),
    ];
    const floor = 'frontier';
    const reasons = (wish: Wish) =>
      candidates(wish).excluded.map(({ provider, exclusion }) => [provider, exclusion.reason]);

    it('tries the highest first, after all that reach it, as far as attempts go', () => {
      const wish: Wish = { sellers, floor, maxAttempts: 3 };
      expect(names(wish)).toEqual(['top', 'mall', 'shop']);
      expect(reasons(wish)).toEqual([['home', 'below_floor']]);
      expect(candidates(wish).qualified.map(({ provider }) => provider.name)).toEqual(['top']);
    });

    it('serves from the highest where nobody reaches it', () => {
      const wish: Wish = { sellers, floor, open: ['top'], maxAttempts: 2 };
      expect(names(wish)).toEqual(['mall', 'shop']);
      expect(candidates(wish).qualified).toHaveLength(2);
    });

    it('tries nobody where the policy is strict', () => {
      const wish: Wish = { sellers, floor, isStrict: true };
      expect(names(wish)).toEqual(['top']);
      expect(reasons(wish)).toEqual(['home', 'shop', 'mall'].map((name) => [name, 'policy']));
      expect(chosen({ ...wish, open: ['top'] })).toMatchObject({ code: 'no_healthy_provider' });
    });
  });

  it('looks through the messages once for all sellers that allow the same', () => {
    const readsFor = (sellers: ProviderConfig[]) => {
      let reads = 0;
      const message = {
        role: 'user',
        get content() {
          reads++;
          return 'hi';
        },
      };
      candidates({ sellers, request: { messages: [message] } });
      return reads;
    };
    const alike = Array.from({ length: 50 }, (_, i) => seller({ name: `p${i}` }));
    expect(readsFor(alike)).toBe(readsFor([alike[0]!]));
    expect(readsFor(alike)).toBeGreaterThan(0);
  });

  it('orders totally: the same answer whatever the order of the configuration', () => {
    const price = fc.integer({ min: 0, max: 5 });
    fc.assert(
      fc.property(fc.array(fc.tuple(price, price), { minLength: 1, maxLength: 6 }), (prices) => {
        const sellers = prices.map(([input, output], i) =>
          seller({ name: `p${i}`, input, output }),
        );
        expect(names({ sellers: [...sellers].reverse() })).toEqual(names({ sellers }));
      }),
    );
  });
});
