// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of the configuration file
import { describe, expect, it } from 'vitest';
import { problems, withProvider } from './load-text.ts';

/** In line 6 comes what the case adds; `output_rate` last, so that nothing else is wrong. */
const adding = (line: string): string => withProvider(`${line}\noutput_rate = 1\n`);

const VAULT = '[vault]\nurl = "http://v"\ninternal_token = "t"\n';

describe('a mistake is reported with its line and its fix', () => {
  it.each<[string, string[]]>([
    // Types and bounds.
    ['[server]\nlisten = 8080', ['2: listen must be a string in quotes']],
    [
      '[server]\nlisten = "8080"',
      ['2: listen must be host:port, such as "127.0.0.1:8080" or "[::1]:8080"'],
    ],
    [
      '[server]\n\nlisten = "127.0.0.1:70000"',
      ['3: listen must be host:port, such as "127.0.0.1:8080" or "[::1]:8080"'],
    ],
    [
      '[server]\nlisten = "::1:8080"',
      ['2: listen must be host:port, such as "127.0.0.1:8080" or "[::1]:8080"'],
    ],
    ['[server]\nlisten = ""', ['2: listen is empty; give it a value']],
    ['[server]\nbody_limit_mb = 0', ['2: body_limit_mb must be a number from 0.001 to 256 (MiB)']],
    [
      '[server]\nbody_limit_mb = "20"',
      ['2: body_limit_mb must be a number from 0.001 to 256 (MiB), without quotes'],
    ],
    ['[server]\ndrain_secs = -1', ['2: drain_secs must be a number from 0 to 3600 (s)']],
    ['[server]\ndrain_secs = nan', ['2: drain_secs must be a number from 0 to 3600 (s)']],
    [
      '[server]\nclient_stall_ms = 0',
      ['2: client_stall_ms must be a number from 1 to 86400000 (ms)'],
    ],
    ['[server]\nclient_stall_ms = 1.5', ['2: client_stall_ms must be a whole number']],
    ['[server]\nauth_token = ""', ['2: auth_token is empty; give it a value']],
    ['[breaker]\nfailures = 0', ['2: failures must be a number from 1 to 1000']],
    ['[breaker]\nopen_secs = inf', ['2: open_secs must be a number from 0.001 to 86400 (s)']],
    ['[retry]\nmax_attempts = 0', ['2: max_attempts must be a number from 1 to 100']],
    [
      '[retry]\nhedge_ms = 300',
      [
        '2: hedge_ms must be 0: a second provider asked at the same time bills the same prompt again, which nobody pays for; lower first_token_ms instead',
      ],
    ],
    [
      '[retry]\nrescue = "bufer"',
      ['2: rescue must be one of "off", "buffer"; did you mean "buffer"?'],
    ],
    ['[breaker]\npayment_secs = 0', ['2: payment_secs must be a number from 0.001 to 86400 (s)']],
    [
      '[logging]\nlevel = "inof"',
      [
        '2: level must be one of "fatal", "error", "warn", "info", "debug", "trace", "silent"; did you mean "info"?',
      ],
    ],
    ['[logging]\nlog_requests = "yes"', ['2: log_requests must be true or false, without quotes']],
    ['[pricing]\nmarkup_ppm = -1', ['2: markup_ppm must be a number from 0 to 10000000 (ppm)']],
    [
      '[pricing]\nsats_per_usd = "fed"',
      ['2: sats_per_usd must be a number of sats without quotes, or "feed"'],
    ],
    [
      '[pricing]\nsats_per_usd = 0',
      ['2: sats_per_usd must be a number from 0.001 to 100000000 (sats)'],
    ],
    [adding('auto_discover = "yes"'), ['6: auto_discover must be true or false, without quotes']],
    [
      adding('auto_discover = true\nrefresh_secs = 0'),
      ['7: refresh_secs must be a number from 1 to 86400 (s)'],
    ],
    [
      adding('auto_discovery = true'),
      ['6: unknown key "auto_discovery" in [providers]; did you mean "auto_discover"?'],
    ],
    [
      adding('auto_discover = true\n[providers.model_rates.n]\ninput_rate = 1'),
      ['7: model_rates names "n", which is not in models; did you mean "m"?'],
    ],
    [
      '[[providers]]\nname = "m"\nkind = "mock"\nauto_discover = true',
      ['4: a mock has no feed; list its models and leave auto_discover out'],
    ],
    [
      '[routing.complexity_weights]\ncode_blocks = 2',
      [
        '2: "code_blocks" is gone: the complexity score is calibrated on data now; remove it, or weigh words, domain, form, reasoning, code, length, conversation, tools, images, output',
      ],
    ],
    ['[pricing]\nmarkup_ppm = 0.5', ['2: markup_ppm must be a whole number']],
    [
      '[database]\npath = ":memory:"',
      ['2: path must be a file; what is owed must survive a restart'],
    ],
    ['server = 1', ['1: server must be a table: [server]']],
    [
      '[providers]\nname = "a"',
      ['1: providers must be an array of tables; write [[providers]] above each'],
    ],
    // The vault.
    [
      '[vault]',
      [
        '1: url is missing; add url = "http://localhost:3010"',
        '1: internal_token is missing; add internal_token = "${VAULT_INTERNAL_TOKEN}", the vault\'s own',
      ],
    ],
    [
      '[vault]\nurl = "localhost:3010"\ninternal_token = "t"',
      ['2: url must be an http or https URL, such as "https://api.example/v1"'],
    ],
    [
      `${VAULT}default_reserve_tokens = 0`,
      ['4: default_reserve_tokens must be a number from 1 to 100000000 (tokens)'],
    ],
    [
      `${VAULT}pending_threshold = 0`,
      ['4: pending_threshold must be a number from 1 to 1000000 (settlements)'],
    ],
    // Providers.
    [
      '[[providers]]\nmodels = []',
      ['1: name is missing; add name = "alpha"', '1: url is missing; add url = "https://…/v1"'],
    ],
    [
      adding('tier = "frontierr"'),
      ['6: tier must be one of "local", "standard", "frontier"; did you mean "frontier"?'],
    ],
    [
      adding('kind = "opnai"'),
      [
        '6: kind must be one of "openai", "routstr", "openrouter", "ollama", "mesh-llm", "mock"; did you mean "openai"?',
      ],
    ],
    [
      adding('on_disconnect = "drian"'),
      ['6: on_disconnect must be one of "cancel", "drain"; did you mean "drain"?'],
    ],
    [adding('max_concurrency = 0'), ['6: max_concurrency must be a number from 1 to 100000']],
    [
      adding('usage_tolerance = 0.5'),
      ['6: usage_tolerance must be at least 1, or 0 to trust the provider'],
    ],
    [adding('usage_tolerance = -1'), ['6: usage_tolerance must be a number from 0 to 1000000']],
    [
      adding('timeouts = { connect_ms = 0, idle_ms = 1.5 }'),
      [
        '6: connect_ms must be a number from 1 to 86400000 (ms)',
        '6: idle_ms must be a whole number',
      ],
    ],
    [
      adding('timeouts = { conect_ms = 1 }'),
      ['6: unknown key "conect_ms" in [providers.timeouts]; did you mean "connect_ms"?'],
    ],
    [adding('allow_params = "service_tier"'), ['6: allow_params must be a list: ["…", "…"]']],
    [
      adding('endpoints = ["chat", "speech"]'),
      ['6: "speech" is not an endpoint; known: chat, responses, completions, embeddings'],
    ],
    [adding('mock = { latency_ms = 1 }'), ['6: [providers.mock] needs kind = "mock"']],
    // Prices.
    [
      withProvider(''),
      [
        '1: no output_rate for "m": a missing price is unknown, never free; add output_rate in sats per 1M tokens (0 = free)',
      ],
    ],
    [
      adding('base_fee = -0.001'),
      ['6: base_fee must be a number from 0 to 1000000000 (sats per request)'],
    ],
    [
      adding('base_fee = 0.0001'),
      ['6: base_fee must have at most three decimals: 0.001 sat is the smallest unit'],
    ],
    [
      adding('cached_input_rate = 1e13'),
      ['6: cached_input_rate must be a number from 0 to 1000000000000 (sats per 1M tokens)'],
    ],
    [
      adding('cached_input_rate = "4000"'),
      [
        '6: cached_input_rate must be a number from 0 to 1000000000000 (sats per 1M tokens), without quotes',
      ],
    ],
    [
      withProvider('output_rate = 1\n[providers.model_rates."n"]\ninput_rate = 1'),
      ['7: model_rates names "n", which is not in models; did you mean "m"?'],
    ],
    [
      withProvider('output_rate = 1\n[providers.model_rates."m"]\ninput_rat = 1'),
      ['8: unknown key "input_rat" in [providers.model_rates.m]; did you mean "input_rate"?'],
    ],
    [
      withProvider('output_rate = 1\n[providers.model_info."m"]\nsupports = ["tools", "vision"]'),
      ['8: supports may hold "tools", "images", "json"'],
    ],
    [
      withProvider('output_rate = 1\n[providers.model_info."m"]\ncontext_window = 0'),
      ['8: context_window must be a number from 1 to 100000000 (tokens)'],
    ],
    [
      withProvider('output_rate = 1\n[providers.model_info."m"]\nreasoning = 1'),
      ['8: reasoning must be true or false, without quotes'],
    ],
  ])('%j', (text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  it.each([
    ['name = "-a"', 'name stands in response headers'],
    ['name = "a/b"', 'name stands in response headers'],
    ['name = "a, b"', 'name stands in response headers'],
    ['name = "a\\nb"', 'name stands in response headers'],
    ['name = "ä"', 'name stands in response headers'],
    [`name = "${'a'.repeat(65)}"`, 'name stands in response headers'],
    ['url = "ftp://a/v1"', 'url must be an http or https URL'],
    ['url = "https://u:p4ssw0rd@a/v1"', 'url must not hold a user or password'],
    ['url = "https://a/v1?key=p4ssw0rd"', 'url must not hold a query or fragment'],
    ['url = "https://a/v1#x"', 'url must not hold a query or fragment'],
    ['url = "https://a/v1/chat/completions"', 'url is the base; end it before "/chat/completions"'],
    ['models = ["m", "m"]', '"m" stands twice in models; remove one'],
    ['models = [1]', 'models must hold strings in quotes'],
    ['models = [""]', 'models must hold strings in quotes'],
    ['input_rate = -1', 'input_rate must be a number from 0'],
    ['input_rate = nan', 'input_rate must be a number from 0'],
    ['input_rate = 0.0005', 'input_rate must have at most three decimals'],
    ['api_key = "line\\nbreak"', 'api_key holds a line break or control character'],
  ])('of a provider: %s', (line, expected) => {
    const key = line.split(' ')[0]!;
    const others = [
      'name = "a"',
      'url = "https://a/v1"',
      'models = ["m"]',
      'input_rate = 1',
      'output_rate = 1',
    ];
    const lines = [
      '[[providers]]',
      ...others.filter((other) => !other.startsWith(`${key} `)),
      line,
    ];
    const found = problems(lines.join('\n'));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${lines.length}: ${expected}`);
    expect(found[0]).not.toContain('p4ssw0rd');
  });

  it('reports all mistakes of a file at once, in its order', () => {
    const text = `[server]
listen = "nowhere"
colour = "red"
[[providers]]
name = "alpha"
url = "alpha"
models = ["m"]
[[providers]]
name = "alpha"
url = "https://b/v1"
api_key = "\${MISSING}"
models = ["m"]
input_rate = 1
output_rate = "1"
`;
    expect(problems(text).map((problem) => problem.replace(/[;,(].*/, ''))).toEqual([
      '2: listen must be host:port',
      '3: unknown key "colour" in [server]',
      '4: no input_rate for "m": a missing price is unknown',
      '4: no output_rate for "m": a missing price is unknown',
      '6: url must be an http or https URL',
      '9: name "alpha" is taken in line 5',
      '11: environment variable MISSING is not set',
      '14: output_rate must be a number from 0 to 1000000000000 ',
    ]);
  });
});

describe('a key that does not exist', () => {
  it.each([
    ['[sever]\nlisten = "a:1"', '1: unknown key "sever" here; did you mean "server"?'],
    ['[server]\nlistn = "a:1"', '2: unknown key "listn" in [server]; did you mean "listen"?'],
    [
      '[server]\nauth-token = "x"',
      '2: unknown key "auth-token" in [server]; did you mean "auth_token"?',
    ],
    ['[database]\npaht = "x"', '2: unknown key "paht" in [database]; did you mean "path"?'],
    [
      `${VAULT}internal_tokne = "x"`,
      '4: unknown key "internal_tokne" in [vault]; did you mean "internal_token"?',
    ],
    ['[breaker]\nfailure = 1', '2: unknown key "failure" in [breaker]; did you mean "failures"?'],
    [
      '[retry]\nmax_attempt = 1',
      '2: unknown key "max_attempt" in [retry]; did you mean "max_attempts"?',
    ],
    ['[pricing]\nmarkup = 1', '2: unknown key "markup" in [pricing]; did you mean "markup_ppm"?'],
    ['[logging]\nlvl = "info"', '2: unknown key "lvl" in [logging]; did you mean "level"?'],
    [
      adding('ouput_rate = 1'),
      '6: unknown key "ouput_rate" in [providers]; did you mean "output_rate"?',
    ],
    [
      adding('model_info = { m = { context = 1 } }'),
      '6: unknown key "context" in [providers.model_info.m]; did you mean "context_window"?',
    ],
    [
      adding('unrelatedthing = 1'),
      '6: unknown key "unrelatedthing" in [providers]; known in [providers]: ',
    ],
  ])('%j is refused with the nearest one', (text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });
});

describe('a key of earlier releases', () => {
  it.each([
    ['[tokenstats]\nurl = "http://x"\nsource = "y"', '1: "tokenstats" is gone; '],
    [
      adding('rate_unit = "per_1k"'),
      '6: "rate_unit" is gone; rates are always in sats per 1M tokens',
    ],
    [adding('source = "routstr"'), '6: "source" is gone'],
    [adding('provider_id = "x"'), '6: "provider_id" is gone'],
    ['[database]\nurl = "sqlite://x"', '2: "url" is now path; write path = "./data/arbstr.db"'],
    [`${VAULT}token = "x"`, '4: "token" is now internal_token'],
    ['[server]\nport = 1', '2: "port" is part of listen; write listen = "127.0.0.1:8080"'],
  ])('%j is refused with what to write instead', (text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('is refused at its own line even inside a table that is refused as a whole', () => {
    const text = `[routing]
standard_threshold = 0.4
[[policies.rules]]
name = "code"
max_sats_per_1k_output = 50
`;
    expect(problems(text)).toEqual([
      '2: "standard_threshold" is now complexity_threshold_low',
      '5: "max_sats_per_1k_output" is now max_sats_per_1m_output, in sats per 1M tokens; multiply the value by 1000',
    ]);
  });
});

describe('policies, virtual models and tiers', () => {
  it.each([
    [
      '[[policies.rules]]\nallowed_providers = ["nobody"]',
      ['1: each policy needs a name', '2: there is no provider "nobody"; there are "alpha"'],
    ],
    [
      '[[policies.rules]]\nname = "a"\nmax_sats_per_1m_output = 8.0005\nmax_sats_per_request = 1e-4',
      [
        '3: max_sats_per_1m_output must have at most three decimals',
        '4: max_sats_per_request must have at most three decimals',
      ],
    ],
    [
      '[[policies.rules]]\nname = "a b"\nmin_tier = "best"\nstrategy = "cheap"',
      [
        '2: name must be 1 to 128 visible ASCII characters',
        '3: min_tier must be one of "local", "standard", "frontier"',
        '4: strategy must be one of "cheapest"',
      ],
    ],
    [
      '[[policies.rules]]\nname = "a"\n[[policies.rules]]\nname = "a"',
      ['4: policy "a" stands twice'],
    ],
    ['[[models]]\nname = "m"\nlocal = ["x"]', ['2: "m" is a model that a provider serves']],
    ['[[models]]\nname = "auto"', ['2: "auto" names no models']],
    ['[[models]]\nname = "auto"\nlocal = ["m"]\nfrontier = ["m"]', ['4: "m" stands in two tiers']],
    [
      '[routing]\ncomplexity_threshold_low = 0.9\ncomplexity_threshold_high = 0.5',
      ['2: complexity_threshold_low (0.9) must not be above complexity_threshold_high (0.5)'],
    ],
    ['[routing.complexity_weights]\nword = 2', ['2: unknown key "word"']],
  ])('%j is refused', (text, expected) => {
    const found = problems(`${text}\n${adding('')}`);
    expect(found).toHaveLength(expected.length);
    for (const [nth, message] of expected.entries()) expect(found[nth]).toContain(message);
  });
});

describe('a file that is not TOML', () => {
  it.each([
    ['[server]\nlisten = ${LISTEN}', '2: not valid TOML: invalid value; text needs quotes'],
    [
      '[server]\nlisten = "a:1"\nlisten = "b:1"',
      '3: not valid TOML: trying to redefine an already defined',
    ],
    ['a = 1\n[server', '2: not valid TOML: '],
    ['[server]\n\nlisten = "a', '3: not valid TOML: unfinished string'],
  ])('%j is reported where the parser stopped', (text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('is reported without the secrets that stand beside the mistake', () => {
    const text = '[vault]\ninternal_token = "sk-very-secret"\nurl = http\nother = "sk-very-secret"';
    expect(problems(text).join()).toMatch(/^3: not valid TOML/);
    expect(problems(text).join()).not.toContain('sk-very');
  });
});
