// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of the configuration file
import { describe, expect, it } from 'vitest';
import { CALIBRATED } from '../../src/complexity/score.ts';
import { loadConfig } from '../../src/config/load.ts';
import { mockConfig } from '../../src/config/mock.ts';
import { type Config, TIMEOUTS_DEFAULT } from '../../src/config/types.ts';
import { config, load, PROVIDER, provider, warnings, withProvider } from './load-text.ts';

const PRICED = withProvider('output_rate = 8000\n');

describe('what a file does not say', () => {
  it('has the defaults of the contract', () => {
    expect(config('')).toEqual({
      server: {
        host: '127.0.0.1',
        port: 8080,
        authToken: null,
        bodyLimitBytes: 20_971_520,
        drainMs: 30_000,
        clientStallMs: 60_000,
        rateLimitRps: 0,
        maxConcurrencyPerCaller: 64,
      },
      database: { path: './data/arbstr.db' },
      vault: null,
      providers: [],
      markupPpm: 0,
      msatPerUsd: null,
      breaker: { failures: 3, openMs: 30_000, credentialsMs: 300_000, paymentMs: 60_000 },
      policies: { defaultStrategy: 'cheapest', rules: [] },
      virtualModels: new Map(),
      routing: {
        floorConcreteModels: false,
        thresholdLow: CALIBRATED.thresholdLow,
        thresholdHigh: CALIBRATED.thresholdHigh,
        weights: CALIBRATED.weights,
      },
      retry: {
        maxAttempts: 4,
        backoffMs: 250,
        backoffMsMax: 4_000,
        pauseMsMax: 60_000,
        rescue: 'off',
        rescueBytesMax: 1024 * 1024,
      },
      logging: { level: 'info', logRequests: true, retentionMs: 30 * 86_400_000 },
    });
  });

  it('has the defaults of the contract for a provider', () => {
    const { offers, terms, ...rest } = provider(PRICED);
    expect(rest).toEqual({
      name: 'alpha',
      url: 'https://alpha.example/v1',
      kind: 'openai',
      apiKey: null,
      keySource: 'none',
      models: ['m'],
      discovery: null,
      endpoints: new Set(['chat']),
      tier: 'standard',
      weight: 1,
      maxConcurrency: 64,
      timeouts: {
        connectMs: 5000,
        firstTokenMs: 14_000,
        answerMs: 120_000,
        idleMs: 30_000,
        totalMs: 600_000,
      },
      usageTolerance: 2,
      allowParams: [],
      onDisconnect: 'cancel',
      mock: null,
    });
    expect(terms.rates).toMatchObject({ input: 8_000_000, cachedInput: null, baseFee: null });
    expect([...offers.keys()]).toEqual(['m']);
    expect(offers.get('m')).toMatchObject({
      contextWindow: null,
      maxOutputTokens: null,
      supports: null,
      reasoning: false,
      imageTokens: 1600,
    });
  });

  it('has the defaults of the contract for the vault', () => {
    const { vault } = config('[vault]\nurl = "http://v:3010/"\ninternal_token = "secret-token"');
    expect(vault).toMatchObject({
      url: 'http://v:3010',
      defaultReserveTokens: 4096,
      pendingThreshold: 100,
    });
    expect(vault?.internalToken.reveal()).toBe('secret-token');
  });
});

describe('what a file says', () => {
  it('is what the configuration holds', () => {
    const found = config(`
[server]
listen = "[::1]:0"
auth_token = "operators-own"
body_limit_mb = 0.5
drain_secs = 0
client_stall_ms = 1
[database]
path = "/var/lib/arbstr.db"
[pricing]
markup_ppm = 50_000
[breaker]
failures = 5
open_secs = 0.5
credentials_secs = 60
payment_secs = 20
[retry]
max_attempts = 1
backoff_ms = 500
backoff_max_ms = 100
retry_after_max_secs = 2.5
rescue = "buffer"
rescue_kb = 2
hedge_ms = 0
[logging]
level = "debug"
log_requests = false
`);
    expect(found).toMatchObject({
      server: { host: '::1', port: 0, bodyLimitBytes: 524_288, drainMs: 0, clientStallMs: 1 },
      database: { path: '/var/lib/arbstr.db' },
      markupPpm: 50_000,
      breaker: { failures: 5, openMs: 500, credentialsMs: 60_000, paymentMs: 20_000 },
      retry: {
        maxAttempts: 1,
        backoffMs: 500,
        // A cap below what it caps means that.
        backoffMsMax: 500,
        pauseMsMax: 2_500,
        rescue: 'buffer',
        rescueBytesMax: 2_048,
      },
      logging: { level: 'debug', logRequests: false, retentionMs: 30 * 86_400_000 },
    });
    expect(found.server.authToken?.reveal()).toBe('operators-own');
  });

  it('is what a provider is', () => {
    const found = provider(`[[providers]]
name = "Far away 2"
url = "http://far.example/base/v1//"
api_key = "sk-literal-key"
models = ["m", "n/o:free"]
tier = "frontier"
input_rate = 0.5
output_rate = 2.125
base_fee = 0.001
max_concurrency = 2
timeouts = { connect_ms = 1, first_token_ms = 2, answer_ms = 3, idle_ms = 4, total_ms = 5 }
usage_tolerance = 0
allow_params = ["service_tier"]
on_disconnect = "drain"
[providers.model_info."n/o:free"]
context_window = 128000
max_output_tokens = 16384
supports = ["json", "tools"]
reasoning = true
image_tokens = 0
`);
    expect(found).toMatchObject({
      name: 'Far away 2',
      url: 'http://far.example/base/v1',
      keySource: 'literal',
      models: ['m', 'n/o:free'],
      tier: 'frontier',
      maxConcurrency: 2,
      timeouts: { connectMs: 1, firstTokenMs: 2, answerMs: 3, idleMs: 4, totalMs: 5 },
      usageTolerance: 0,
      allowParams: ['service_tier'],
      onDisconnect: 'drain',
    });
    expect(found.offers.get('m')?.rates).toEqual({
      inputMsatPerMtok: 500,
      outputMsatPerMtok: 2125,
      cachedInputMsatPerMtok: null,
      baseFeeMsat: 1,
    });
    expect(found.offers.get('n/o:free')).toMatchObject({
      contextWindow: 128_000,
      maxOutputTokens: 16_384,
      supports: new Set(['tools', 'json']),
      reasoning: true,
      imageTokens: 0,
    });
  });

  it('cannot be changed afterwards', () => {
    const found = config(PRICED) as { -readonly [K in keyof Config]: Config[K] };
    const [first] = found.providers;
    expect(() => {
      found.markupPpm = 1;
    }).toThrow(TypeError);
    expect(() => Object.assign(first!.timeouts, { totalMs: 1 })).toThrow(TypeError);
    expect(() => Object.assign(first!.offers.get('m')!.rates, { outputMsatPerMtok: 0 })).toThrow();
    expect(() => (first!.offers as Map<string, unknown>).set('m', null)).toThrow('read-only');
    expect(() => (found.providers as unknown[]).push(null)).toThrow(TypeError);
    const { supports } = mockConfig().providers[0]!.offers.get('gpt-4o')!;
    expect(() => (supports as Set<string>).clear()).toThrow('read-only');
    expect(first!.offers.get('m')).toBeDefined();
  });
});

describe('rates', () => {
  const RATES = `[[providers]]
name = "a"
url = "https://a/v1"
models = ["base", "cheaper", "cached", "output"]
input_rate = 1000
output_rate = 2000
cached_input_rate = 100
base_fee = 1
[providers.model_rates.cheaper]
input_rate = 500
[providers.model_rates.cached]
input_rate = 500
cached_input_rate = 50
base_fee = 0
[providers.model_rates.output]
output_rate = 9000
`;
  const ratesOf = (model: string, text = RATES) => {
    const { inputMsatPerMtok, outputMsatPerMtok, cachedInputMsatPerMtok, baseFeeMsat } =
      provider(text).offers.get(model)!.rates;
    return [inputMsatPerMtok, outputMsatPerMtok, cachedInputMsatPerMtok, baseFeeMsat];
  };

  it.each([
    ['base', [1_000_000, 2_000_000, 100_000, 1000]],
    // A cached rate belongs to the input rate beside it.
    ['cheaper', [500_000, 2_000_000, null, 1000]],
    ['cached', [500_000, 2_000_000, 50_000, 0]],
    ['output', [1_000_000, 9_000_000, 100_000, 1000]],
  ] as const)('of %s inherit what they leave out', (model, rates) => {
    expect(ratesOf(model)).toEqual(rates);
  });

  it('with the markup are what is billed, without it what is owed', () => {
    const { offers } = provider(`${RATES}[pricing]\nmarkup_ppm = 100_001\n`);
    expect(offers.get('base')?.rates).toEqual({
      inputMsatPerMtok: 1_100_001,
      outputMsatPerMtok: 2_200_002,
      cachedInputMsatPerMtok: 110_001,
      baseFeeMsat: 1101,
    });
    expect(offers.get('base')?.providerRates.inputMsatPerMtok).toBe(1_000_000);
  });

  it('may be nothing, if the file says so', () => {
    const text =
      '[[providers]]\nname = "a"\nurl = "http://a"\nmodels = ["m"]\ninput_rate = 0\noutput_rate = 0';
    expect(ratesOf('m', text)).toEqual([0, 0, null, 0]);
    expect(warnings(text)).toEqual([]);
  });

  it('may stand with the models only', () => {
    const text = `[[providers]]
name = "a"
url = "http://a"
models = ["m"]
model_rates = { m = { input_rate = 1000, output_rate = 2000 } }
`;
    expect(ratesOf('m', text)).toEqual([1_000_000, 2_000_000, null, 0]);
  });

  it('are exact for every decimal that a float can only come near to', () => {
    const text = PROVIDER.replace('8000', '1.005').concat('output_rate = 999999999.999\n');
    expect(ratesOf('m', text).slice(0, 2)).toEqual([1005, 999_999_999_999]);
  });
});

describe('a provider that discovers', () => {
  const DISCOVERS =
    '[[providers]]\nname = "a"\nurl = "http://a"\nkind = "routstr"\nauto_discover = true\n';

  it('needs no models and no rates', () => {
    const found = provider(`${DISCOVERS}refresh_secs = 1.5\n`);
    expect(found).toMatchObject({ kind: 'routstr', models: [], discovery: { refreshMs: 1500 } });
    expect(found.offers.size).toBe(0);
    expect(provider(DISCOVERS).discovery).toEqual({ refreshMs: 120_000 });
  });

  it('sells what is listed and priced before its feed is read', () => {
    const found = provider(
      `${DISCOVERS}models = ["m", "n"]\n[providers.model_rates.m]\ninput_rate = 1\noutput_rate = 2\n`,
    );
    expect([...found.offers.keys()]).toEqual(['m']);
  });

  it('may have rates and limits for models that are not known yet', () => {
    const { terms } = provider(
      `${DISCOVERS}[providers.model_rates."x:free"]\ninput_rate = 0\n[providers.model_info.y]\nreasoning = false\n`,
    );
    expect(terms.ratesByModel.get('x:free')).toMatchObject({ input: 0, output: null });
    expect(terms.infoByModel.get('y')).toMatchObject({ reasoning: false, contextWindow: null });
  });

  it.each([
    ['1000', 1_000_000],
    ['0.5', 500],
    ['1234.567', 1_234_567],
    ['"feed"', 'feed'],
  ])('takes a USD for %s', (written, msatPerUsd) => {
    expect(config(`[pricing]\nsats_per_usd = ${written}\n`)).toMatchObject({ msatPerUsd });
  });
});

describe('what is suspicious is a warning', () => {
  it.each<[string, string, string[]]>([
    ['no providers', '', ['1: there are no providers']],
    [
      'a provider without models',
      '[[providers]]\nname = "a"\nurl = "http://a"',
      ['1: provider "a" lists no models'],
    ],
    [
      'rates that look like sats per 1k tokens',
      PROVIDER.replace('8000', '10').concat('output_rate = 30\n'),
      ['5: all rates are below 100'],
    ],
    ['one rate of many below 100 is none', withProvider('output_rate = 30\n'), []],
    [
      'a cached rate above the input rate',
      withProvider('output_rate = 1\ncached_input_rate = 9000\n'),
      ['7: cached_input_rate is above input_rate'],
    ],
    [
      'a feed without prices, where nobody says any',
      '[[providers]]\nname = "a"\nurl = "http://a"\nkind = "ollama"\nauto_discover = true',
      ['5: a feed of kind "ollama" has no prices, and a missing price is unknown, never free'],
    ],
    [
      'a feed without prices, where somebody does for one model, is none',
      '[[providers]]\nname = "a"\nurl = "http://a"\nkind = "ollama"\nauto_discover = true\n[providers.model_rates.x]\ninput_rate = 0\noutput_rate = 0',
      [],
    ],
    [
      'rates that stand in for the prices of a feed',
      PRICED.concat('kind = "routstr"\nauto_discover = true\n'),
      ['5: input_rate and output_rate hold for every model that is discovered'],
    ],
    [
      'an interval of a feed that is not read',
      PRICED.concat('refresh_secs = 5\n'),
      ['7: refresh_secs does nothing without auto_discover = true'],
    ],
    [
      'a parameter that nobody refuses',
      PRICED.concat('allow_params = ["audio", "servicetier", "x"]\n'),
      [
        '7: "servicetier" is a parameter that passes anyway; did you mean "service_tier"?',
        '7: "x" is a parameter that passes anyway; refused are',
      ],
    ],
    [
      'prices in a currency that nobody can convert',
      '[[providers]]\nname = "a"\nurl = "http://a"\nkind = "openrouter"\nauto_discover = true',
      ['1: the prices of "a" are in USD, and nothing says what a USD costs'],
    ],
    [
      'a feed that should convert them and is not there',
      '[pricing]\nsats_per_usd = "feed"\n[[providers]]\nname = "a"\nurl = "http://a"\nkind = "openrouter"\nauto_discover = true',
      ['1: the prices of "a" are in USD, and sats_per_usd = "feed" needs a provider of kind'],
    ],
    [
      'a url that a mock does not use',
      PRICED.concat('kind = "mock"\n'),
      ['3: a mock runs inside this process'],
    ],
    [
      'an open door to the keys',
      `${PRICED}[server]\nlisten = "0.0.0.0:8080"\n`,
      ['8: other machines can reach this'],
    ],
    [
      'an open door with a lock is none',
      `${PRICED}[server]\nlisten = "0.0.0.0:1"\nauth_token = "0123456789"\n`,
      [],
    ],
    [
      'a key that a header may not carry',
      PRICED.concat('api_key = "ключ-длинный"\n'),
      ['7: api_key holds characters outside ASCII'],
    ],
  ])('%s', (_name, text, expected) => {
    const found = warnings(text);
    expect(found).toHaveLength(expected.length);
    for (const [nth, part] of expected.entries()) expect(found[nth]).toContain(part);
  });

  const SECRETS = `${PRICED}api_key = "sk-literal-key"\n`;

  it.each([0o644, 0o640, 0o604, 0o660])('secrets in a file of mode %o', (mode) => {
    expect(warnings(SECRETS, {}, mode)).toEqual([
      `7: secrets stand in this file and its mode is ${mode.toString(8)}: others can read them; chmod 600 it`,
    ]);
  });

  it('but not where the file is private, has no modes, or holds no secret itself', () => {
    expect(warnings(SECRETS, {}, 0o600)).toEqual([]);
    expect(warnings(PRICED.concat('api_key = "${K}"\n'), { K: 'sk-1' }, 0o644)).toEqual([]);
    const unknown = load(SECRETS, {}, null);
    expect(unknown.ok && unknown.warnings).toEqual([]);
  });
});

describe('a file that cannot be read', () => {
  it('is one problem without a line', () => {
    const readFile = () => {
      throw new Error('there is no such file');
    };
    expect(loadConfig({ path: 'x', env: {}, readFile })).toEqual({
      ok: false,
      problems: [{ line: 0, message: 'there is no such file' }],
    });
  });
});

describe('the built-in mock configuration', () => {
  it('is three sellers of the same models at 8, 12 and 10 sats per 1k tokens', () => {
    const { providers, vault, server } = mockConfig();
    const prices = providers.map(({ name, offers }) => [
      name,
      [...offers.values()].map(({ rates }) => rates.inputMsatPerMtok / 1_000_000),
      [...offers.values()].map(({ rates }) => rates.outputMsatPerMtok / 1_000_000),
    ]);
    expect(prices).toEqual([
      ['alpha', [8, 8, 8], [8, 8, 8]],
      ['beta', [12, 12, 12], [12, 12, 12]],
      ['gamma', [10, 10, 10], [10, 10, 10]],
    ]);
    expect(new Set(providers.map(({ models }) => models.join())).size).toBe(1);
    expect(providers.every(({ kind, mock, apiKey }) => kind === 'mock' && mock && !apiKey)).toBe(
      true,
    );
    expect([vault, server.host, server.port]).toEqual([null, '127.0.0.1', 8080]);
  });

  it('has the same defaults as a file', () => {
    const { providers: _mocks, ...mock } = mockConfig();
    const { providers: _none, ...file } = config('');
    expect(mock).toEqual(file);
    expect(mockConfig().providers[0]?.timeouts).toEqual(TIMEOUTS_DEFAULT);
  });

  it('cannot be changed afterwards', () => {
    expect(() => Object.assign(mockConfig().providers[0]!, { name: 'x' })).toThrow(TypeError);
  });
});
