/** One attempt against servers that do what no HTTP library would, over the real upstream adapter. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chunkOf,
  DONE,
  type FaultyUpstream,
  FINISH,
  head,
  jsonAnswer,
  refusal,
  type Script,
  startFaultyUpstream,
  usageChunk,
  word,
} from '../../../../test/support/faulty-upstream.ts';
import { TIMEOUTS_DEFAULT, type Timeouts } from '../../src/config/types.ts';
import { CHAT } from '../../src/dialect/chat.ts';
import { COMPLETIONS } from '../../src/dialect/completions.ts';
import type { Dialect } from '../../src/dialect/dialect.ts';
import type { ApiRequest } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';
import type { ClientStream, Upstream } from '../../src/ports.ts';
import { type AttemptResult, attempt } from '../../src/route/attempt.ts';
import type { Candidate } from '../../src/route/choose.ts';
import type { FailureKind } from '../../src/route/failure.ts';
import { upstreamOrder } from '../../src/route/upstream-order.ts';
import { type Relayed, relay } from '../../src/stream/relay.ts';
import { createUpstream } from '../../src/upstream/pool.ts';

let upstream: Upstream;
let server: FaultyUpstream;
/** Set by each test. */
let script: Script;

beforeAll(async () => {
  upstream = createUpstream();
  server = await startFaultyUpstream({ alpha: (socket, request) => script(socket, request) });
});
afterAll(async () => {
  await upstream.close();
  await server.close();
});

interface Wish {
  readonly body?: object;
  readonly stream?: boolean;
  readonly timeouts?: Partial<Timeouts>;
  readonly anotherIsLeft?: boolean;
  readonly holdBackBytes?: number;
  readonly holdBackMs?: number;
  readonly url?: string;
  readonly dialect?: Dialect;
  readonly sendBoundAs?: Candidate['sendBoundAs'];
  readonly clientGone?: AbortSignal;
}

function requestOf({ stream = true, body = {} }: Wish): ApiRequest {
  const messages = [{ role: 'user', content: 'Hi' }];
  const parsed = parseChatRequest(
    Buffer.from(JSON.stringify({ model: 'm', stream, messages, ...body })),
  );
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}

function run(wish: Wish = {}): Promise<AttemptResult> {
  const candidate = {
    provider: {
      name: wish.url ?? 'alpha',
      url: wish.url ?? server.urlOf('alpha'),
      apiKey: null,
      maxConcurrency: 8,
      timeouts: { ...TIMEOUTS_DEFAULT, idleMs: 500, totalMs: 10_000, ...wish.timeouts },
    },
    offer: { model: 'm' },
    dialect: wish.dialect ?? CHAT,
    outputBound: 100,
    sendBoundAs: wish.sendBoundAs ?? null,
  } as unknown as Candidate;
  return attempt(
    { upstream, nowMs: Date.now },
    {
      ...upstreamOrder(requestOf(wish), candidate),
      holdBack:
        wish.holdBackBytes === undefined
          ? null
          : { bytesMax: wish.holdBackBytes, untilMs: Date.now() + (wish.holdBackMs ?? 10_000) },
      correlationId: 'c',
      anotherIsLeft: wish.anotherIsLeft ?? false,
      shutdown: new AbortController().signal,
      clientGone: wish.clientGone ?? new AbortController().signal,
    },
  );
}

async function failureOf(wish: Wish): Promise<FailureKind> {
  const result = await run(wish);
  if (result.kind !== 'failed') throw new Error(`it is ${result.kind}`);
  return result.failure.kind;
}

/** What a caller who stays to the end gets of a stream. */
async function relayed(result: AttemptResult, idleMs = 200): Promise<Relayed & { text: string }> {
  if (result.kind !== 'streaming') throw new Error(`it is ${JSON.stringify(result)}`);
  const written: Buffer[] = [];
  const client: ClientStream = {
    gone: new AbortController().signal,
    write: (bytes) => written.push(bytes) > 0,
    end() {},
  };
  const { stream } = result;
  const ended = await relay({
    stream,
    client,
    writer: { pass: ({ raw }) => raw, end: () => Buffer.alloc(0) },
    idleMs,
    onDisconnect: 'cancel',
    onProgress() {},
  });
  return { ...ended, text: Buffer.concat(written).toString() };
}

const every = (socket: Socket, ms: number, bytes: string): void => {
  const timer = setInterval(() => socket.write(bytes), ms);
  socket.once('close', () => clearInterval(timer));
};
const whole = {
  id: 'c1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
};
const says =
  (bytes: string): Script =>
  (socket) =>
    socket.end(bytes);

describe('timers against a real server', () => {
  const soon = { firstTokenMs: 150, answerMs: 150 };
  it.each<[string, Script]>([
    ['accepts and is silent', () => {}],
    [
      'dribbles headers for ever',
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\n');
        every(socket, 20, 'x-drip: a\r\n');
      },
    ],
    ['sends headers alone', (socket) => void socket.write(head())],
    [
      'keeps alive with comments, which are no first token',
      (socket) => {
        socket.write(head());
        every(socket, 20, ': OPENROUTER PROCESSING\n\n');
      },
    ],
    [
      'sends roles and no content',
      (socket) => {
        socket.write(head());
        every(socket, 20, chunkOf({ delta: { role: 'assistant' } }));
      },
    ],
    [
      'gives early hints for ever',
      (socket) => every(socket, 20, 'HTTP/1.1 103 Early Hints\r\n\r\n'),
    ],
  ])('first token: one that %s', async (_what, does) => {
    script = does;
    expect(await failureOf({ timeouts: soon, anotherIsLeft: true })).toBe('timeout');
    // The last candidate has the total time, and no longer.
    expect(await failureOf({ timeouts: { ...soon, totalMs: 300 } })).toBe('timeout');
  });

  it('whole answer: one that dribbles its body', async () => {
    script = (socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n',
      );
      every(socket, 20, ' ');
    };
    const wish: Wish = { stream: false, timeouts: soon, anotherIsLeft: true };
    expect(await failureOf(wish)).toBe('timeout');
  });

  it('connect: one whose TLS handshake never ends was never sent the prompt', async () => {
    script = () => {
      throw new Error('it read a request');
    };
    const url = `https://127.0.0.1:${server.port}/tls/v1`;
    expect(await failureOf({ url, timeouts: { connectMs: 200 } })).toBe('not_connected');
  });

  it.each<[string, string, (socket: Socket) => void]>([
    ['nobody listens', 'http', () => {}],
    ['a reset in the middle of the TLS handshake', 'https', (socket) => socket.resetAndDestroy()],
    [
      'plain HTTP where TLS was expected',
      'https',
      (socket) => socket.end('HTTP/1.1 400 X\r\n\r\n'),
    ],
  ])('connect: %s means that nothing was sent', async (_what, scheme, does) => {
    const other = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => does(socket));
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const close = () => new Promise((resolve) => other.close(resolve));
    if (scheme === 'http') await close();
    expect(await failureOf({ url: `${scheme}://127.0.0.1:${port}/v1` })).toBe('not_connected');
    if (scheme === 'https') await close();
  });

  it('idle: a stream that stands still is broken, one that keeps alive is not', async () => {
    script = (socket) => void socket.write(head() + word('a'));
    expect((await relayed(await run())).end).toMatchObject({ kind: 'broken', timedOut: true });

    script = (socket) => {
      socket.write(head() + word('a'));
      const timer = setInterval(() => socket.write(': alive\n\n'), 50);
      // Longer than the idle time.
      setTimeout(() => {
        clearInterval(timer);
        socket.end(FINISH + DONE);
      }, 1_200);
    };
    expect((await relayed(await run(), 1_000)).end).toEqual({ kind: 'whole' });
  });

  it('total: a stream that keeps alive for ever ends all the same', async () => {
    script = (socket) => {
      socket.write(head() + word('a'));
      every(socket, 20, ': alive\n\n');
    };
    const result = await run({ timeouts: { totalMs: 400 } });
    expect((await relayed(result)).end).toMatchObject({ kind: 'broken', timedOut: true });
  });

  it('an error status counts, however its body dribbles', async () => {
    script = (socket) => {
      socket.write('HTTP/1.1 503 X\r\ncontent-length: 99999\r\n\r\n');
      every(socket, 20, 'x');
    };
    expect(await failureOf({})).toBe('server_error');
  });

  it('a caller that leaves ends a stream that has not begun', async () => {
    const gone = new AbortController();
    script = () => gone.abort();
    expect(await run({ clientGone: gone.signal })).toEqual({ kind: 'abandoned', sent: true });
  });
});

describe('an answer that is none', () => {
  const event = (json: object) => `data: ${JSON.stringify(json)}\n\n`;
  it.each<[string, string, FailureKind]>([
    [
      'an error object in the first event',
      head() + event({ error: { message: 'no' } }),
      'error_in_answer',
    ],
    ['an error event', `${head()}event: error\n${event({ message: 'no' })}`, 'error_in_answer'],
    [
      'an error behind a role',
      head() + chunkOf({ delta: { role: 'assistant' } }) + event({ error: 'no' }),
      'error_in_answer',
    ],
    ['an error in a choice', head() + chunkOf({ finish_reason: 'error' }), 'error_in_answer'],
    ['vLLM’s error', head() + event({ object: 'error', message: 'no' }), 'error_in_answer'],
    [
      'Routstr’s error',
      head() + event({ detail: { error: { message: 'no' } } }),
      'error_in_answer',
    ],
    ['an error as JSON in a 200', jsonAnswer(200, { error: { message: 'no' } }), 'error_in_answer'],
    [
      'a page',
      'HTTP/1.1 200 X\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>',
      'not_a_completion',
    ],
    ['nothing', 'HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n', 'not_a_completion'],
    ['JSON that is no completion', jsonAnswer(200, { ok: true }), 'not_a_completion'],
    ['an end mark alone', head() + DONE, 'not_a_completion'],
    ['a first event that is not JSON', `${head()}data: {"choi\n\n`, 'damaged_event'],
    ['headers and an end', head(), 'broken'],
    ['comments and an end', `${head()}: hello\n\n`, 'broken'],
    ['bytes that are no HTTP', 'hello?\r\n\r\n', 'broken'],
    [
      'a redirect',
      'HTTP/1.1 307 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n',
      'redirect',
    ],
    ['402', refusal(402), 'payment'],
    ['404', refusal(404), 'model_missing'],
  ])('%s', async (_what, bytes, kind) => {
    script = says(bytes);
    expect(await failureOf({})).toBe(kind);
  });

  it.each<[string, Script, FailureKind]>([
    ['a reset', (socket) => void socket.resetAndDestroy(), 'broken'],
    ['a hang-up', (socket) => void socket.end(), 'broken'],
    [
      'a body shorter than its length',
      says('HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\n{"choices":['),
      'broken',
    ],
    [
      'chunks without their end',
      says('HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"cho\r\n'),
      'broken',
    ],
    ['HTTP/1.0 that ends early', says('HTTP/1.0 200 X\r\n\r\n{"choices":['), 'not_a_completion'],
  ])('whole: %s', async (_what, does, kind) => {
    script = does;
    expect(await failureOf({ stream: false })).toBe(kind);
  });

  it('keeps when to come back, as seconds or as a date', async () => {
    script = says(refusal(503, 'retry-after: 7\r\n'));
    expect(await run()).toMatchObject({ failure: { kind: 'server_error', retryAfterMs: 7_000 } });
    script = says(refusal(429, `retry-after: ${new Date(Date.now() + 60_000).toUTCString()}\r\n`));
    const result = await run();
    if (result.kind !== 'failed') throw new Error(result.kind);
    expect(result.failure.retryAfterMs).toBeGreaterThan(50_000);
    expect(result.failure.retryAfterMs).toBeLessThanOrEqual(60_000);
  });
});

const HTTP10 = 'HTTP/1.0 200 X\r\ncontent-type: text/event-stream\r\n\r\n';
const sized = (body: string, bytes: number) =>
  `HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ncontent-length: ${bytes}\r\n\r\n${body}`;

describe('a stream that ends early is broken, and never whole', () => {
  const begun = word('a') + word('b');
  it.each<[string, Script]>([
    ['FIN', says(head() + begun)],
    [
      'RST',
      (socket) =>
        void socket.write(head() + begun, () => setTimeout(() => socket.resetAndDestroy(), 50)),
    ],
    ['a body shorter than its length', says(sized(begun, 9_999))],
    [
      'chunks without their end',
      says(
        `HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n${begun.length.toString(16)}\r\n${begun}\r\n`,
      ),
    ],
    ['HTTP/1.0, closed', says(HTTP10 + begun)],
    ['an event cut in half', says(`${head() + begun}data: {"choices":[{"index":0,"delta":{"cont`)],
    ['an error event', says(`${head() + begun}event: error\ndata: {"message":"no"}\n\n`)],
    [
      'an error object',
      says(`${head() + begun}data: {"error":{"message":"no"}}\n\n${FINISH}${DONE}`),
    ],
    ['a damaged event', says(`${head() + begun}data: {"cho\n\n${FINISH}${DONE}`)],
  ])('%s', async (_what, does) => {
    script = does;
    const passed = await relayed(await run());
    expect(passed.end.kind).toBe('broken');
    expect(passed.text).toBe(begun);
    script = does;
    // Held back, the same end is a failed attempt, and nothing reached anybody.
    expect((await run({ holdBackBytes: 100_000 })).kind).toBe('failed');
  });

  it.each<[string, string]>([
    ['HTTP/1.0, closed after the finish reason', HTTP10 + begun + FINISH],
    ['no end mark', head() + begun + FINISH + usageChunk(3, 2)],
    ['an end mark without its last line break', `${head() + begun + FINISH}data: [DONE]`],
    ['a last event without one', head() + begun + FINISH.trimEnd()],
  ])('%s is whole', async (_what, bytes) => {
    script = says(bytes);
    expect((await relayed(await run())).end).toEqual({ kind: 'whole' });
    const held = await relayed(await run({ holdBackBytes: 100_000 }));
    expect(held.end).toEqual({ kind: 'whole' });
    expect(held.text.startsWith(begun)).toBe(true);
  });
});

describe('a stream that is held back', () => {
  it('passes byte for byte once it is whole, usage and all', async () => {
    const events = word('a') + word('é') + FINISH;
    script = says(head() + events + usageChunk(3, 2) + DONE);
    const held = await relayed(await run({ holdBackBytes: 100_000 }));
    expect(held.text).toBe(events);
    expect(held.meter.usage).toMatchObject({ completion_tokens: 2 });
  });

  it('streams on at its bound, and then breaks like any other', async () => {
    const begun = Array.from({ length: 50 }, () => word('long')).join('');
    script = (socket) => void socket.write(head() + begun);
    const passed = await relayed(await run({ holdBackBytes: 1_000 }));
    expect(passed.end).toMatchObject({ kind: 'broken', timedOut: true });
    expect(passed.text).toBe(begun);
  });

  it('streams on when its time is over, in the middle of a silence, and loses nothing', async () => {
    script = (socket) => {
      socket.write(head() + word('a'));
      setTimeout(() => socket.end(word('b') + FINISH + DONE), 500);
    };
    const result = await run({ holdBackBytes: 100_000, holdBackMs: 50 });
    if (result.kind !== 'streaming') throw new Error(result.kind);
    expect(result.stream.first).toHaveLength(1);
    const passed = await relayed(result, 5_000);
    expect(passed.end).toEqual({ kind: 'whole' });
    expect(passed.text).toBe(word('a') + word('b') + FINISH);
  });

  it('waits a bounded time for the end mark of a finished answer', async () => {
    script = (socket) => void socket.write(head() + word('a') + FINISH);
    const held = await relayed(await run({ holdBackBytes: 100_000 }));
    expect(held.end).toEqual({ kind: 'whole' });
  });

  it('is a timeout where the provider stands still', async () => {
    script = (socket) => void socket.write(head() + word('a'));
    expect(await failureOf({ holdBackBytes: 100_000 })).toBe('timeout');
  });

  it('is given up with the caller', async () => {
    const gone = new AbortController();
    script = (socket) =>
      void socket.write(head() + word('a'), () => setTimeout(() => gone.abort(), 50));
    const result = await run({ holdBackBytes: 100_000, clientGone: gone.signal });
    expect(result).toEqual({ kind: 'abandoned', sent: true });
  });
});

describe('a whole completion where a stream was asked for', () => {
  it('is streamed: content, finish reason, usage, end', async () => {
    script = says(jsonAnswer(200, whole));
    const result = await run();
    if (result.kind !== 'streaming') throw new Error(result.kind);
    expect(result.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const passed = await relayed(result);
    expect(passed.end).toEqual({ kind: 'whole' });
    expect(passed.meter.text()).toBe('Hello.');
    expect(passed.meter.usage).toEqual(whole.usage);
    const chunks = [...passed.text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!));
    expect(chunks.map(({ object }) => object)).toEqual(Array(2).fill('chat.completion.chunk'));
    expect(chunks[0].choices[0]).toEqual({
      index: 0,
      delta: { role: 'assistant', content: 'Hello.' },
      finish_reason: null,
    });
    expect(chunks[1].choices[0]).toEqual({ index: 0, delta: {}, finish_reason: 'stop' });
  });

  it('numbers its tool calls, which only streams do', async () => {
    const call = { id: 't', type: 'function', function: { name: 'f', arguments: '{}' } };
    const message = { role: 'assistant', content: null, tool_calls: [call, call] };
    script = says(
      jsonAnswer(200, { ...whole, choices: [{ index: 0, message, finish_reason: 'tool_calls' }] }),
    );
    const { text } = await relayed(await run());
    const chunk = JSON.parse(/^data: (.*)$/m.exec(text)![1]!);
    expect(chunk.choices[0].delta.tool_calls).toEqual([
      { index: 0, ...call },
      { index: 1, ...call },
    ]);
  });
});

describe('a provider that does not know a parameter', () => {
  const unknown = (param: string, status = 400): string =>
    refusal(status, '', {
      message: `Unsupported parameter: '${param}' is not supported with this model.`,
      code: 'unsupported_parameter',
      param,
    });
  /** Refuses what the body holds of these, one at a time. */
  const refuses =
    (...params: string[]): Script =>
    (socket, { body }) => {
      const param = params.find((name) => body.includes(`"${name}"`));
      socket.end(param === undefined ? head() + word('a') + FINISH + DONE : unknown(param));
    };
  const bodies = (from: number) =>
    server
      .callsOf('alpha')
      .slice(from)
      .map(({ body }) => JSON.parse(body));

  it.each(['max_tokens', 'max_completion_tokens'] as const)(
    'gets the caller’s %s under its other name, once',
    async (key) => {
      const other = key === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
      const from = server.callsOf('alpha').length;
      script = refuses(key);
      expect((await run({ body: { [key]: 7 } })).kind).toBe('streaming');
      expect(bodies(from)[1]).toMatchObject({ [other]: 7 });
      expect(bodies(from)[1]).not.toHaveProperty(key);
      expect(bodies(from)).toHaveLength(2);
    },
  );

  it('gets core’s own bound under the other name', async () => {
    const from = server.callsOf('alpha').length;
    script = refuses('max_tokens');
    expect((await run({ sendBoundAs: 'max_tokens' })).kind).toBe('streaming');
    expect(bodies(from)[1]).toMatchObject({ max_completion_tokens: 100 });
    expect(bodies(from)[1]).not.toHaveProperty('max_tokens');
  });

  it('gets none under a name that its endpoint does not have', async () => {
    const from = server.callsOf('alpha').length;
    script = refuses('max_tokens');
    const wish = { sendBoundAs: 'max_tokens', dialect: COMPLETIONS } as const;
    expect((await run(wish)).kind).toBe('request_refused');
    expect(bodies(from)).toHaveLength(1);
  });

  it('may be both', async () => {
    const from = server.callsOf('alpha').length;
    script = refuses('stream_options', 'max_tokens');
    expect((await run({ body: { max_tokens: 7 } })).kind).toBe('streaming');
    expect(bodies(from)).toHaveLength(3);
    expect(bodies(from)[2]).not.toHaveProperty('stream_options');
    expect(bodies(from)[2]).toMatchObject({ max_completion_tokens: 7 });
  });

  it('and knows neither name, says so to the caller', async () => {
    const from = server.callsOf('alpha').length;
    script = refuses('max_tokens', 'max_completion_tokens');
    expect((await run({ body: { max_tokens: 7 } })).kind).toBe('request_refused');
    expect(bodies(from)).toHaveLength(2);
  });

  it.each([
    [
      'a value that is too large',
      { max_tokens: 7 },
      {
        message: 'max_tokens is too large: 7. This model supports at most 5.',
        param: 'max_tokens',
      },
    ],
    [
      'both names given',
      { max_tokens: 7, max_completion_tokens: 7 },
      { message: "Unsupported parameter: 'max_tokens'" },
    ],
    [
      'another parameter',
      { max_tokens: 7 },
      { message: "Unsupported parameter: 'logit_bias'", param: 'logit_bias' },
    ],
  ])('is not asked again for %s', async (_what, body, error) => {
    const from = server.callsOf('alpha').length;
    script = says(refusal(400, '', error));
    expect((await run({ body })).kind).toBe('request_refused');
    expect(bodies(from)).toHaveLength(1);
  });
});

it.each([true, false])(
  'takes a list with a completion in it for none, streamed: %s',
  async (stream) => {
    script = says(jsonAnswer(200, [whole]));
    expect(await failureOf({ stream })).toBe('not_a_completion');
  },
);
