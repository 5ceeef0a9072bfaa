/** What core does where no second provider is left: waits, asks again within bounds, and says so. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
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
} from '../support/faulty-upstream.ts';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

const answers: Script = (socket) =>
  socket.end(head() + word('Well.') + FINISH + usageChunk(10, 5) + DONE);
const after =
  (failures: number, fault: Script): Script =>
  (socket, request) =>
    (request.nth <= failures ? fault : answers)(socket, request);
const refuses =
  (status: number, headers = '', error: object = {}): Script =>
  (socket) =>
    socket.end(refusal(status, headers, error));

const SCRIPTS = {
  'fails-twice': after(2, refuses(500)),
  'fails-always': refuses(503),
  'limited-once': after(1, refuses(429, 'retry-after: 1\r\n')),
  'limited-long': refuses(429, 'retry-after: 90\r\n'),
  'limited-too': refuses(429, 'retry-after: 50\r\n'),
  'no-key': refuses(401),
  'no-model': refuses(404, '', { code: 'model_not_found' }),
  breaks: (socket) => socket.end(),
  'json-only': (socket) =>
    socket.end(
      jsonAnswer(200, {
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [
          { index: 0, message: { role: 'assistant', content: 'Well.' }, finish_reason: 'stop' },
        ],
        usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
      }),
    ),
} satisfies Record<string, Script>;
type Name = keyof typeof SCRIPTS;

let upstream: FaultyUpstream;
let stack: Stack;
let agent: Agent;

beforeAll(async () => {
  upstream = await startFaultyUpstream(SCRIPTS);
  const seller = (name: Name, models: string[] = [name], rate = 8000) => ({
    name,
    url: upstream.urlOf(name),
    models,
    rate,
  });
  stack = await startStack({
    providers: [
      seller('fails-twice'),
      seller('fails-always'),
      seller('limited-once'),
      seller('limited-long', ['limited']),
      seller('limited-too', ['limited'], 9000),
      seller('no-key'),
      seller('no-model', ['no-model', 'other-model']),
      seller('breaks'),
      seller('json-only'),
    ],
    toml: '[breaker]\nfailures = 2\nopen_secs = 30\n[retry]\nbackoff_ms = 20\nbackoff_max_ms = 2000\n',
  });
  agent = await stack.agent();
});
afterAll(async () => {
  await stack.stop();
  await upstream.close();
});

async function ask(model: string) {
  const answer = await fetch(`${stack.core.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${agent.token}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      model,
      stream: true,
      messages: [{ role: 'user', content: 'How are you?' }],
    }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    text,
    error: answer.ok ? null : JSON.parse(text).error,
    header: (name: string) => answer.headers.get(name),
  };
}

interface ProviderHealth {
  readonly state: string;
  readonly paused_secs: number;
  readonly models: Record<string, string>;
}
async function health(name: Name): Promise<ProviderHealth> {
  const answer = await fetch(`${stack.core.url}/health`);
  return ((await answer.json()) as { providers: Record<string, ProviderHealth> }).providers[name]!;
}

describe('one provider that fails in passing', () => {
  it('is asked again, and its answer names the attempts that failed', async () => {
    const before = await settled(stack, agent);
    const answer = await ask('fails-twice');
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.text).toContain('Well.');
    expect(answer.header('x-arbstr-retries')).toBe('2/fails-twice');
    // One request alone opens no breaker, though it has failed as often as opens one.
    expect(await health('fails-twice')).toMatchObject({ state: 'closed' });
    expect(await settled(stack, agent)).toBe(before - 15 * 8);
  });

  it('is asked max_attempts times, and not once more', async () => {
    const before = await settled(stack, agent);
    const answer = await ask('fails-always');
    expect(answer.error).toMatchObject({ code: 'provider_error' });
    expect(answer.status).toBe(502);
    expect(answer.header('x-should-retry')).toBe('false');
    expect(answer.header('x-arbstr-retries')).toBe('4/fails-always');
    expect(upstream.callsOf('fails-always')).toHaveLength(4);
    expect(await settled(stack, agent)).toBe(before);
    expect((await health('fails-always')).state).toBe('closed');
    // The second request's failure is the second one that counts.
    await ask('fails-always');
    expect((await health('fails-always')).state).toBe('open');
  });

  it('is waited for where it says for how long', async () => {
    const answer = await ask('limited-once');
    expect(answer.status).toBe(200);
    expect(answer.header('x-arbstr-retries')).toBe('1/limited-once');
    const [first, second] = upstream.callsOf('limited-once');
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(1_000);
  });
});

describe('failures that stay', () => {
  it('429 of everybody is 429, with the shortest of their waits', async () => {
    const answer = await ask('limited');
    expect(answer.status).toBe(429);
    expect(answer.error).toMatchObject({ code: 'rate_limited', type: 'rate_limit_error' });
    expect(answer.header('retry-after')).toBe('50');
    expect(answer.header('x-should-retry')).toBe('true');
    expect(answer.header('x-arbstr-retries')).toBe('1/limited-long, 1/limited-too');
    // Both are left alone until then: the next request reaches neither.
    const next = await ask('limited');
    expect(next.status).toBe(503);
    expect(Number(next.header('retry-after'))).toBeGreaterThan(20);
    expect(upstream.callsOf('limited-long')).toHaveLength(1);
  });

  it('a refused key is tried once per request, and rests for longer', async () => {
    for (let i = 0; i < 2; i++) expect((await ask('no-key')).status).toBe(502);
    expect(upstream.callsOf('no-key')).toHaveLength(2);
    const refused = await ask('no-key');
    expect(refused.error).toMatchObject({ code: 'no_healthy_provider' });
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(200);
  });

  it('a model that is missing rests alone', async () => {
    for (let i = 0; i < 2; i++) expect((await ask('no-model')).status).toBe(502);
    expect(await health('no-model')).toMatchObject({
      state: 'closed',
      models: { 'no-model': 'open' },
    });
    expect((await ask('no-model')).error).toMatchObject({ code: 'no_healthy_provider' });
    expect(upstream.callsOf('no-model')).toHaveLength(2);
    // The other model of the same provider is asked all the same (and is missing, too).
    expect((await ask('other-model')).status).toBe(502);
    expect(upstream.callsOf('no-model')).toHaveLength(3);
  });

  it('what the provider may charge for is not sent twice, costs nothing, and is logged as lost', async () => {
    const before = await settled(stack, agent);
    const answer = await ask('breaks');
    expect(answer.status).toBe(502);
    expect(upstream.callsOf('breaks')).toHaveLength(1);
    expect(await settled(stack, agent)).toBe(before);
    const row = await fetch(
      `${stack.core.url}/v1/requests/${answer.header('x-arbstr-request-id')}`,
      { headers: { authorization: `Bearer ${agent.token}` } },
    );
    const { cost } = (await row.json()) as { cost: { msats: number | null; lost_msats: number } };
    expect(cost.msats).toBeNull();
    expect(cost.lost_msats).toBeGreaterThan(0);
  });
});

it('a provider that answers a stream with JSON is streamed and billed', async () => {
  const before = await settled(stack, agent);
  const answer = await ask('json-only');
  expect(answer.header('content-type')).toContain('text/event-stream');
  expect(answer.text).toContain('"content":"Well."');
  expect(answer.text.endsWith(DONE)).toBe(true);
  expect(await settled(stack, agent)).toBe(before - 15 * 8);
});
