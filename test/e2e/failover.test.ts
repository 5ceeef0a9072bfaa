/**
 * The sixteen scenarios of failoverbench, at the socket: what a caller gets when the cheapest
 * provider fails in the middle of things and a second one is well. Each with streams as they come,
 * and with `rescue = "buffer"`. Billed once, to the msat, in either case.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  chunkOf,
  DONE,
  type FaultyUpstream,
  FINISH,
  head,
  refusal,
  type Script,
  startFaultyUpstream,
  usageChunk,
  word,
} from '../support/faulty-upstream.ts';
import { until } from '../support/process.ts';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

const WORDS = Array.from({ length: 60 }, (_, nth) => `${nth === 0 ? '' : ' '}first${nth}`);
const FIRST = WORDS.join('');
const SECOND = Array.from({ length: 60 }, (_, nth) => `second${nth}`).join(' ');

const words = (from: number, to: number): string => WORDS.slice(from, to).map(word).join('');
const role = chunkOf({ delta: { role: 'assistant', content: '' } });
const wholeStream = head() + role + words(0, 60) + FINISH + usageChunk(20, 150) + DONE;
const answersWhole: Script = (socket) => socket.end(wholeStream);
const once =
  (fault: Script): Script =>
  (socket, request) =>
    (request.nth === 1 ? fault : answersWhole)(socket, request);

let isOutage = true;

const SCENARIOS = {
  s01: once((socket) => socket.end(refusal(429, 'retry-after: 2\r\n'))),
  's01-again': once((socket) => socket.end(refusal(429, 'retry-after: 1\r\n'))),
  s02: (socket) => socket.end(refusal(429)),
  s03: once((socket) => socket.end(refusal(500))),
  s04: (socket) => socket.end(refusal(503)),
  s05: once((socket) => socket.resetAndDestroy()),
  // Accepts, and never answers.
  s06() {},
  // Headers at once, and no token.
  s07: (socket) => socket.write(head()),
  s08: (socket) => socket.write(head() + role + words(0, 40), () => socket.resetAndDestroy()),
  s09: (socket) => socket.write(head() + role + words(0, 20)),
  s10: (socket) =>
    socket.end(
      `${head()}${role}${words(0, 9)}data: {"choices":[{"delta":{"content":\n\n${words(9, 60)}${FINISH}${DONE}`,
    ),
  s11: (socket) => socket.end(head() + role + words(0, 60) + FINISH + usageChunk(20, 150)),
  s12: (socket) => socket.end(refusal(400, '', { code: 'context_length_exceeded' })),
  s13: (socket) => socket.end(refusal(400, '', { code: 'content_policy_violation' })),
  s14: (socket) => socket.end(head() + role + words(0, 40)),
  s15: (socket, request) => (isOutage ? socket.end(refusal(503)) : answersWhole(socket, request)),
  s16: (socket) => socket.end(refusal(503)),
} satisfies Record<string, Script>;

type Name = keyof typeof SCENARIOS;
const NAMES = Object.keys(SCENARIOS) as Name[];
const TIMEOUTS =
  'timeouts = { connect_ms = 1000, first_token_ms = 1000, answer_ms = 2000, idle_ms = 1000, total_ms = 20000 }\n';

async function startFailover(rescue: 'off' | 'buffer') {
  const upstream = await startFaultyUpstream(SCENARIOS);
  const stack = await startStack({
    providers: [
      ...NAMES.map((name) => ({
        name,
        url: upstream.urlOf(name),
        models: [name],
        toml: `${TIMEOUTS}[providers.model_info."${name}"]\ncontext_window = 10000\n`,
      })),
      {
        name: 'well',
        rate: 16_000,
        models: NAMES,
        mock: {
          keepCalls: 1_000,
          answer: SECOND,
          // S14: one that takes no answer that has begun already.
          script: ({ json }) =>
            (json as { messages: { role: string }[] }).messages.at(-1)?.role === 'user'
              ? undefined
              : { faults: [{ kind: 'status', status: 400, retryAfterSecs: null, body: null }] },
        },
        toml: NAMES.map(
          (name) => `[providers.model_info."${name}"]\ncontext_window = 100000\n`,
        ).join(''),
      },
    ],
    toml: `[breaker]\nfailures = 3\nopen_secs = 0.5\n[retry]\nrescue = "${rescue}"\nbackoff_ms = 20\n`,
  });
  return { upstream, stack, agent: await stack.agent() };
}

interface Heard {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly isDone: boolean;
  readonly error: { code: string; message: string } | null;
  readonly costMsat: number;
  readonly model: string;
  readonly tookMs: number;
}

async function ask(stack: Stack, agent: Agent, model: string): Promise<Heard> {
  const beganMs = Date.now();
  const answer = await fetch(`${stack.core.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      stream: true,
      max_tokens: 500,
      messages: [{ role: 'user', content: 'Count to sixty, please.' }],
    }),
  });
  const body = await answer.text();
  const events = body.split('\n\n').flatMap((event) => {
    const data = /^data: (.*)$/m.exec(event)?.[1];
    return data === undefined || data === '[DONE]' ? [] : [JSON.parse(data)];
  });
  const bill = /^: arbstr (.*)$/m.exec(body)?.[1];
  const error = answer.ok
    ? events.find((event) => 'error' in event)?.error
    : JSON.parse(body).error;
  return {
    status: answer.status,
    headers: answer.headers,
    text: events.map((event) => event.choices?.[0]?.delta?.content ?? '').join(''),
    isDone: body.endsWith(DONE),
    error: error ?? null,
    costMsat: bill === undefined ? 0 : JSON.parse(bill).cost_msats,
    model: bill === undefined ? '' : JSON.parse(bill).model,
    tookMs: Date.now() - beganMs,
  };
}

describe.each(['off', 'buffer'] as const)('with rescue = "%s"', (rescue) => {
  let upstream: FaultyUpstream;
  let stack: Stack;
  let agent: Agent;
  beforeAll(async () => {
    isOutage = true;
    ({ upstream, stack, agent } = await startFailover(rescue));
  });
  afterAll(async () => {
    await stack.stop();
    await upstream.close();
  });

  /** Asks, and holds the bill against the agent's account. */
  async function billed(name: Name): Promise<Heard> {
    const before = await settled(stack, agent);
    const heard = await ask(stack, agent, name);
    expect(await settled(stack, agent)).toBe(before - heard.costMsat);
    return heard;
  }

  function expectWhole(heard: Heard, text: string, provider: string): void {
    expect(heard).toMatchObject({ status: 200, text, isDone: true, error: null });
    expect(heard.headers.get('x-arbstr-provider')).toBe(provider);
    expect(heard.costMsat).toBeGreaterThan(0);
  }

  const wellCalls = () => stack.providers.well!.callCount;

  it.each<[Name, string, string | null]>([
    ['s01', 'a 429 with Retry-After', '1/s01'],
    ['s02', 'a 429 for ever', '1/s02'],
    ['s03', 'one 500', '1/s03'],
    ['s04', 'a 503 for ever', '1/s04'],
    ['s05', 'a reset before the headers', '1/s05'],
    ['s06', 'no answer at all', '1/s06'],
    ['s07', 'headers and no token', '1/s07'],
    ['s12', 'a prompt that is too long for the first', '1/s12'],
    ['s16', 'a 503 for ever, told by the answer’s own usage', '1/s16'],
  ])('%s: %s is answered whole by the second', async (name, _what, retries) => {
    const heard = await billed(name);
    expectWhole(heard, SECOND, 'well');
    expect(heard.headers.get('x-arbstr-retries')).toBe(retries);
    expect(heard.model).toBe(name);
    // Bounded, and none of them is asked twice while somebody else is well.
    expect(heard.tookMs).toBeLessThan(15_000);
    expect(upstream.callsOf(name)).toHaveLength(1);
  });

  it('s01: leaves the provider alone for as long as it asked', async () => {
    expectWhole(await billed('s01-again'), SECOND, 'well');
    await until(async () => (await billed('s01-again')).text === FIRST);
    const [first, second] = upstream.callsOf('s01-again');
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(990);
  });

  it('s11: a whole stream without an end mark gets one, and its bill', async () => {
    const heard = await billed('s11');
    expectWhole(heard, FIRST, 's11');
    expect(heard.costMsat).toBe((20 + 150) * 8);
  });

  it('s13: what the request itself does wrong is tried once, and said', async () => {
    const before = wellCalls();
    const heard = await billed('s13');
    expect(heard.status).toBe(400);
    expect(heard.error).toMatchObject({ code: 'content_policy_violation' });
    expect(heard.headers.get('x-should-retry')).toBe('false');
    expect(upstream.callsOf('s13')).toHaveLength(1);
    expect(wellCalls()).toBe(before);
  });

  it('s15: an outage costs nobody an answer, and ends soon after it is over', async () => {
    for (let i = 0; i < 8; i++) expectWhole(await billed('s15'), SECOND, 'well');
    const health = (await (await fetch(`${stack.core.url}/health`)).json()) as {
      providers: Record<string, { state: string }>;
    };
    // It has opened; on a slow machine its next probe may be due already.
    expect(['open', 'half_open']).toContain(health.providers.s15!.state);
    isOutage = false;
    await until(async () => (await billed('s15')).text === FIRST, 10_000);
  });

  const BROKEN: readonly [Name, number, string, string][] = [
    ['s08', 40, 'provider_error', 'a stream that dies after 40 of 60 tokens'],
    ['s09', 20, 'provider_timeout', 'a stream that stands still after 20 tokens'],
    ['s10', 9, 'provider_error', 'a tenth event that is not JSON'],
    ['s14', 40, 'provider_error', 'a cut, before a second that takes no begun answer'],
  ];

  it.each(BROKEN)('%s: after %i words, %s: %s', async (name, count, code) => {
    const heard = await billed(name);
    expect(heard.tookMs).toBeLessThan(15_000);
    expect(upstream.callsOf(name)).toHaveLength(1);
    if (rescue === 'buffer') {
      expectWhole(heard, SECOND, 'well');
      expect(heard.headers.get('x-arbstr-retries')).toBe(`1/${name}`);
      return;
    }
    // What came is whole words, the error is explicit, and there is no end mark.
    expect(heard).toMatchObject({ status: 200, isDone: false, error: { code } });
    expect(heard.text).toBe(WORDS.slice(0, count).join(''));
    expect(heard.costMsat).toBeGreaterThan(0);
  });

  it('leaves the books whole', async () => {
    expect(await stack.verify()).toMatchObject({ code: 0 });
  });
});
