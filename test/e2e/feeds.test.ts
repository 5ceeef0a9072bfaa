/** Prices that move: sellers with feeds behind a core, all in this process, over real sockets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../packages/core/src/config/config-file.ts';
import { loadConfig } from '../../packages/core/src/config/load.ts';
import { createLog, type RunningCore, startCore } from '../../packages/core/src/serve.ts';
import {
  type FakeSeller,
  type Route,
  startFakeSeller,
} from '../../packages/core/test/feed/fake-seller.ts';
import {
  meshModel,
  ollamaDetails,
  ollamaModel,
  openrouterModel,
  pricing,
  routstrModel,
} from '../../packages/core/test/feed/lists.ts';
import { until } from '../support/process.ts';

let dir: string;
let sellers: FakeSeller[];
let core: RunningCore | null;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'arbstr-feeds-'));
  sellers = [];
  core = null;
});
afterEach(async () => {
  await core?.close();
  await Promise.all(sellers.map((seller) => seller.close()));
  rmSync(dir, { recursive: true });
});

async function seller(models: readonly object[] | null): Promise<FakeSeller> {
  const started = await startFakeSeller();
  sellers.push(started);
  if (models !== null) started.on('/v1/models', { data: models });
  return started;
}

/** A provider of the configuration that reads its seller's feed every second. */
const discovering = (name: string, kind: string, { url }: FakeSeller, more = ''): string => `
[[providers]]
name = "${name}"
kind = "${kind}"
url = "${url}"
api_key = "sk-of-${name}"
auto_discover = true
refresh_secs = 1
${more}
`;

const path = () => join(dir, 'config.toml');
const write = (text: string): void =>
  writeFileSync(
    path(),
    `[server]\nlisten = "127.0.0.1:0"\n[logging]\nlevel = "silent"\n[database]\npath = "${dir}/core.db"\n${text}`,
  );

async function serve(text: string): Promise<void> {
  write(text);
  const load = (readFile: typeof readConfigFile) => loadConfig({ path: path(), env: {}, readFile });
  const loaded = load(readConfigFile);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const origin = {
    path: path(),
    text: readConfigFile(path()).text,
    load: (file: ReturnType<typeof readConfigFile>) => load(() => file),
  };
  core = await startCore(loaded.config, createLog('silent'), origin);
}

async function get(route: string) {
  const answer = await fetch(core!.url + route);
  return (await answer.json()) as never;
}

interface Shown {
  readonly name: string;
  readonly routable: boolean;
  readonly reasons: readonly string[];
  readonly feed: {
    readonly state: string;
    readonly last_error: string | null;
    readonly unroutable: readonly { readonly model: string; readonly reason: string }[];
    readonly balance_msats: number | null;
  } | null;
  readonly models: readonly { readonly id: string; readonly input_rate_sats_per_1m: number }[];
}

async function shown(name: string): Promise<Shown> {
  const { providers } = (await get('/providers')) as { providers: Shown[] };
  return providers.find((provider) => provider.name === name)!;
}

const rates = async (name: string) =>
  Object.fromEntries((await shown(name)).models.map((m) => [m.id, m.input_rate_sats_per_1m]));

async function ask(model: string, more: object = {}) {
  const body = { model, max_tokens: 10, messages: [{ role: 'user', content: 'Hi.' }], ...more };
  const answer = await fetch(`${core!.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  const { error } = (await answer.json()) as { error?: { code: string; message: string } };
  return { status: answer.status, provider: answer.headers.get('x-arbstr-provider'), error };
}

const inSats = (prompt: number, completion = prompt) => ({
  sats_pricing: pricing(prompt, completion),
});

const names = ({ heard }: FakeSeller): (string | undefined)[] => [
  ...new Set(heard.map(({ authorization }) => authorization)),
];

it('a start routes by the price of the feeds, and so does each moment after it', async () => {
  const one = await seller([routstrModel(inSats(0.001))]);
  const two = await seller([routstrModel(inSats(0.002))]);
  const text = discovering('one', 'routstr', one) + discovering('two', 'routstr', two);
  await serve(text);
  expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'one' });
  // By the name that the feed gives it besides.
  expect(await ask('openai/gpt-4o-mini')).toMatchObject({ status: 200, provider: 'one' });

  // A price moves.
  one.on('/v1/models', { data: [routstrModel(inSats(0.003))] });
  await until(async () => (await rates('one'))['gpt-4o-mini'] === 3000, 3_000);
  expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'two' });

  // A model vanishes, and a feed fails: the other one, and what it last said, serve.
  const other = { id: 'another', alias_ids: [], canonical_slug: null };
  two.on('/v1/models', { data: [routstrModel({ ...other, ...inSats(0.002) })] });
  one.on('/v1/models', (response) => response.writeHead(503).end());
  await until(async () => (await rates('two')).another !== undefined, 3_000);
  await until(async () => (await shown('one')).feed!.last_error === 'answered 503', 3_000);
  expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'one' });

  // Each key went to its own origin and to nobody else.
  expect([names(one), names(two)]).toEqual([['Bearer sk-of-one'], ['Bearer sk-of-two']]);

  // A reload keeps what was read, but not for another key.
  write(`${text}\n[pricing]\nmarkup_ppm = 1000000\n`);
  await core!.reload();
  expect(await rates('one')).toMatchObject({ 'gpt-4o-mini': 6000 });
  write(text.replace('sk-of-one', 'sk-of-somebody'));
  await core!.reload();
  expect((await shown('one')).models).toEqual([]);
});

describe('prices of several kinds', () => {
  it("become sats by the rate that a feed with both implies, or are the operator's own", async () => {
    const router = await seller([openrouterModel()]);
    const node = await seller([routstrModel()]);
    const ollama = await seller([ollamaModel(), ollamaModel('nomic-embed')]);
    ollama.on('/api/show', (response, { body }) => {
      const embeds = body.includes('nomic');
      response.end(JSON.stringify(ollamaDetails(embeds ? ['embedding'] : ['completion', 'tools'])));
    });
    const mesh = await seller([meshModel()]);
    await serve(
      `[pricing]\nsats_per_usd = "feed"\n${discovering('router', 'openrouter', router)}${discovering('node', 'routstr', node)}${discovering('home', 'ollama', ollama, 'input_rate = 0\noutput_rate = 0')}${discovering('mesh', 'mesh-llm', mesh)}`,
    );
    expect(await rates('router')).toMatchObject({ 'openai/gpt-4o-mini': 150 });
    expect(await get('/providers')).toMatchObject({ sats_per_usd: 1000 });
    expect(await get('/v1/models/openai/gpt-4o-mini')).toMatchObject({
      arbstr: { providers: [{ name: 'router' }, { name: 'node' }] },
    });
    const home = await shown('home');
    expect(home.models).toMatchObject([
      { id: 'llama3.2:latest', context_window: 131_072, supports: ['json', 'tools'] },
      { id: 'llama3.2' },
    ]);
    expect(home.feed!.unroutable).toEqual([
      { model: 'nomic-embed', reason: 'it does not complete text' },
    ]);
    expect(await ask('llama3.2')).toMatchObject({ status: 200, provider: 'home' });
    expect(await shown('mesh')).toMatchObject({
      routable: false,
      reasons: ['no model of its feed has a price that can be used: see unroutable'],
      feed: { unroutable: [{ model: 'unsloth/Qwen3-8B-GGUF:Q4_K_M' }] },
    });
    expect((await ask('unsloth/Qwen3-8B-GGUF:Q4_K_M')).status).toBe(404);
    const metrics = await (await fetch(`${core!.url}/metrics`)).text();
    expect(metrics).toMatch(/^arbstr_feed_age_seconds\{provider="node"\} \d/m);
    expect(metrics).toMatch(/^arbstr_feed_unroutable\{provider="mesh"\} 1$/m);
  });
});

describe("a node's balance", () => {
  it('keeps requests away that it cannot cover, and lets them in again', async () => {
    const node = await seller([routstrModel(inSats(0.001))]);
    node.on('/v1/balance/info', { api_key: 'sk-…', balance: 200, reserved: 0 });
    await serve(discovering('node', 'routstr', node));
    // 10 tokens of answer and the prompt are below 200 msat, 1,000 are not.
    expect((await ask('gpt-4o-mini')).status).toBe(200);
    const refused = await ask('gpt-4o-mini', { max_tokens: 1000 });
    expect(refused).toMatchObject({ status: 503, error: { code: 'no_healthy_provider' } });
    expect(refused.error!.message).toContain('too low for this request (node)');
    expect(node.count('/v1/chat/completions')).toBe(1);
    expect((await shown('node')).feed).toMatchObject({ balance_msats: 200 });
    node.on('/v1/balance/info', { balance: 5_000_000, reserved: 0 });
    await until(async () => (await shown('node')).feed!.balance_msats === 5_000_000, 3_000);
    expect((await ask('gpt-4o-mini', { max_tokens: 1000 })).status).toBe(200);
  });
});

describe('hostile feeds', () => {
  it('change nothing for others, and are named', async () => {
    const bait = await seller([routstrModel()]);
    const evil: Record<string, [Route | object, string]> = {
      redirect: [
        (response) => response.writeHead(302, { location: `${bait.url}/models` }).end(),
        'answered with a redirect (302), which is not followed',
      ],
      endless: [pour, 'answered with more than 4 MiB'],
      brackets: [
        (response) => response.end('['.repeat(200_000)),
        'has more than 50000 lists and objects',
      ],
      page: [(response) => response.end('<html>'), 'is not JSON'],
      another: [{ object: 'list' }, 'is not a list of models'],
      empty: [{ data: [] }, 'lists no models'],
      hasty: [(response) => response.destroy(), 'cannot be reached (UND_ERR_SOCKET)'],
    };
    const good = await seller([routstrModel(inSats(0.001))]);
    let text = discovering('good', 'routstr', good);
    for (const [name, [answer]] of Object.entries(evil)) {
      const started = await seller(null);
      started.on('/v1/models', answer);
      text += discovering(name, 'routstr', started);
    }
    await serve(text);
    for (const [name, [, message]] of Object.entries(evil)) {
      expect([name, (await shown(name)).feed!.last_error]).toEqual([name, message]);
    }
    expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'good' });
    expect(bait.heard).toEqual([]);
    expect(await get('/health')).toMatchObject({
      status: 'degraded',
      providers: { good: { feed: 'fresh' }, page: { feed: 'failed' } },
    });
  });

  it('cannot take the name of a virtual model, nor bring one that breaks a header', async () => {
    const evil = await seller([
      routstrModel({ id: 'auto', alias_ids: [], canonical_slug: null, ...inSats(0.001) }),
      routstrModel({ id: 'x\r\nset-cookie: a=b', alias_ids: ['y\nz'], ...inSats(0.001) }),
      routstrModel(inSats(0.001)),
    ]);
    await serve(
      `${discovering('evil', 'routstr', evil)}\n[[models]]\nname = "auto"\nstandard = ["gpt-4o-mini"]\n`,
    );
    const { models, feed } = await shown('evil');
    expect(models.map(({ id }) => id)).toEqual(['gpt-4o-mini', 'openai/gpt-4o-mini']);
    expect(feed!.unroutable).toEqual([
      { model: 'auto', reason: 'a virtual model has this name, which goes before a feed' },
      {
        model: '"x??set-cookie: a=b"',
        reason: 'its name is not 1 to 128 visible ASCII characters',
      },
    ]);
    expect((await ask('auto')).provider).toBe('evil');
  });
});

/** Megabytes of nothing, for as long as somebody listens. */
function pour(response: Parameters<Route>[0]): void {
  const chunk = Buffer.alloc(1024 * 1024, ' ');
  while (!response.destroyed && response.write(chunk));
  if (!response.destroyed) response.once('drain', () => pour(response));
}
