import { request } from 'undici';
import { describe, expect, it } from 'vitest';
import { isFaulty } from '../../../src/upstream/mock/behaviour.ts';
import { chatBody, failure, send, start } from './client.ts';

describe('a mock provider', () => {
  it('lists its models', async () => {
    const provider = await start({ models: ['a', 'b'] });
    const { body } = await request(`${provider.url}/models`);
    const list = (await body.json()) as { object: string; data: { id: string }[] };
    expect(list.object).toBe('list');
    expect(list.data.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it.each<[string, unknown, number, object]>([
    ['a body that is not JSON', '{"model":', 400, {}],
    ['a body that is not an object', '[]', 400, {}],
    ['no model', { messages: [] }, 400, { param: 'model' }],
    ['no messages', { model: 'a', messages: [] }, 400, { param: 'messages' }],
    ['a bound below one', chatBody({ max_tokens: 0 }), 400, { param: 'max_tokens' }],
    ['half a choice', chatBody({ n: 0.5 }), 400, { param: 'n' }],
    ['more choices than anybody gives', chatBody({ n: 1e9 }), 400, { param: 'n' }],
    ['a model it does not have', chatBody({ model: 'b' }), 404, { code: 'model_not_found' }],
  ])('refuses %s', async (_name, body, status, error) => {
    const provider = await start({ models: ['gpt-4o', 'a'] });
    const answer = await send(provider, body);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ error });
  });

  it('shares no id with another one', async () => {
    const ids = new Set<string>();
    for (const provider of [await start(), await start()]) {
      for (let nth = 0; nth < 2; nth++) {
        ids.add((JSON.parse((await send(provider, chatBody())).text) as { id: string }).id);
      }
    }
    expect(ids.size).toBe(4);
  });

  it('asks for its key where it has one', async () => {
    const provider = await start({ apiKey: 'sk-1' });
    expect((await send(provider, chatBody())).status).toBe(401);
    const headers = { authorization: 'Bearer sk-1' };
    expect((await send(provider, chatBody(), { headers })).status).toBe(200);
  });

  it('echoes x-request-id, or gives one', async () => {
    const provider = await start();
    const headers = { 'x-request-id': 'abc-1' };
    expect((await send(provider, chatBody(), { headers })).headers['x-request-id']).toBe('abc-1');
    expect((await send(provider, chatBody())).headers['x-request-id']).toMatch(/^req_/);
  });

  it('remembers what it was sent, byte for byte', async () => {
    const provider = await start();
    const body = '{ "model":"gpt-4o",  "messages":[{"role":"user","content":"é"}], "extra": 1.0 }';
    await send(provider, body, { headers: { 'X-Odd': 'one' } });
    const [call] = provider.calls;
    expect(call?.body.toString()).toBe(body);
    expect(call?.json).toMatchObject({ extra: 1 });
    expect(call?.headers['x-odd']).toBe('one');
    expect(call?.rawHeaders).toContain('X-Odd');
    expect(await call?.ended).toBe('answered');
    expect(call?.state).toBe('answered');
  });

  it('remembers the newest calls only, and none where it is told so', async () => {
    const provider = await start({ keepCalls: 2 });
    for (let nth = 0; nth < 5; nth++) await send(provider, chatBody());
    expect(provider.calls.map(({ nth }) => nth)).toEqual([4, 5]);
    expect(provider.callCount).toBe(5);
    const forgetful = await start({ keepCalls: 0 });
    await send(forgetful, chatBody());
    expect([forgetful.calls.length, forgetful.callCount]).toEqual([0, 1]);
  });

  it('notes routes that no provider has', async () => {
    const provider = await start();
    const { statusCode } = await request(`${provider.url}/nothing?x=1`);
    expect(statusCode).toBe(404);
    expect(provider.unexpected).toEqual(['GET /v1/nothing']);
  });

  it('counts the events that it wrote and knows when its client left', async () => {
    const provider = await start({ answer: 'word '.repeat(200), chunkDelayMs: 5 });
    await send(provider, chatBody({ stream: true }), { enough: (bytes) => bytes > 1000 });
    const [call] = provider.calls;
    expect(await call?.ended).toBe('client_gone');
    expect(call?.chunksSent).toBeGreaterThan(0);
    expect(call?.chunksSent).toBeLessThan(200);
  });

  it('does what its script says for each call', async () => {
    const provider = await start({
      answer: 'same',
      script: ({ nth }) => (nth === 2 ? { answer: 'second' } : undefined),
    });
    const texts = [];
    for (let nth = 0; nth < 3; nth++) texts.push((await send(provider, chatBody())).text);
    expect(texts.map((text) => text.includes('second'))).toEqual([false, true, false]);
  });

  it('answers 500 where its script fails', async () => {
    const provider = await start({
      script: () => {
        throw new Error('typo in the script');
      },
    });
    const { status, text } = await send(provider, chatBody());
    expect(status).toBe(500);
    expect(text).toContain('typo in the script');
    expect(await provider.calls[0]?.ended).toBe('cut');
  });

  it('plays a given answer byte for byte', async () => {
    const provider = await start({
      steps: [
        { do: 'head', status: 203, headers: { 'x-made': 'up' } },
        { do: 'write', data: 'any' },
        { do: 'write', data: Buffer.from([0xff]) },
      ],
    });
    const { status, headers, bytes } = await send(provider, chatBody());
    expect([status, headers['x-made']]).toEqual([203, 'up']);
    expect([...bytes]).toEqual([97, 110, 121, 0xff]);
  });

  it('has its faults on an even share of the requests', async () => {
    const faults = [{ kind: 'status', status: 503, retryAfterSecs: null, body: null }] as const;
    const provider = await start({ faults, faultRate: 1 / 3 });
    const seen: number[] = [];
    for (let nth = 0; nth < 9; nth++) seen.push((await send(provider, chatBody())).status);
    expect(seen).toEqual([200, 200, 503, 200, 200, 503, 200, 200, 503]);
  });

  it.each([0.29, 0.5, 1 / 7, 1, 0])('hits exactly the share of %d of a hundred', (rate) => {
    const hit = Array.from({ length: 100 }, (_, n) => n + 1).filter((nth) => isFaulty(nth, rate));
    expect(hit).toHaveLength(Math.floor(100 * rate + 1e-9));
  });

  it('serves many at once without a warning about listeners', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const provider = await start({ latencyMs: 30 });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => send(provider, chatBody({ stream: true }))),
    );
    process.off('warning', note);
    expect(answers.every(({ status, broken }) => status === 200 && broken === null)).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('refuses a body beyond all reason and lives on', async () => {
    const provider = await start();
    const huge = ' '.repeat(65 * 1024 * 1024);
    // Told so, or cut off while still sending: both end it.
    const status = await send(provider, huge).then(
      (answer) => answer.status,
      () => 413,
    );
    expect(status).toBe(413);
    expect((await send(provider, chatBody())).status).toBe(200);
  });

  it('ends every connection and wait when it is closed, twice if need be', async () => {
    const provider = await start({ script: ({ nth }) => (nth === 1 ? { latencyMs: 60_000 } : {}) });
    const waiting = failure(send(provider, chatBody()));
    await send(provider, chatBody());
    await Promise.all([provider.close(), provider.close()]);
    await waiting;
    expect(await provider.calls[0]?.ended).toBe('client_gone');
    expect((await failure(send(provider, chatBody()))).code).toBe('ECONNREFUSED');
  });
});
