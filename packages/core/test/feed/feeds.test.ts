/** Following feeds over time, with a clock of its own and sellers that answer as told. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Config, ProviderConfig } from '../../src/config/types.ts';
import { createFeeds, type Feeds } from '../../src/feed/feeds.ts';
import type { FeedQuestion, FeedReply } from '../../src/ports.ts';
import { config } from '../config/load-text.ts';
import { ollamaDetails, ollamaModel, pricing, routstrModel } from './lists.ts';

const HOUR_MS = 3_600_000;

let answers: (path: string, provider: ProviderConfig) => object | FeedReply | Promise<FeedReply>;
let asked: string[];
let feeds: Feeds;
let changes: number;
let onChange: () => void;
let warned: string[];

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  warned = [];
  changes = 0;
  onChange = () => {};
  feeds = createFeeds({
    source: {
      ask: async (provider: ProviderConfig, { path }: FeedQuestion) => {
        asked.push(`${provider.name} ${path}`);
        const answer = await answers(path, provider);
        return 'kind' in answer
          ? (answer as FeedReply)
          : { kind: 'ok', bytes: Buffer.from(JSON.stringify(answer)) };
      },
      close: async () => {},
    },
    nowMs: Date.now,
    random: () => 0,
    log: { warn: (_facts, message) => void warned.push(message), info() {} },
    onChange() {
      changes++;
      onChange();
    },
  });
});
afterEach(() => {
  feeds.stop();
  vi.useRealTimers();
});

const failed = (status: number, retryAfterMs: number | null = null): FeedReply => ({
  kind: 'failed',
  message: `answered ${status}`,
  status,
  retryAfterMs,
});
const list = (sats: number) => ({
  data: [routstrModel({ sats_pricing: pricing(sats, sats), alias_ids: [], canonical_slug: null })],
});

const TEXT = `[[providers]]
name = "node"
kind = "routstr"
url = "http://node/v1"
auto_discover = true
`;

/** The rates that are on offer, by model. */
function offered(of: Config): Record<string, number> {
  const providers = feeds.apply(of, of.providers);
  return Object.fromEntries(
    providers.flatMap(({ offers }) =>
      [...offers.values()].map(({ model, rates }) => [model, rates.inputMsatPerMtok]),
    ),
  );
}

async function followed(text: string): Promise<Config> {
  const read = config(text);
  feeds.follow(read.providers);
  await vi.advanceTimersByTimeAsync(0);
  return read;
}

describe('a feed', () => {
  it('is read every interval, one reading at a time', async () => {
    answers = () => list(0.001);
    await followed(TEXT);
    await vi.advanceTimersByTimeAsync(240_000);
    expect(asked).toHaveLength(3);
    answers = () => new Promise(() => {});
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(asked).toHaveLength(4);
  });

  it('that fails is asked again soon, then less often, and said once', async () => {
    answers = () => failed(503);
    await followed(TEXT);
    await vi.advanceTimersByTimeAsync(7_000);
    expect(asked).toHaveLength(4);
    expect(warned).toHaveLength(1);
    expect(feeds.stateOf('node')).toMatchObject({ standing: 'failed', failures: 4 });
    answers = () => failed(429, 60_000);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(asked).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(asked).toHaveLength(5);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toHaveLength(6);
  });

  it('that fails keeps its prices for an hour, then they no longer hold', async () => {
    answers = () => list(0.001);
    const read = await followed(TEXT);
    expect(offered(read)).toEqual({ 'gpt-4o-mini': 1_000_000 });
    answers = () => failed(500);
    await vi.advanceTimersByTimeAsync(HOUR_MS - 120_000);
    expect(feeds.stateOf('node')!.standing).toBe('stale');
    expect(offered(read)).toEqual({ 'gpt-4o-mini': 1_000_000 });
    const before = changes;
    await vi.advanceTimersByTimeAsync(240_000);
    expect(feeds.stateOf('node')!.standing).toBe('expired');
    expect(changes).toBeGreaterThan(before);
    expect(offered(read)).toEqual({});
    answers = () => list(0.002);
    await vi.advanceTimersByTimeAsync(240_000);
    expect(offered(read)).toEqual({ 'gpt-4o-mini': 2_000_000 });
  });

  it('that expires while its seller asks us to wait is not sold on until we may ask again', async () => {
    answers = () => list(0.001);
    const read = await followed(TEXT);
    await vi.advanceTimersByTimeAsync(120_000);
    answers = () => failed(429, HOUR_MS);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(asked).toHaveLength(3);
    let sold = offered(read);
    onChange = () => {
      sold = offered(read);
    };
    await vi.advanceTimersByTimeAsync(HOUR_MS - 120_000);
    expect(sold).toEqual({ 'gpt-4o-mini': 1_000_000 });
    await vi.advanceTimersByTimeAsync(1);
    expect(sold).toEqual({});
    expect(asked).toHaveLength(3);
  });

  it('that is followed no more does not expire, nor one that was read again', async () => {
    answers = () => list(0.001);
    await followed(TEXT);
    await vi.advanceTimersByTimeAsync(HOUR_MS + 60_000);
    // One for each reading.
    expect(changes).toBe(31);
    feeds.stop();
    await vi.advanceTimersByTimeAsync(2 * HOUR_MS);
    expect(changes).toBe(31);
  });

  it('that expired leaves what the operator has a price for', async () => {
    answers = () => list(0.001);
    const read = await followed(
      `${TEXT}[providers.model_rates.gpt-4o-mini]\ninput_rate = 5\noutput_rate = 6\n`,
    );
    answers = () => failed(500);
    await vi.advanceTimersByTimeAsync(2 * HOUR_MS);
    expect(offered(read)).toEqual({ 'gpt-4o-mini': 5_000 });
  });

  it('that says what it said before makes nothing new', async () => {
    answers = () => list(0.001);
    const read = await followed(TEXT);
    const [before] = feeds.apply(read, read.providers);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(asked).toHaveLength(2);
    expect(feeds.apply(read, read.providers)[0]).toBe(before);
    answers = () => list(0.002);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(feeds.apply(read, read.providers)[0]).not.toBe(before);
    // Whoever has the old one has the old price.
    expect(before!.offers.get('gpt-4o-mini')!.rates.inputMsatPerMtok).toBe(1_000_000);
  });

  it('with a sudden price is looked at again soon, also where it then says the same', async () => {
    answers = () => list(0.001);
    const read = await followed(TEXT);
    answers = () => list(1);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(offered(read)).toEqual({});
    expect(feeds.unroutableAt('node')[0]!.reason).toContain('more than tenfold');
    await vi.advanceTimersByTimeAsync(1_000);
    expect(offered(read)).toEqual({ 'gpt-4o-mini': 1_000_000_000 });
  });

  it('of as many models as are taken is read, and one of tiny parts is not', async () => {
    const models = Array.from({ length: 2_000 }, (_, i) => routstrModel({ id: `model-${i}` }));
    answers = () => ({ data: models });
    await followed(TEXT);
    expect(feeds.stateOf('node')).toMatchObject({ standing: 'fresh', lastError: null });
    answers = () => ({ data: models, more: Array.from({ length: 500_000 }, () => '') });
    await vi.advanceTimersByTimeAsync(120_000);
    expect(feeds.stateOf('node')!.lastError!.message).toBe(
      'has more than 500000 lists, objects and strings',
    );
  });

  it('that cannot be understood at all does not end the following', async () => {
    answers = () => {
      throw new TypeError('a bug');
    };
    await followed(TEXT);
    expect(feeds.stateOf('node')!.lastError!.message).toBe('cannot be used (a bug)');
    // Whoever sells by what it said before hears of it.
    expect(changes).toBe(1);
    answers = () => list(0.001);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(feeds.stateOf('node')).toMatchObject({ standing: 'fresh', lastError: null });
  });
});

it('that cannot be offered is not used, and the others are', async () => {
  answers = () => list(0.001);
  const read = await followed(TEXT);
  onChange = () => {
    throw new TypeError('a bug');
  };
  answers = () => list(0.002);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(feeds.stateOf('node')!.lastError!.message).toBe('cannot be used (a bug)');
  expect(offered(read)).toEqual({});
  onChange = () => {};
  await vi.advanceTimersByTimeAsync(1_000);
  expect(offered(read)).toEqual({ 'gpt-4o-mini': 2_000_000 });
});

describe('a start', () => {
  it('waits for all first readings, and only so long', async () => {
    answers = (_path, { name }) => (name === 'node' ? list(0.001) : new Promise(() => {}));
    await followed(TEXT + TEXT.replace('"node"', '"silent"'));
    let ready = false;
    void feeds.ready(3_000).then(() => {
      ready = true;
    });
    await vi.advanceTimersByTimeAsync(2_999);
    expect(ready).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(ready).toBe(true);
  });

  it('does not wait where all were read', async () => {
    answers = () => list(0.001);
    await followed(TEXT);
    await expect(feeds.ready(3_000)).resolves.toBeUndefined();
  });
});

describe('a reload', () => {
  it.each([
    ['name', TEXT.replace('"node"', '"other"'), 'other'],
    ['address', TEXT.replace('http://node/', 'http://elsewhere/'), 'node'],
    ['key', `${TEXT}api_key = "sk-another-key"\n`, 'node'],
    ['kind', TEXT.replace('routstr', 'openrouter'), 'node'],
  ])('with another %s forgets what was read', async (_what, text, name) => {
    answers = () => list(0.001);
    await followed(TEXT);
    answers = () => failed(500);
    const next = await followed(text);
    expect(offered(next)).toEqual({});
    expect(feeds.stateOf(name)!.standing).toBe('failed');
    expect(feeds.stateOf(name === 'node' ? 'other' : 'node')).toBeNull();
  });

  it('with another interval or other terms keeps it', async () => {
    answers = () => list(0.001);
    await followed(TEXT);
    const next = await followed(`${TEXT}refresh_secs = 7\n[pricing]\nmarkup_ppm = 1000000\n`);
    expect(asked).toHaveLength(1);
    expect(offered(next)).toEqual({ 'gpt-4o-mini': 2_000_000 });
    await vi.advanceTimersByTimeAsync(7_000);
    expect(asked).toHaveLength(2);
  });

  it('without it ends the following', async () => {
    answers = () => list(0.001);
    await followed(TEXT);
    await followed(TEXT.replace('auto_discover = true', 'models = []'));
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(asked).toHaveLength(1);
    expect(feeds.stateOf('node')).toBeNull();
  });
});

describe('an account at a node', () => {
  const WITH_KEY = `${TEXT}api_key = "sk-0123456789"\n`;

  it('is asked for only with a key, and its balance shown', async () => {
    answers = (path) => (path === '/v1/models' ? list(0.001) : { balance: 1234, reserved: 99 });
    await followed(TEXT);
    expect(feeds.balanceMsat('node')).toBeNull();
    await followed(WITH_KEY);
    expect(feeds.balanceMsat('node')).toBe(1234);
  });

  it.each<[object | FeedReply, number | null, string | null]>([
    [{ balance: -5 }, 0, null],
    [{ balance: '5' }, null, 'does not say a balance in msat'],
    [{ balance: 1.5 }, null, 'does not say a balance in msat'],
    [[], null, 'does not say a balance in msat'],
    [failed(401), null, 'answered 401'],
  ])('of which it says %j', async (answer, balanceMsat, balanceError) => {
    answers = (path) => (path === '/v1/models' ? list(0.001) : answer);
    await followed(WITH_KEY);
    expect(feeds.stateOf('node')).toMatchObject({ standing: 'fresh', balanceMsat, balanceError });
  });
});

it('asks an Ollama about each model once, and about new ones when they come', async () => {
  let models = [ollamaModel('a:latest')];
  answers = (path) =>
    path === '/v1/models' ? { data: models } : ollamaDetails(['completion', 'tools']);
  const read = await followed(
    TEXT.replace('routstr', 'ollama').concat('input_rate = 0\noutput_rate = 0\n'),
  );
  expect(asked).toEqual(['node /v1/models', 'node /api/show']);
  models = [...models, ollamaModel('b')];
  await vi.advanceTimersByTimeAsync(120_000);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked.filter((question) => question.endsWith('/api/show'))).toHaveLength(2);
  expect(Object.keys(offered(read))).toEqual(['a:latest', 'a', 'b']);
});
