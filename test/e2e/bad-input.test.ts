/**
 * Hostile bytes from both sides. Each case ends in an answer in the contract's shape (or a closed
 * connection where HTTP itself is broken), and the next request is served.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import { until } from '../support/process.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let behave: (call: MockCall) => Partial<MockBehaviour> = () => ({});

beforeAll(async () => {
  stack = await startStack({
    billed: false,
    server: 'body_limit_mb = 1\nclient_stall_ms = 1000',
    providers: [
      {
        name: 'alpha',
        mock: { script: (call) => behave(call) },
        toml: 'timeouts = { connect_ms = 500, idle_ms = 500, total_ms = 1500 }',
      },
    ],
    // One provider, told to fail in every way: none of it may keep the next test from it.
    toml: '[breaker]\nfailures = 1000\n[retry]\nbackoff_ms = 0\nretry_after_max_secs = 0\n',
  });
});
afterAll(() => stack.stop());
afterEach(async () => {
  behave = () => ({ answer: 'Fine.' });
  const next = await post(GOOD);
  expect(next.status).toBe(200);
  await next.text();
});

const GOOD = '{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}';
const STREAM = '{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}';

const post = (body: string | Buffer, path = '/v1/chat/completions') =>
  fetch(stack.core.url + path, {
    method: 'POST',
    body: body as never,
    headers: { 'content-type': 'application/json' },
  });

async function errorOf(response: Response) {
  expect(response.headers.get('content-type')).toMatch(/application\/json/);
  expect(response.headers.get('x-request-id')).toBeTruthy();
  expect(response.headers.get('x-arbstr-latency-ms')).toMatch(/^\d+$/);
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  expect(Object.keys(error)).toEqual(expect.arrayContaining(['message', 'type', 'param', 'code']));
  expect(typeof error.message).toBe('string');
  return { status: response.status, ...error } as {
    status: number;
    code: string;
    param: string | null;
  };
}

function raw(text: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(new URL(stack.core.url).port), '127.0.0.1');
    let answer = '';
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (data) => {
      answer += data.toString();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.end(text);
  });
}

describe('callers', () => {
  it.each([
    ['nothing', '', 'invalid_json'],
    ['no JSON', '{"model":', 'invalid_json'],
    ['a list', '[]', 'invalid_json'],
    ['a number', '7', 'invalid_json'],
    [
      'invalid UTF-8',
      Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      'invalid_json',
    ],
    [
      '10⁵ nested lists',
      `{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}],"x":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      'invalid_request',
    ],
    ['two models', `{"model":"a","model":"b","messages":[]}`, 'invalid_request'],
    [
      'a model that is a number',
      '{"model":4,"messages":[{"role":"user","content":"hi"}]}',
      'invalid_request',
    ],
    [
      'a float of tokens',
      GOOD.replace('"messages"', '"max_tokens":1.5,"messages"'),
      'invalid_request',
    ],
    [
      'negative tokens',
      GOOD.replace('"messages"', '"max_tokens":-1,"messages"'),
      'invalid_request',
    ],
    [
      'tokens past 2^53',
      GOOD.replace('"messages"', '"max_tokens":9007199254740993,"messages"'),
      'invalid_request',
    ],
    [
      'a string for stream',
      GOOD.replace('"messages"', '"stream":"yes","messages"'),
      'invalid_request',
    ],
    ['too many choices', GOOD.replace('"messages"', '"n":1000,"messages"'), 'invalid_request'],
  ])('%s → 400', async (_what, body, code) => {
    const error = await errorOf(await post(body));
    expect(error).toMatchObject({ status: 400, code });
  });

  it('a body over the limit → 413, without reading it', async () => {
    const huge = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\nconnection: close\r\n\r\n{`;
    expect(await raw(huge)).toMatch(/^HTTP\/1\.1 413 .*request_too_large/s);
    const error = await errorOf(await post(Buffer.alloc(2 * 1024 * 1024, 0x20)));
    expect(error).toMatchObject({ status: 413, code: 'request_too_large' });
  });

  it.each([
    ['an unknown route', 'GET', '/v1/nothing', 404, 'not_found'],
    ['a wrong method', 'DELETE', '/v1/chat/completions', 404, 'not_found'],
    ['a malformed URL', 'GET', '/v1/models/%E0%A4%A', 400, 'invalid_request'],
    ['a page that is no number', 'GET', '/v1/requests?page=x', 400, 'invalid_request'],
    ['an unknown filter', 'GET', '/v1/requests?modell=x', 400, 'invalid_request'],
    ['a page past everything', 'GET', '/v1/requests?page=99999999999', 400, 'invalid_request'],
  ])('%s', async (_what, method, path, status, code) => {
    expect(await errorOf(await fetch(stack.core.url + path, { method }))).toMatchObject({
      status,
      code,
    });
  });

  it('bytes that are no HTTP, headers without end, a header twice', async () => {
    const nonsense = await raw('\u0000\u0001\u0002 nonsense\r\n\r\n');
    expect(nonsense).toMatch(/^HTTP\/1\.1 400 .*"error"/s);
    expect(nonsense).toMatch(/^x-request-id: (\S+)\r\nx-arbstr-request-id: \1\r$/m);
    expect(
      await raw(`GET /health HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`),
    ).toMatch(/^HTTP\/1\.1 431 .*"error"/s);
    const twice = `GET /health HTTP/1.1\r\nhost: x\r\nx-request-id: one\r\nx-request-id: two\r\nconnection: close\r\n\r\n`;
    const answer = await raw(twice);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    expect(answer).not.toMatch(/x-request-id: one, two/);
  });

  it('a correlation id is kept where it is one, and replaced where it is not', async () => {
    const ask = (id: string) =>
      fetch(`${stack.core.url}/health`, { headers: { 'x-request-id': id } });
    expect((await ask('my-id.1:2')).headers.get('x-request-id')).toBe('my-id.1:2');
    expect((await ask('no spaces please')).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('a reader that takes nothing is given up, and the provider with it', async () => {
    const event = { choices: [{ index: 0, delta: { content: 'word '.repeat(1_000) } }] };
    behave = () => ({
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': 'text/event-stream' } },
        { do: 'flood', data: Buffer.from(`data: ${JSON.stringify(event)}\n\n`) },
      ],
    });
    const socket = connect(Number(new URL(stack.core.url).port), '127.0.0.1');
    socket.pause();
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${STREAM.length}\r\n\r\n${STREAM}`,
    );
    const calls = stack.providers.alpha!;
    await until(() => calls.calls.at(-1)?.state === 'client_gone', 10_000);
    socket.destroy();
  });
});

describe('providers', () => {
  const faulty = (kind: string, more = {}): void => {
    behave = () => ({ faults: [{ kind, ...more } as never] });
  };

  it.each([
    ['a page instead of an answer', 'html_200', {}],
    ['nothing', 'empty_body', {}],
    ['an answer that is cut off', 'truncated_body', {}],
    ['an error in a 200', 'error_in_200', {}],
    ['a reset', 'reset', {}],
    ['headers without end', 'drip_headers', { intervalMs: 5 }],
    ['silence', 'hang_before_headers', {}],
  ])('%s → an error in our shape (whole answers)', async (_what, kind, more) => {
    faulty(kind, more);
    const error = await errorOf(await post(GOOD));
    expect([502, 504]).toContain(error.status);
  });

  it.each([
    ['an error in the first frame', 'error_first_frame', {}],
    ['silence after the headers', 'hang_after_headers', {}],
    ['a line without end', 'huge_line', {}],
    ['a page', 'html_200', {}],
  ])('%s → an error before the stream begins', async (_what, kind, more) => {
    faulty(kind, more);
    const error = await errorOf(await post(STREAM));
    expect([502, 504]).toContain(error.status);
  });

  it.each([
    ['an event that is not JSON', 'invalid_json_event'],
    ['a connection that breaks', 'die_mid_stream'],
    ['an end without finish reason', 'end_mid_stream'],
    ['an error event', 'error_mid_stream'],
    ['a stall', 'stall_mid_stream'],
  ])('%s mid-stream → an error event and no [DONE]', async (_what, kind) => {
    faulty(kind, { afterChunks: 3 });
    const response = await post(STREAM);
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text.trimEnd().split('\n\n').at(-1)).toMatch(
      /^data: \{"error":\{"message":"The stream broke/,
    );
    expect(text).not.toContain('[DONE]');
  });

  it.each([
    ['usage is missing', 'no_usage', true],
    ['the end marker is missing', 'no_done', false],
    ['stream_options are refused', 'reject_stream_options', true],
    ['lines end with CRLF', 'crlf', false],
    ['comments come in between', 'comments', false],
    ['bytes come one by one', 'split_writes', false],
    ['usage comes with every chunk', 'usage_every_chunk', false],
  ])('a stream is whole although %s', async (_what, kind, estimated) => {
    faulty(kind);
    const text = await (await post(STREAM)).text();
    expect(text.match(/data: \[DONE\]/g)).toHaveLength(1);
    const bill = JSON.parse(/^: arbstr (.*)$/m.exec(text)![1]!);
    expect(bill.estimated).toBe(estimated);
    expect(bill.cost_msats).toBeGreaterThan(0);
  });

  const sse = (...data: string[]) => data.map((text) => `data: ${text}\n\n`).join('');
  const DELTA = '{"choices":[{"index":0,"delta":{"content":"hi"}}]}';
  const FINISH = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}';
  const streamHead = {
    do: 'head',
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
  } as const;

  it('takes an end marker with a space behind it for one, as the SDKs do', async () => {
    behave = () => ({ steps: [streamHead, { do: 'write', data: sse(DELTA, FINISH, '[DONE] ') }] });
    const text = await (await post(STREAM)).text();
    expect(text.match(/\[DONE\]/g)).toHaveLength(1);
    expect(text).not.toContain('error');
  });

  it('does not wait for a finished stream that only sends comments any more', async () => {
    const comments = Array.from({ length: 40 }, () => [
      { do: 'wait', ms: 200 } as const,
      { do: 'write', data: ': still here\n\n' } as const,
    ]).flat();
    behave = () => ({
      steps: [streamHead, { do: 'write', data: sse(DELTA, FINISH) }, ...comments],
    });
    const text = await (await post(STREAM)).text();
    expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(text.match(/still here/g)!.length).toBeLessThan(35);
  });

  it.each(['', 'text/plain'])(
    'names a completion JSON where the provider says %j',
    async (type) => {
      const body =
        '{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}';
      const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
      behave = () => ({
        steps: [
          { do: 'head', status: 200, headers },
          { do: 'write', data: body },
        ],
      });
      const response = await post(GOOD);
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.text()).toBe(body);
    },
  );

  it.each([
    ['a stream of nothing but its end', 'text/event-stream', sse('[DONE]'), STREAM],
    ['an answer without choices', 'application/json', '{"choices":[]}', GOOD],
  ])('%s is no answer', async (_what, type, data, body) => {
    behave = () => ({
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': type } },
        { do: 'write', data },
      ],
    });
    expect(await errorOf(await post(body))).toMatchObject({ status: 502 });
  });

  it('judges an error by its status, however its body dribbles', async () => {
    behave = () => ({
      steps: [
        {
          do: 'head',
          status: 429,
          headers: { 'content-type': 'application/json', 'retry-after': '9' },
        },
        { do: 'write', data: '{"err' },
        { do: 'stall' },
      ],
    });
    const response = await post(GOOD);
    expect(response.headers.get('retry-after')).toBe('9');
    expect(await errorOf(response)).toMatchObject({ status: 429, code: 'rate_limited' });
  });

  it('does not follow a redirect', async () => {
    faulty('status', { status: 307, retryAfterSecs: null, body: null });
    expect(await errorOf(await post(GOOD))).toMatchObject({ status: 502 });
  });

  it('keeps its memory where providers do not keep theirs', async () => {
    const rss = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${stack.core.pid}/status`, 'utf8'))![1]) /
      1024;
    faulty('huge_line');
    await post(STREAM).then((response) => response.text());
    const before = rss();
    for (let i = 0; i < 5; i++) await post(STREAM).then((response) => response.text());
    expect(rss() - before).toBeLessThan(100);
  });
});
