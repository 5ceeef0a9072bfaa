/** The configuration file changes under a running core. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let first: string;

beforeAll(async () => {
  stack = await startStack({
    billed: false,
    providers: [
      { name: 'alpha', rate: 8000, mock: { chunkDelayMs: 100, answer: 'one two three four five' } },
      { name: 'beta', rate: 12_000 },
    ],
    toml: '[breaker]\nfailures = 1000\n',
  });
  first = readFileSync(stack.configPath, 'utf8');
});
afterAll(() => stack.stop());
beforeEach(async () => {
  take(first);
  await until(async () => (await cost()).rate === 8000, 10_000);
});

/** As editors do: another file takes its name. */
function write(text: string): void {
  writeFileSync(`${stack.configPath}.new`, text, { mode: 0o600 });
  renameSync(`${stack.configPath}.new`, stack.configPath);
}

/** Without waiting until core looks by itself. */
function take(text: string): void {
  write(text);
  process.kill(stack.core.pid, 'SIGHUP');
}

const body = (stream: boolean) =>
  JSON.stringify({ model: 'gpt-4o', stream, messages: [{ role: 'user', content: 'Hi.' }] });

async function cost(): Promise<{ provider: string; rate: number }> {
  const answer = await fetch(`${stack.core.url}/v1/cost`, { method: 'POST', body: body(false) });
  const { provider, rates } = (await answer.json()) as {
    provider: string;
    rates: { input_rate_sats_per_1m: number };
  };
  return { provider, rate: rates.input_rate_sats_per_1m };
}

async function configHealth() {
  const health = (await (await fetch(`${stack.core.url}/health`)).json()) as {
    status: string;
    config: { refused: { reasons: string[] } | null; needs_restart: string[] };
  };
  return { status: health.status, ...health.config };
}

const dearer = () => first.replaceAll('rate = 8000', 'rate = 20000');

describe('a valid file', () => {
  it('is taken within 5 s, whole, and without dropping a live stream', async () => {
    const stream = await fetch(`${stack.core.url}/v1/chat/completions`, {
      method: 'POST',
      body: body(true),
    });
    write(dearer());
    await until(async () => (await cost()).provider === 'beta', 5_000);
    const text = await stream.text();
    expect(stream.headers.get('x-arbstr-provider')).toBe('alpha');
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(await configHealth()).toMatchObject({ status: 'ok', refused: null, needs_restart: [] });
  });

  it('is taken at once at SIGHUP', async () => {
    take(dearer());
    await until(async () => (await cost()).rate === 12_000, 1_000);
  });

  it('may bring policies, virtual models and providers, and take them away', async () => {
    take(`${first}\n[[models]]\nname = "auto"\nstandard = ["gpt-4o"]\n`);
    const found = async () => (await fetch(`${stack.core.url}/v1/models/auto`)).status;
    await until(async () => (await found()) === 200, 5_000);
    take(first.slice(0, first.lastIndexOf('[[providers]]')));
    await until(async () => {
      const list = (await (await fetch(`${stack.core.url}/providers`)).json()) as {
        providers: object[];
      };
      return list.providers.length === 1;
    }, 5_000);
    expect(await found()).toBe(404);
  });
});

describe('a file that is wrong', () => {
  it.each([
    ['does not parse', (text: string) => `${text}\n[server`],
    ['has an unknown key', (text: string) => text.replace('[breaker]', '[breaker]\nfailure = 3')],
    ['has no price', (text: string) => text.replaceAll(/^output_rate.*$/gm, '')],
  ])('and %s is refused with the line, and the old one stays', async (_what, spoil) => {
    take(spoil(dearer()));
    await until(async () => (await configHealth()).refused !== null, 5_000);
    const { refused, status } = await configHealth();
    expect(refused!.reasons[0]).toMatch(/config\.toml:\d+: /);
    expect(status).toBe('degraded');
    expect((await cost()).rate).toBe(8000);
    take(first);
    await until(async () => (await configHealth()).refused === null, 5_000);
  });
});

describe('a file without a configuration', () => {
  it.each([
    ['empty', ''],
    ['white space', '\n \n'],
  ])('(%s) is refused, and every provider stays', async (_what, text) => {
    take(text);
    await until(async () => (await configHealth()).refused !== null, 5_000);
    const { refused, status } = await configHealth();
    expect(refused!.reasons[0]).toMatch(/config\.toml: the file is empty/);
    expect(status).toBe('degraded');
    expect((await cost()).rate).toBe(8000);
    take(first);
    await until(async () => (await configHealth()).refused === null, 5_000);
  });
});

it('names what needs a restart, and takes the rest', async () => {
  take(dearer().replace(/^path = .*$/m, 'path = "./elsewhere.db"'));
  await until(async () => (await cost()).rate === 12_000, 5_000);
  expect(await configHealth()).toMatchObject({ needs_restart: ['database.path'] });
});
