// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of the configuration file
import { describe, expect, it } from 'vitest';
import { check } from '../../src/cli/check.ts';
import type { CommandInput } from '../../src/cli/command.ts';
import { providers } from '../../src/cli/providers.ts';
import type { FeedSource } from '../../src/ports.ts';
import { routstrModel } from '../feed/lists.ts';

const FILE = `[server]
listen = "127.0.0.1:9999"
[vault]
url = "http://vault:3010"
internal_token = "\${VAULT_INTERNAL_TOKEN}"
[[providers]]
name = "alpha"
url = "https://alpha.example/v1"
api_key = "sk-alpha-literal"
models = ["gpt-4o", "gpt-4o-mini"]
tier = "frontier"
input_rate = 8000
output_rate = 8000.5
cached_input_rate = 4000
base_fee = 0.25
[providers.model_rates.gpt-4o-mini]
input_rate = 500
[[providers]]
name = "beta"
url = "https://beta.example/v1"
api_key = "\${BETA_KEY}"
models = ["gpt-4o"]
input_rate = 12000
output_rate = 12000
[[providers]]
name = "gamma ray"
url = "https://gamma.example/v1"
models = ["gpt-4o"]
input_rate = 10000
output_rate = 10000
[[providers]]
name = "delta"
url = "https://delta.example/v1"
[[providers]]
name = "fake"
kind = "mock"
models = ["gpt-4o"]
input_rate = 0
output_rate = 0
[pricing]
markup_ppm = 100_000
`;
const ENV = {
  VAULT_INTERNAL_TOKEN: 'internal-token-0123456789',
  BETA_KEY: 'sk-beta-from-env',
  ARBSTR_GAMMA_RAY_API_KEY: 'short',
};

const input = (text: string, more: Partial<CommandInput> = {}): CommandInput => ({
  argv: ['check', '-c', 'etc/c.toml'],
  env: ENV,
  readFile: () => ({ text, mode: 0o644 }),
  ...more,
});

describe('check', () => {
  it('says that a configuration is valid, what it does, and where each key comes from', () => {
    expect(check(input(FILE))).toEqual({
      code: 0,
      stderr: '',
      stdout: `Configuration is valid!
Listen: 127.0.0.1:9999
Billing: http://vault:3010
Providers: 5
Provider key status:
  alpha: key from config-literal (WARNING: better from \${VAR}, outside the file)
  beta: key from env-expanded
  gamma ray: key from convention (ARBSTR_GAMMA_RAY_API_KEY)
  delta: no key (set ARBSTR_DELTA_API_KEY or add api_key to config)
  fake: no key (a mock needs none)
etc/c.toml:9: warning: secrets stand in this file and its mode is 644: others can read them; chmod 600 it
etc/c.toml:31: warning: provider "delta" lists no models, so it serves nothing; add models, or auto_discover = true
`,
    });
  });

  it('names the feeds, and reads none', () => {
    const { stdout } = check(
      input(
        '[[providers]]\nname = "node"\nkind = "routstr"\nurl = "http://127.0.0.1:1/v1"\nauto_discover = true\n',
      ),
    );
    expect(stdout).toContain(
      'Feeds (not read here; see providers):\n  node: routstr, every 120 s\n',
    );
    expect(stdout).not.toContain('warning');
  });

  it('says each mistake with file and line on stderr and exits with 1', () => {
    const result = check(input('[server]\nlisten = "x"\n[retry]\nmax_attempts = 0\n'));
    expect(result).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'etc/c.toml:2: listen must be host:port, such as "127.0.0.1:8080" or "[::1]:8080"\n' +
        'etc/c.toml:4: max_attempts must be a number from 1 to 100\n',
    });
  });

  it('says which file it could not read', () => {
    const readFile = () => {
      throw new Error('there is no such file');
    };
    expect(check(input('', { readFile }))).toMatchObject({
      code: 1,
      stderr: 'etc/c.toml: there is no such file\n',
    });
  });

  it.each<[string, string[], Record<string, string>, string]>([
    ['-c', ['check', '-c', 'a.toml'], { ARBSTR_CONFIG: 'b.toml' }, 'a.toml'],
    ['ARBSTR_CONFIG', ['check'], { ARBSTR_CONFIG: 'b.toml' }, 'b.toml'],
    ['./config.toml', ['check'], { ARBSTR_CONFIG: '' }, 'config.toml'],
  ])('reads the file that %s names', (_name, argv, env, expected) => {
    const asked: string[] = [];
    const readFile = (path: string) => {
      asked.push(path);
      return { text: '', mode: null };
    };
    expect(check({ argv, env, readFile }).code).toBe(0);
    expect(asked).toEqual([expected]);
  });

  it('shows an IPv6 address so that it can be copied', () => {
    expect(check(input('[server]\nlisten = "[::1]:1"')).stdout).toContain('Listen: [::1]:1\n');
  });
});

describe('providers', () => {
  it('lists who sells what at which price, markup included, with masked keys', async () => {
    const result = await providers(input(FILE, { argv: ['providers', '-c', 'x'] }));
    expect(result).toEqual({
      code: 0,
      stderr: '',
      stdout: `Configured providers:

  alpha (https://alpha.example/v1)
    Models: gpt-4o, gpt-4o-mini
    Tier: frontier
    Endpoints: chat
    Rates:
      gpt-4o: 8800 sats/1M input, 8800.55 sats/1M output, 4400 sats/1M cached input, Base fee: 0.275 sats
      gpt-4o-mini: 550 sats/1M input, 8800.55 sats/1M output, Base fee: 0.275 sats
    Key: sk-alp...***

  beta (https://beta.example/v1)
    Models: gpt-4o
    Tier: standard
    Endpoints: chat
    Rates: 13200 sats/1M input, 13200 sats/1M output
    Key: sk-bet...***

  gamma ray (https://gamma.example/v1)
    Models: gpt-4o
    Tier: standard
    Endpoints: chat
    Rates: 11000 sats/1M input, 11000 sats/1M output
    Key: [REDACTED]

  delta (https://delta.example/v1)
    Models: none
    Tier: standard
    Endpoints: chat
    Key: none

  fake (mock)
    Models: gpt-4o
    Tier: standard
    Endpoints: chat
    Rates: 0 sats/1M input, 0 sats/1M output
    Key: none
`,
    });
  });

  it('lists what feeds say, and what is not sold', async () => {
    const models = [
      routstrModel(),
      ...Array.from({ length: 12 }, (_, nth) => routstrModel({ id: `m${nth}`, sats_pricing: {} })),
    ];
    const source: FeedSource = {
      async ask({ name }, { path }) {
        if (name === 'away') {
          return { kind: 'failed', message: 'answered 503', status: 503, retryAfterMs: null };
        }
        const body = path === '/v1/models' ? { data: models } : { balance: 21_500 };
        return { kind: 'ok', bytes: Buffer.from(JSON.stringify(body)) };
      },
      close: async () => {},
    };
    const text = ['node', 'away']
      .map(
        (name) =>
          `[[providers]]\nname = "${name}"\nkind = "routstr"\nurl = "http://x/v1"\napi_key = "sk-0123456789"\nauto_discover = true\n`,
      )
      .join('');
    const { stdout } = await providers(input(text), source);
    expect(stdout).toContain(`
  node (http://x/v1)
    Models: gpt-4o-mini
    Not sold (12):
      m0: its feed names no price of input
`);
    expect(stdout).toContain(`
      and 2 more
    Balance there: 21.5 sats
    Tier: standard
    Endpoints: chat
    Rates: 150 sats/1M input, 600 sats/1M output, 75 sats/1M cached input
`);
    expect(stdout).toContain(`
  away (http://x/v1)
    Models: none
    Feed: answered 503
`);
  });

  it('says that there are none', async () => {
    expect((await providers(input(''))).stdout).toBe('No providers configured.\n');
  });

  it('says what is wrong instead', async () => {
    expect(await providers(input('[sever]'))).toMatchObject({
      code: 1,
      stderr: 'etc/c.toml:1: unknown key "sever" here; did you mean "server"?\n',
    });
  });
});

describe('no command prints a secret', () => {
  it.each([check, providers])('%o', async (command) => {
    const { stdout, stderr } = await command(input(FILE));
    for (const secret of ['alpha-literal', 'beta-from-env', 'internal-token', 'short']) {
      expect(stdout + stderr).not.toContain(secret);
    }
  });
});
