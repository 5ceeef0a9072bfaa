/** The official Node SDK against a billed core: it must not notice that it is not talking to OpenAI. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import { until } from '../support/process.ts';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

let stack: Stack;
let agent: Agent;
let client: OpenAI;
/** What the one provider does next. */
let behave: (call: MockCall) => Partial<MockBehaviour>;

beforeAll(async () => {
  stack = await startStack({
    providers: [{ name: 'alpha', mock: { script: (call) => behave(call) } }],
    // One provider, told to fail in every way: none of it may keep the next test from it.
    toml: '[breaker]\nfailures = 1000\n[retry]\nbackoff_ms = 0\nretry_after_max_secs = 0\n',
  });
  agent = await stack.agent();
  client = new OpenAI({ baseURL: `${stack.core.url}/v1`, apiKey: agent.token, maxRetries: 0 });
});
afterAll(() => stack.stop());

const ask = {
  model: 'gpt-4o',
  messages: [{ role: 'user' as const, content: 'Say hello to the world.' }],
};
const plain = () => {
  behave = () => ({ answer: 'Hello, world.' });
};
const lastCall = () => stack.providers.alpha!.calls.at(-1)!;
const sentBody = () => lastCall().json as Record<string, unknown>;

describe('answers', () => {
  it('gives a whole answer, its bill, and the provider only what it may see', async () => {
    plain();
    const before = await settled(stack, agent);
    const { data, response, request_id } = await client.chat.completions.create(ask).withResponse();
    expect(data.choices[0]!.message.content).toBe('Hello, world.');
    expect(request_id).toBe(response.headers.get('x-arbstr-request-id'));
    const usage = data.usage!;
    const cost = (usage.prompt_tokens + usage.completion_tokens) * 8;
    expect(response.headers.get('x-arbstr-cost-sats')).toBe(String(cost / 1000));
    expect(response.headers.get('x-arbstr-provider')).toBe('alpha');
    expect(response.headers.get('x-arbstr-max-tokens')).toBe('4096');
    expect(await settled(stack, agent)).toBe(before - cost);
    const { headers } = lastCall();
    expect(headers.authorization).toBe('Bearer sk-upstream-alpha');
    expect(headers['x-request-id']).toBe(request_id);
    expect(JSON.stringify(headers)).not.toContain(agent.token);
    expect(Object.keys(headers).filter((name) => name.startsWith('x-stainless'))).toEqual([]);
  });

  it('streams, and adds nothing that the caller did not ask for', async () => {
    plain();
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(
      'Hello, world.',
    );
    expect(chunks.every((chunk) => chunk.choices.length === 1)).toBe(true);
    expect(sentBody()).toMatchObject({ stream_options: { include_usage: true }, max_tokens: 4096 });
  });

  it('gives the usage chunk with the bill in it to a caller that asks', async () => {
    plain();
    const stream = await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: (OpenAI.ChatCompletionChunk & { arbstr?: { cost_msats: number } })[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.at(-1)!;
    expect(last.choices).toEqual([]);
    expect(last.arbstr!.cost_msats).toBe(last.usage!.total_tokens * 8);
  });

  it('bills a caller that declines usage all the same', async () => {
    plain();
    const before = await settled(stack, agent);
    const stream = await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: false },
    });
    for await (const chunk of stream) expect(chunk.choices).toHaveLength(1);
    expect(sentBody()).toMatchObject({ stream_options: { include_usage: true } });
    expect(await settled(stack, agent)).toBeLessThan(before);
  });

  it.each([true, false])(
    'runs a tool loop with parallel calls and content: null (stream: %s)',
    async (stream) => {
      behave = ({ json }) =>
        (json as { messages: { role: string }[] }).messages.some(({ role }) => role === 'tool')
          ? { answer: 'Both are sunny.' }
          : {
              toolCalls: [
                { name: 'weather', arguments: '{"city":"Oslo"}' },
                { name: 'weather', arguments: '{"city":"Rome"}' },
              ],
            };
      const tools = [
        {
          type: 'function' as const,
          function: {
            name: 'weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
          },
        },
      ];
      const messages: OpenAI.ChatCompletionMessageParam[] = [...ask.messages];
      const turn = async () =>
        stream
          ? await client.chat.completions
              .stream({ model: 'gpt-4o', messages, tools })
              .finalMessage()
          : (await client.chat.completions.create({ model: 'gpt-4o', messages, tools })).choices[0]!
              .message;
      const first = await turn();
      expect(first.content).toBeNull();
      const calls = first.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[];
      expect(calls.map((call) => call.function.arguments)).toEqual([
        '{"city":"Oslo"}',
        '{"city":"Rome"}',
      ]);
      messages.push(
        first,
        ...calls.map((call) => ({
          role: 'tool' as const,
          tool_call_id: call.id,
          content: 'sunny',
        })),
      );
      expect((await turn()).content).toBe('Both are sunny.');
      expect((sentBody().messages as { content: unknown }[])[1]!.content).toBeNull();
    },
  );

  it('gives n choices, JSON mode and images, and counts no image as text', async () => {
    behave = () => ({ answer: '{"ok":true}' });
    const image = `data:image/png;base64,${'A'.repeat(4_000_000)}`;
    const { data, response } = await client.chat.completions
      .create({
        model: 'gpt-4o',
        n: 3,
        response_format: { type: 'json_object' },
        max_tokens: 50,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'JSON please: what is this?' },
              { type: 'image_url', image_url: { url: image } },
            ],
          },
        ],
      })
      .withResponse();
    expect(data.choices.map(({ message }) => JSON.parse(message.content!))).toEqual(
      Array(3).fill({ ok: true }),
    );
    expect(response.headers.get('x-arbstr-max-tokens')).toBeNull();
    const record = await fetch(
      `${stack.core.url}/v1/requests/${response.headers.get('x-request-id')}`,
      { headers: { authorization: `Bearer ${agent.token}` } },
    );
    const body = (await record.json()) as { cost: { held_msats: number } };
    expect(body, JSON.stringify(body)).toHaveProperty('cost.held_msats');
    // (2 × (image + a little text) + margin) + 3 × 50 tokens at 8 msat; as text it would be 16 million.
    expect(body.cost.held_msats).toBeLessThan(40_000);
  });

  it('forwards unknown fields in both directions, byte for byte', async () => {
    const answer =
      '{"id":"x","object":"chat.completion","created":1,"model":"gpt-4o","big":12345678901234567890,"float":1.0,"choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":1,"total_tokens":10}}';
    behave = () => ({
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': 'application/json' } },
        { do: 'write', data: answer },
      ],
    });
    const body =
      '{ "model":"gpt-4o", "seed":12345678901234567890, "temperature":1.0,"x_new":{"a":[1.0]},\n"max_tokens":5,"messages":[{"role":"user","content":"\\u0068i"}]}';
    const response = await fetch(`${stack.core.url}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' },
      body,
    });
    expect(await response.text()).toBe(answer);
    expect(lastCall().body.toString()).toBe(body);
  });
});

describe('errors that the SDK maps from status', () => {
  it.each([
    ['a wrong token', { apiKey: 'vtk_wrong' }, ask, OpenAI.AuthenticationError, 'invalid_api_key'],
    [
      'an unknown model',
      {},
      { ...ask, model: 'nobody-has-this' },
      OpenAI.NotFoundError,
      'model_not_found',
    ],
    ['no messages', {}, { ...ask, messages: [] }, OpenAI.BadRequestError, 'invalid_request'],
    [
      'a refused parameter',
      {},
      { ...ask, service_tier: 'priority' as const },
      OpenAI.BadRequestError,
      'unsupported_parameter',
    ],
  ])('%s', async (_what, options, body, type, code) => {
    plain();
    const before = stack.providers.alpha!.callCount;
    const failing = client.withOptions(options).chat.completions.create(body);
    await expect(failing).rejects.toThrow(type);
    const error = (await failing.catch((error) => error)) as InstanceType<typeof OpenAI.APIError>;
    expect(error.code).toBe(code);
    expect(error.requestID).toBeTruthy();
    expect(error.headers!.get('x-should-retry')).toBe('false');
    expect(stack.providers.alpha!.callCount).toBe(before);
  });

  it('402 with the amounts inside the error, and nothing dispatched', async () => {
    plain();
    const poor = await stack.agent({ fundMsat: 100 });
    const before = stack.providers.alpha!.callCount;
    const error = await client
      .withOptions({ apiKey: poor.token })
      .chat.completions.create(ask)
      .catch((error) => error);
    expect(error.status).toBe(402);
    expect(error.error).toMatchObject({
      code: 'insufficient_balance',
      type: 'insufficient_quota',
      available_msats: 100,
    });
    expect(error.error.required_msats).toBeGreaterThan(100);
    expect(stack.providers.alpha!.callCount).toBe(before);
  });

  it.each([
    ['no policy', null, 'no_policy'],
    ['a small transaction limit', { max_transaction_msat: 10 }, 'max_transaction_msat'],
    ['a small daily limit', { daily_limit_msat: 10 }, 'daily_limit_msat'],
  ])('403 with the rule: %s', async (_what, policy, rule) => {
    plain();
    const limited = await stack.agent({ policy });
    const failing = client.withOptions({ apiKey: limited.token }).chat.completions.create(ask);
    await expect(failing).rejects.toThrow(OpenAI.PermissionDeniedError);
    const error = await failing.catch((error) => error);
    expect(error.error).toMatchObject({ code: 'policy_denied', rule });
  });

  it('403 over a limit asks the operator, and passes once they agree', async () => {
    plain();
    const limited = await stack.agent({
      policy: { max_transaction_msat: 10, approval_timeout_ms: 60_000 },
    });
    const chat = client.withOptions({ apiKey: limited.token }).chat.completions;
    const error = await chat.create(ask).catch((error) => error);
    expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
    expect(error.error).toMatchObject({
      code: 'approval_required',
      rule: 'max_transaction_msat',
      approval_id: expect.stringMatching(/^apr_/),
      expires_at: expect.any(Number),
    });
    expect(error.headers.get('x-should-retry')).toBe('false');
    await stack.asOperator('POST', `/operator/approvals/${error.error.approval_id}/approve`, {});
    const answer = await chat.create(ask);
    expect(answer.choices[0]!.message.content).toBe('Hello, world.');
    await settled(stack, limited);
    const again = await chat.create(ask).catch((error) => error);
    expect(again.error.code).toBe('approval_required');
    expect(again.error.approval_id).not.toBe(error.error.approval_id);
  });

  it('403 for what the token’s scopes do not cover, and what they cover works', async () => {
    plain();
    const { id } = await stack.agent();
    const token = async (scope: string): Promise<string> => {
      const body = { scopes: [scope], overlap_secs: null };
      const made = await stack.asOperator('POST', `/agents/${id}/tokens`, body);
      return (made as unknown as { token: string }).token;
    };
    const [spend, read] = [await token('spend'), await token('read')];
    const before = stack.providers.alpha!.callCount;
    const error = await client
      .withOptions({ apiKey: read })
      .chat.completions.create(ask)
      .catch((error) => error);
    expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
    expect(error.error).toMatchObject({ code: 'insufficient_scope', required_scope: 'spend' });
    expect(stack.providers.alpha!.callCount).toBe(before);
    await client.withOptions({ apiKey: spend }).chat.completions.create(ask);
    const list = async (apiKey: string) => {
      const headers = { authorization: `Bearer ${apiKey}` };
      return (await fetch(`${stack.core.url}/v1/requests`, { headers })).status;
    };
    expect([await list(spend), await list(read)]).toEqual([403, 200]);
    await client.withOptions({ apiKey: spend }).models.list();
  });

  it.each([
    [400, OpenAI.BadRequestError, 400],
    [413, OpenAI.APIError, 413],
    [422, OpenAI.UnprocessableEntityError, 422],
    [401, OpenAI.InternalServerError, 502],
    [429, OpenAI.RateLimitError, 429],
    [500, OpenAI.InternalServerError, 502],
  ])('an upstream %i, which costs nothing', async (status, type, seen) => {
    const before = await settled(stack, agent);
    behave = () => ({ faults: [{ kind: 'status', status, retryAfterSecs: 7, body: null }] });
    const failing = client.chat.completions.create(ask);
    await expect(failing).rejects.toThrow(type);
    const error = await failing.catch((error) => error);
    expect(error.status).toBe(seen);
    expect(typeof error.error.message).toBe('string');
    if (status === 429) expect(error.headers.get('retry-after')).toBe('7');
    expect(await settled(stack, agent)).toBe(before);
  });

  it('a stream that dies: the delivered part is billed, and the SDK throws', async () => {
    const before = await settled(stack, agent);
    behave = () => ({ faults: [{ kind: 'die_mid_stream', afterChunks: 4 }] });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    let text = '';
    await expect(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    }).rejects.toThrow(/broke/);
    expect(text).not.toBe('');
    const cost = before - (await settled(stack, agent));
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThan(40 * 8);
  });
});

describe('T61: callers that leave', () => {
  it('cancels the upstream of an aborted stream at once and bills what was delivered', async () => {
    const before = await settled(stack, agent);
    behave = () => ({ answer: 'word '.repeat(500), chunkDelayMs: 5 });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    let chunks = 0;
    for await (const _chunk of stream) if (++chunks === 20) stream.controller.abort();
    expect(await lastCall().ended).toBe('client_gone');
    const cost = before - (await settled(stack, agent));
    expect(cost).toBeGreaterThanOrEqual(20 * 8);
    expect(cost).toBeLessThan(150 * 8);
  });

  it('reads an aborted whole answer to its end and bills it exactly', async () => {
    const before = await settled(stack, agent);
    behave = () => ({ answer: 'Hello, world.', latencyMs: 400 });
    const controller = new AbortController();
    const sent = client.chat.completions
      .create(ask, { signal: controller.signal })
      .catch((error) => error);
    await until(() => lastCall().state === 'running');
    controller.abort();
    expect(await sent).toBeInstanceOf(OpenAI.APIUserAbortError);
    expect(await lastCall().ended).toBe('answered');
    const cost = before - (await settled(stack, agent));
    expect(cost).toBeGreaterThan(0);
  });

  it('bills nothing and asks nobody else where a provider had refused before the caller left', async () => {
    const before = await settled(stack, agent);
    behave = () => ({
      steps: [
        { do: 'head', status: 429, headers: { 'content-type': 'application/json' } },
        { do: 'write', data: '{"err' },
        { do: 'stall' },
      ],
    });
    const calls = stack.providers.alpha!.callCount;
    const sent = client.chat.completions.create({ ...ask, stream: true }, { timeout: 300 });
    await expect(sent).rejects.toThrow(OpenAI.APIConnectionTimeoutError);
    expect(await lastCall().ended).toBe('client_gone');
    expect(await settled(stack, agent)).toBe(before);
    expect(stack.providers.alpha!.callCount).toBe(calls + 1);
  });

  it('bills the prompt where the caller of a stream leaves before the first byte', async () => {
    const before = await settled(stack, agent);
    behave = () => ({ faults: [{ kind: 'hang_after_headers' }] });
    const calls = stack.providers.alpha!.callCount;
    const sent = client.chat.completions
      .create({ ...ask, stream: true }, { timeout: 300 })
      .catch((error) => error);
    await until(() => stack.providers.alpha!.callCount > calls);
    expect(await sent).toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
    expect(await lastCall().ended).toBe('client_gone');
    const cost = before - (await settled(stack, agent));
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThan(40 * 8);
  });
});
