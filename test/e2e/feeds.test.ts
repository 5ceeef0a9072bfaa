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
  type Heard,
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
  writeFileSync(path(), `[server]\nlisten = "127.0.0.1:0"\n[database]\npath = "${dir}/core.db"\n${text}`);

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

const inSats = (prompt: number, completion = prompt) => ({ sats_pricing: pricing(prompt, completion) });

describe('a start', () => {
  it('routes at once by the price of the feed, and sends the key to its origin alone', async () => {
    const cheap = await seller([routstrModel(inSats(0.001))]);
    const dear = await seller([routstrModel(inSats(0.002))]);
    await serve(discovering('cheap', 'routstr', cheap) + discovering('dear', 'routstr', dear));
    expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'cheap' });
    // By the name that the feed gives it besides.
    expect(await ask('openai/gpt-4o-mini')).toMatchObject({ status: 200, provider: 'cheap' });
    const keys = ({ heard }: FakeSeller) => [...new Set(heard.map((h: Heard) => h.authorization))];
    expect([keys(cheap), keys(dear)]).toEqual([['Bearer sk-of-cheap'], ['Bearer sk-of-dear']]);
  });

  it('does not wait for a feed that does not answer', async () => {
    const silent = await seller(null);
    silent.on('/v1/models', () => {});
    await serve(discovering('silent', 'routstr', silent));
    expect(await shown('silent')).toMatchObject({
      routable: false,
      reasons: ['its feed has not been read yet'],
      feed: { state: 'pending' },
    });
    expect(await ask('gpt-4o-mini')).toMatchObject({
      status: 404,
      error: { code: 'model_not_found' },
    });
  });
});

describe('while it runs', () => {
  it('moves with the prices, within a refresh, and never answers on the way with nothing', async () => {
    const one = await seller([routstrModel(inSats(0.001))]);
    const two = await seller([routstrModel(inSats(0.002))]);
    await serve(discovering('one', 'routstr', one) + discovering('two', 'routstr', two));
    expect((await ask('gpt-4o-mini')).provider).toBe('one');
    one.on('/v1/models', { data: [routstrModel(inSats(0.003))] });
    await until(async () => (await rates('one'))['gpt-4o-mini'] === 3000, 3_000);
    expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'two' });
    two.on('/v1/models', { data: [routstrModel({ id: 'another', alias_ids: [], canonical_slug: null })] });
    await until(async () => (await rates('two')).another !== undefined, 3_000);
    expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'one' });
  });

  it('keeps what it last read well where a feed fails, and says so', async () => {
    const one = await seller([routstrModel(inSats(0.001))]);
    await serve(discovering('one', 'routstr', one));
    one.on('/v1/models', (response) => response.writeHead(503).end());
    await until(async () => (await shown('one')).feed!.last_error !== null, 3_000);
    expect((await shown('one')).feed).toMatchObject({ last_error: 'answered 503', state: 'fresh' });
    expect((await ask('gpt-4o-mini')).status).toBe(200);
    await until(async () => (await shown('one')).feed!.state === 'stale', 6_000);
    expect((await ask('gpt-4o-mini')).status).toBe(200);
    expect(await get('/health')).toMatchObject({
      status: 'degraded',
      providers: { one: { feed: 'stale' } },
    });
  });

  it('takes a price that moves a thousandfold only when it is read twice', async () => {
    const one = await seller([routstrModel(inSats(0.001))]);
    await serve(discovering('one', 'routstr', one));
    let readings = 0;
    one.on('/v1/models', (response) => {
      readings++;
      // Wrong once, then right again.
      const price = readings === 1 ? 0.000_001 : 0.001;
      response.end(JSON.stringify({ data: [routstrModel(inSats(price))] }));
    });
    await until(async () => (await shown('one')).feed!.unroutable.length > 0, 3_000);
    expect((await shown('one')).feed!.unroutable[0]!.reason).toContain('more than tenfold');
    expect((await ask('gpt-4o-mini')).status).toBe(404);
    await until(async () => (await rates('one'))['gpt-4o-mini'] === 1000, 3_000);
    one.on('/v1/models', { data: [routstrModel(inSats(1))] });
    await until(async () => (await rates('one'))['gpt-4o-mini'] === 1_000_000, 5_000);
  });

  it('keeps what it read through a reload, but not for another key', async () => {
    const one = await seller([routstrModel(inSats(0.001))]);
    const text = discovering('one', 'routstr', one);
    await serve(text);
    one.on('/v1/models', (response) => response.writeHead(500).end());
    write(`${text}\n[pricing]\nmarkup_ppm = 1000000\n`);
    await core!.reload();
    expect(await rates('one')).toMatchObject({ 'gpt-4o-mini': 2000 });
    expect((await ask('gpt-4o-mini')).status).toBe(200);
    write(text.replace('sk-of-one', 'sk-of-somebody'));
    await core!.reload();
    expect((await shown('one')).models).toEqual([]);
  });
});

describe('a USD', () => {
  const inUsd = openrouterModel({ id: 'openai/gpt-4o-mini' });

  it('costs what nobody says, so that its prices are unknown', async () => {
    const router = await seller([inUsd]);
    await serve(discovering('router', 'openrouter', router));
    const { feed, reasons } = await shown('router');
    expect(feed!.unroutable[0]).toEqual({
      model: 'openai/gpt-4o-mini',
      reason: 'its price is in USD, and nothing says what a USD costs: set pricing.sats_per_usd',
    });
    expect(reasons).toEqual(['no model of its feed has a price that can be used: see unroutable']);
    expect((await ask('openai/gpt-4o-mini')).status).toBe(404);
  });

  it('costs what the operator says', async () => {
    const router = await seller([inUsd]);
    await serve(`[pricing]\nsats_per_usd = 1000\n${discovering('router', 'openrouter', router)}`);
    expect(await rates('router')).toMatchObject({ 'openai/gpt-4o-mini': 150 });
  });

  it('costs what a feed with both implies', async () => {
    const router = await seller([inUsd]);
    const node = await seller([routstrModel()]);
    await serve(
      `[pricing]\nsats_per_usd = "feed"\n${discovering('router', 'openrouter', router)}${discovering('node', 'routstr', node)}`,
    );
    expect(await rates('router')).toMatchObject({ 'openai/gpt-4o-mini': 150 });
    expect(await get('/providers')).toMatchObject({ sats_per_usd: 1000 });
  });
});

describe('local models', () => {
  it('of an Ollama cost what the operator says, and can do what it says of them', async () => {
    const ollama = await seller([ollamaModel(), ollamaModel('nomic-embed:latest')]);
    ollama.on('/api/show', (response, { body }) => {
      const embeds = body.includes('nomic');
      response.end(JSON.stringify(ollamaDetails(embeds ? ['embedding'] : ['completion', 'tools'])));
    });
    await serve(discovering('home', 'ollama', ollama, 'input_rate = 0\noutput_rate = 0'));
    const { models, feed } = await shown('home');
    expect(models).toMatchObject([
      { id: 'llama3.2:latest', context_window: 131_072, supports: ['json', 'tools'] },
      { id: 'llama3.2' },
    ]);
    expect(feed!.unroutable.map(({ reason }) => reason)).toContain('it does not complete text');
    expect(await ask('llama3.2')).toMatchObject({ status: 200, provider: 'home' });
    // Asked once, not with every reading.
    await until(() => ollama.count('/v1/models') > 2, 4_000);
    expect(ollama.count('/api/show')).toBe(2);
  });

  it('have no price that nobody wrote down', async () => {
    const mesh = await seller([meshModel()]);
    await serve(discovering('mesh', 'mesh-llm', mesh));
    expect((await shown('mesh')).feed!.unroutable).toEqual([
      {
        model: 'unsloth/Qwen3-8B-GGUF:Q4_K_M',
        reason: 'its feed has no prices: write input_rate and output_rate (0 = free)',
      },
    ]);
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

describe('a hostile feed', () => {
  it.each<[string, (evil: FakeSeller, bait: FakeSeller) => void, RegExp]>([
    [
      'sends the key elsewhere',
      (evil, bait) =>
        evil.on('/v1/models', (response) =>
          response.writeHead(302, { location: `${bait.url}/models` }).end(),
        ),
      /redirect \(302\), which is not followed/,
    ],
    [
      'never ends',
      (evil) =>
        evil.on('/v1/models', (response) => {
          const chunk = Buffer.alloc(1024 * 1024, ' ');
          const more = (): void => {
            while (!response.destroyed && response.write(chunk));
            if (!response.destroyed) response.once('drain', more);
          };
          more();
        }),
      /more than 4 MiB/,
    ],
    ['is all brackets', (evil) => evil.on('/v1/models', (r) => r.end('['.repeat(200_000))), /lists and objects/],
    ['is a page', (evil) => evil.on('/v1/models', (r) => r.end('<html>')), /is not JSON/],
    ['is another thing', (evil) => evil.on('/v1/models', { object: 'list' }), /is not a list/],
    ['is empty', (evil) => evil.on('/v1/models', { data: [] }), /lists no models/],
  ])('that %s changes nothing for others', async (_what, spoil, reason) => {
    const evil = await seller(null);
    const bait = await seller([routstrModel()]);
    const good = await seller([routstrModel(inSats(0.001))]);
    spoil(evil, bait);
    await serve(discovering('evil', 'routstr', evil) + discovering('good', 'routstr', good));
    await until(async () => (await shown('evil')).feed!.last_error !== null, 5_000);
    expect((await shown('evil')).feed!.last_error).toMatch(reason);
    expect(await ask('gpt-4o-mini')).toMatchObject({ status: 200, provider: 'good' });
    expect(bait.heard).toEqual([]);
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
