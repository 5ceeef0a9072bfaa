import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FeedQuestion, FeedSource } from '../../src/ports.ts';
import { createFeedClient } from '../../src/upstream/feed-client.ts';
import { provider } from '../config/load-text.ts';
import { type FakeSeller, startFakeSeller } from '../feed/fake-seller.ts';

let seller: FakeSeller;
let client: FeedSource;

beforeEach(async () => {
  seller = await startFakeSeller();
  client = createFeedClient();
});
afterEach(async () => {
  await client.close();
  await seller.close();
});

const PATH = '/v1/models';
const ask = (more: Partial<FeedQuestion> = {}, key = 'api_key = "sk-0123456789"') =>
  client.ask(
    provider(`[[providers]]
name = "a"
url = "${seller.url}"
kind = "routstr"
auto_discover = true
${key}
`),
    { path: PATH, signal: AbortSignal.timeout(5_000), ...more },
  );

describe('a question', () => {
  it('carries the key, and gets bytes', async () => {
    seller.on(PATH, { data: [] });
    expect(await ask()).toEqual({ kind: 'ok', bytes: Buffer.from('{"data":[]}') });
    expect(seller.heard).toMatchObject([
      { method: 'GET', path: PATH, authorization: 'Bearer sk-0123456789' },
    ]);
  });

  it('without a key carries none, and may have a body', async () => {
    seller.on('/api/show', {});
    await ask({ path: '/api/show', body: { model: 'm' } }, '');
    expect(seller.heard).toMatchObject([
      { method: 'POST', authorization: undefined, body: '{"model":"m"}' },
    ]);
  });

  it('stays at the origin of the provider, whatever its path', async () => {
    const reply = await ask({ path: '//elsewhere.example/v1/models' });
    expect(reply).toMatchObject({ status: 404 });
    expect(seller.heard).toMatchObject([{ path: '//elsewhere.example/v1/models' }]);
  });
});

describe('an answer', () => {
  it.each([301, 302, 303, 307, 308])('%i is not followed', async (status) => {
    seller.on(PATH, (response) => response.writeHead(status, { location: '/v1/else' }).end());
    expect(await ask()).toMatchObject({
      kind: 'failed',
      message: `answered with a redirect (${status}), which is not followed`,
    });
    expect(seller.count('/v1/else')).toBe(0);
  });

  it('429 says when to come back', async () => {
    seller.on(PATH, (response) => response.writeHead(429, { 'retry-after': '30' }).end('{}'));
    expect(await ask()).toEqual({
      kind: 'failed',
      message: 'answered 429',
      status: 429,
      retryAfterMs: 30_000,
    });
  });

  it.each<[string, Parameters<FakeSeller['on']>[1]]>([
    ['never begins', () => {}],
    ['never ends', (response: { write(text: string): void }) => response.write('{')],
  ])('that %s is given up when the time is over', async (_what, answer) => {
    seller.on(PATH, answer);
    expect(await ask({ signal: AbortSignal.timeout(50) })).toMatchObject({
      kind: 'failed',
      message: 'did not answer in time',
    });
  });

  it('that comes from nobody names why', async () => {
    await seller.close();
    expect(await ask()).toMatchObject({ message: 'cannot be reached (ECONNREFUSED)' });
  });

  it('may be as large as a list gets, and no larger', async () => {
    const bytes = 4 * 1024 * 1024;
    seller.on(PATH, (response) => response.end(Buffer.alloc(bytes, ' ')));
    expect(await ask()).toMatchObject({ kind: 'ok' });
    seller.on(PATH, (response) => response.end(Buffer.alloc(bytes + 1, ' ')));
    expect(await ask()).toMatchObject({ message: 'answered with more than 4 MiB' });
  });
});
