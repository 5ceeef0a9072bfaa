/** Responses, completions and embeddings by the official Node SDK, over a billed core. */
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MockBehaviour } from '../../packages/core/src/upstream/mock/behaviour.ts';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

let stack: Stack;
let agent: Agent;
let client: OpenAI;
/** What each provider does. */
let behave: Record<string, Partial<MockBehaviour>>;

const NAMES = ['chatty', 'native', 'words', 'vectors', 'first', 'second'] as const;
const SETUPS = {
  chatty: { models: ['gpt-4o'], rate: 8000, toml: '' },
  native: { models: ['gpt-4.1'], rate: 8000, toml: 'endpoints = ["responses"]' },
  words: { models: ['davinci-002'], rate: 8000, toml: 'endpoints = ["completions"]' },
  vectors: { models: ['ada'], rate: 1000, toml: 'endpoints = ["embeddings"]' },
  // The cheaper one has the endpoint itself.
  first: { models: ['both'], rate: 8000, toml: 'endpoints = ["responses"]' },
  second: { models: ['both'], rate: 9000, toml: '' },
};

beforeAll(async () => {
  stack = await startStack({
    providers: NAMES.map((name) => ({
      name,
      ...SETUPS[name],
      mock: { script: () => ({ answer: 'Wide, and never still.', ...behave[name] }) },
    })),
    toml: `[breaker]
failures = 1000
[retry]
backoff_ms = 0
[[policies.rules]]
name = "rescued"
rescue = "buffer"
`,
  });
  agent = await stack.agent();
  client = new OpenAI({ baseURL: `${stack.core.url}/v1`, apiKey: agent.token, maxRetries: 0 });
});
afterAll(() => stack.stop());
beforeEach(() => {
  behave = {};
});

const sent = (provider: string) =>
  stack.providers[provider]!.calls.at(-1)!.json as Record<string, unknown>;

async function paid<T>(work: () => Promise<T>): Promise<{ result: T; msats: number }> {
  const before = await settled(stack, agent);
  const result = await work();
  return { result, msats: before - (await settled(stack, agent)) };
}

/** An answer as its bytes, without an SDK in between. */
async function raw(path: string, body: object, headers: Record<string, string> = {}) {
  const answer = await fetch(`${stack.core.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.token}`, ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

const eventsOf = (text: string): Record<string, never>[] =>
  [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!));

describe.each([
  ['gpt-4o', 'chatty'],
  ['gpt-4.1', 'native'],
])('responses of %s at %s', (model, provider) => {
  const ask = { model, input: 'How is the sea?' };

  it('come whole, and are billed by their usage', async () => {
    const { result, msats } = await paid(() => client.responses.create(ask).withResponse());
    const { data, response } = result;
    expect(data.output_text).toBe('Wide, and never still.');
    expect(data).toMatchObject({ object: 'response', status: 'completed', error: null, model });
    expect(msats).toBe(data.usage!.total_tokens * 8);
    expect(response.headers.get('x-arbstr-cost-sats')).toBe(String(msats / 1000));
    expect(response.headers.get('x-arbstr-provider')).toBe(provider);
    expect(response.headers.get('x-arbstr-max-tokens')).toBe('4096');
    const bound = provider === 'native' ? 'max_output_tokens' : 'max_tokens';
    expect(sent(provider)[bound]).toBe(4096);
  });

  it('stream in the order of the API, with the bill in front of the last event', async () => {
    const { text } = await raw('/v1/responses', { ...ask, stream: true });
    const events = eventsOf(text);
    const types = events.map(({ type }) => String(type));
    expect(types.slice(0, 4)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
    ]);
    expect(types.slice(-4)).toEqual([
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i));
    expect(text).toMatch(/\n: arbstr \{.*\}\n\nevent: response\.completed\ndata: .*\n\n$/);
    expect(text).not.toContain('[DONE]');
    const quiet = await raw('/responses', { ...ask, stream: true }, { 'x-arbstr-comment': 'off' });
    expect(quiet.text).not.toContain(': arbstr');
  });

  it('are put together by the stream helper of the SDK', async () => {
    const { result, msats } = await paid(() => client.responses.stream(ask).finalResponse());
    expect(result.output_text).toBe('Wide, and never still.');
    expect(msats).toBe(result.usage!.total_tokens * 8);
  });

  it('that are cut at the bound are incomplete, and say why', async () => {
    for (const stream of [false, true]) {
      const bounded = { ...ask, max_output_tokens: 3 };
      const response = stream
        ? await client.responses.stream(bounded).finalResponse()
        : await client.responses.create(bounded);
      expect(response.status).toBe('incomplete');
      expect(response.incomplete_details).toEqual({ reason: 'max_output_tokens' });
    }
  });

  it('that break after their first byte end in an error event, and are billed as far as they came', async () => {
    // What a provider sends before its first words differs, so do the chunks that make some of them.
    const afterChunks = provider === 'native' ? 6 : 3;
    const breaks: MockBehaviour['faults'][number][] = [
      { kind: 'die_mid_stream', afterChunks },
      { kind: 'end_mid_stream', afterChunks },
      { kind: 'error_mid_stream', afterChunks },
      { kind: 'invalid_json_event', afterChunks },
    ];
    for (const fault of breaks) {
      behave[provider] = { faults: [fault] };
      const { result, msats } = await paid(() => raw('/v1/responses', { ...ask, stream: true }));
      const events = eventsOf(result.text);
      const last = events.at(-1) as unknown as { type: string; code: string };
      expect([fault.kind, last.type, last.code]).toEqual([fault.kind, 'error', 'provider_error']);
      expect(result.text).not.toMatch(/response\.(completed|incomplete)|\[DONE\]/);
      expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, i) => i));
      expect(msats).toBeGreaterThan(0);
      expect(result.text).toContain(`"cost_msats":${msats}`);
    }
    const stream = await client.responses.create({ ...ask, stream: true });
    await expect(async () => {
      for await (const _ of stream);
    }).rejects.toThrow('The stream broke');
  });

  it('are billed by our own count where no usage came', async () => {
    behave[provider] = { faults: [{ kind: 'no_usage' }] };
    const { result, msats } = await paid(() => raw('/v1/responses', { ...ask, stream: true }));
    expect(result.text).toContain('"estimated":true');
    expect(msats).toBeGreaterThan(10 * 8);
  });

  it('that are asked for again under one key are billed once', async () => {
    const headers = { 'idempotency-key': `again-${provider}` };
    const { result, msats } = await paid(async () => [
      await raw('/v1/responses', ask, headers),
      await raw('/v1/responses', ask, headers),
    ]);
    const [first, second] = result;
    expect(second!.text).toBe(first!.text);
    expect(second!.headers.get('x-arbstr-replayed')).toBe('true');
    expect(msats).toBe(JSON.parse(first!.text).usage.total_tokens * 8);
  });

  it('with images, tools and a schema reach the provider in its own words', async () => {
    behave[provider] = { answer: null };
    const answer = await client.responses.create({
      model,
      instructions: 'Look closely.',
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', detail: 'low', image_url: 'data:image/png;base64,AAAA' },
          ],
        },
        { type: 'function_call', call_id: 'call_1', name: 'zoom', arguments: '{"by":2}' },
        { type: 'function_call_output', call_id: 'call_1', output: 'a shell' },
      ],
      tools: [
        {
          type: 'function',
          name: 'zoom',
          parameters: { type: 'object', properties: {} },
          strict: false,
        },
      ],
      text: {
        format: {
          type: 'json_schema',
          name: 'thing',
          schema: { type: 'object', properties: { what: { type: 'string' } } },
        },
      },
    });
    expect(JSON.parse(answer.output_text).what).toContain('the result of a tool and saw 1 image');
  });

  it.each([
    ['previous_response_id', { previous_response_id: 'resp_1' }, 'store: false'],
    ['conversation', { conversation: 'conv_1' }, 'store: false'],
    ['background', { background: true }, 'store: false'],
    ['input[0]', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'store: false'],
    ['tools[0].type', { tools: [{ type: 'web_search' }] }, 'function tool|allow_params'],
    ['service_tier', { service_tier: 'priority' }, 'allow_params'],
    ['prompt', { prompt: { id: 'pmpt_1' } }, "'instructions'|allow_params"],
  ])('are refused, unbilled, with %s', async (param, more, fix) => {
    const calls = stack.providers[provider]!.callCount;
    const { result, msats } = await paid(() => raw('/v1/responses', { ...ask, ...more }));
    expect(result.status).toBe(400);
    const { error } = JSON.parse(result.text);
    expect(error).toMatchObject({ code: 'unsupported_parameter', param });
    expect(error.message).toMatch(new RegExp(fix));
    expect([msats, stack.providers[provider]!.callCount]).toEqual([0, calls]);
  });
});

describe('responses', () => {
  it('fall back from a seller of the endpoint to one of chat', async () => {
    for (const kind of ['error_in_200', 'error_first_frame'] as const) {
      behave.first = { faults: [{ kind }] };
      const answer = await client.responses
        .stream({ model: 'both', input: 'How is the sea?' })
        .finalResponse();
      expect(answer.output_text).toBe('Wide, and never still.');
      expect(stack.providers.second!.calls.at(-1)!.path).toBe('/v1/chat/completions');
    }
  });

  it('pass byte for byte from a seller of the endpoint, whatever it sends', async () => {
    const usage = '"usage":{"input_tokens":9,"output_tokens":2.0,"x":[1e2]}';
    const before = [
      ': keep-alive\r\n\r\n',
      'event: response.created\r\nid: 1\r\ndata: {"type":"response.created", "response":{"id":"r"}}\r\n\r\n',
      'event: response.new_thing\r\nid: 2\r\ndata: {"type":"response.new_thing","\\u0061":1}\r\n\r\n',
      'event: response.output_text.delta\r\nid: 3\r\ndata: {"type":"response.output_text.delta",\r\ndata: "delta":"Wide 🌊"}\r\n\r\n',
    ].join('');
    const last = `event: response.completed\r\nid: 4\r\ndata: {"type":"response.completed","response":{"id":"r",${usage}}}\r\n\r\n`;
    behave.native = {
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': 'text/event-stream' } },
        // In the middle of a character.
        { do: 'write', data: Buffer.from(before).subarray(0, -14) },
        { do: 'wait', ms: 0 },
        {
          do: 'write',
          data: Buffer.concat([Buffer.from(before).subarray(-14), Buffer.from(last)]),
        },
      ],
    };
    const ask = { model: 'gpt-4.1', input: 'How is the sea?', stream: true };
    const { result, msats } = await paid(() => raw('/v1/responses', ask));
    const [comment] = result.text.match(/: arbstr \{.*\}\n/)!;
    // Within the next event: a parser of numbered events takes an empty line for the end of one.
    expect(result.text).toBe(before + comment + last);
    expect(msats).toBe(11 * 8);
  });

  it('are streamed where a seller answers in one piece all the same', async () => {
    const output = [
      {
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Wide.', annotations: [] }],
      },
      { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
    ];
    const usage = { input_tokens: 9, output_tokens: 4, total_tokens: 13 };
    const answer = { id: 'resp_1', object: 'response', status: 'completed', output, usage };
    behave.native = {
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': 'application/json' } },
        { do: 'write', data: JSON.stringify(answer) },
      ],
    };
    const { result, msats } = await paid(() =>
      client.responses.stream({ model: 'gpt-4.1', input: 'How is the sea?' }).finalResponse(),
    );
    expect(result.output_text).toBe('Wide.');
    expect(result.output[1]).toMatchObject({ type: 'function_call', arguments: '{}' });
    expect(msats).toBe(13 * 8);
  });

  it('are whole under rescue = "buffer" though the first seller dies', async () => {
    behave.first = { faults: [{ kind: 'die_mid_stream', afterChunks: 6 }] };
    const ask = { model: 'both', input: 'How is the sea?', stream: true };
    const { text, headers } = await raw('/v1/responses', ask, { 'x-arbstr-policy': 'rescued' });
    expect(eventsOf(text).at(-1)).toMatchObject({ type: 'response.completed' });
    expect(headers.get('x-arbstr-retries')).toBe('1/first');
    behave.first = {};
    const untouched = await raw('/v1/responses', ask, { 'x-arbstr-policy': 'rescued' });
    expect(eventsOf(untouched.text).at(-1)).toMatchObject({ type: 'response.completed' });
    expect(untouched.headers.get('x-arbstr-provider')).toBe('first');
  });

  it('are nowhere to be fetched, and the answer says why', async () => {
    await expect(client.responses.retrieve('resp_1')).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining('store: false'),
    });
    await expect(client.responses.delete('resp_1')).rejects.toMatchObject({ status: 404 });
  });
});

describe('completions', () => {
  const ask = { model: 'davinci-002', prompt: 'How is the sea?' };

  it('come whole and in pieces, for one prompt and for many', async () => {
    const { result, msats } = await paid(() => client.completions.create(ask));
    expect(result.choices[0]!.text).toBe('Wide, and never still.');
    expect(msats).toBe(result.usage!.total_tokens * 8);
    expect(sent('words').max_tokens).toBe(4096);

    const stream = await client.completions.create({
      ...ask,
      prompt: ['One', 'Two'],
      n: 2,
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = ['', '', '', ''];
    let last: OpenAI.Completion | null = null;
    for await (const chunk of stream) {
      for (const { index, text } of chunk.choices) texts[index] += text;
      last = chunk;
    }
    expect(texts).toEqual(Array.from({ length: 4 }, () => 'Wide, and never still.'));
    expect(last).toMatchObject({ choices: [], object: 'text_completion' });
    expect((last as unknown as { arbstr: { cost_msats: number } }).arbstr.cost_msats).toBe(
      last!.usage!.total_tokens * 8,
    );
  });

  it('take prompts that are tokens already', async () => {
    const answer = await client.completions.create({ ...ask, prompt: [1, 2, 3, 4] });
    expect(answer.usage!.prompt_tokens).toBe(4);
  });

  it('that break end in an error and no end mark', async () => {
    behave.words = { faults: [{ kind: 'die_mid_stream', afterChunks: 2 }] };
    const { text } = await raw('/completions', { ...ask, stream: true });
    expect(eventsOf(text).at(-1)).toMatchObject({ error: { code: 'provider_error' } });
    expect(text).not.toContain('[DONE]');
  });

  it('are refused where more are made than shown', async () => {
    const answer = await raw('/v1/completions', { ...ask, n: 1, best_of: 4 });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text).error.param).toBe('best_of');
  });
});

describe('embeddings', () => {
  it('cost what their input does', async () => {
    const { result, msats } = await paid(() =>
      client.embeddings.create({ model: 'ada', input: ['the sea', 'wide'] }),
    );
    expect(result.data.map(({ embedding }) => embedding.length)).toEqual([8, 8]);
    expect(msats).toBe(result.usage.total_tokens);
    const floats = await raw('/embeddings', { model: 'ada', input: 'x', encoding_format: 'float' });
    expect(JSON.parse(floats.text).data[0].embedding).toHaveLength(8);
    expect(floats.headers.get('x-arbstr-max-tokens')).toBeNull();
    expect(floats.headers.get('x-arbstr-complexity-score')).toBe('0.000');
  });

  it('are billed by our own count where no usage came, and by tokens where those were sent', async () => {
    behave.vectors = { faults: [{ kind: 'no_usage' }] };
    const { msats } = await paid(() =>
      raw('/v1/embeddings', {
        model: 'ada',
        input: [
          [1, 2, 3],
          [4, 5],
        ],
      }),
    );
    expect(msats).toBe(5);
  });

  it('that are fewer than their inputs are no answer', async () => {
    const body = JSON.stringify({
      data: [{ index: 0, embedding: [1] }],
      usage: { prompt_tokens: 2 },
    });
    behave.vectors = {
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': 'application/json' } },
        { do: 'write', data: body },
      ],
    };
    const { result, msats } = await paid(() =>
      raw('/v1/embeddings', { model: 'ada', input: ['a', 'b'] }),
    );
    expect([result.status, msats]).toEqual([502, 0]);
  });
});

describe('every endpoint that costs money', () => {
  const bodies = {
    '/chat/completions': { model: 'gpt-4o', messages: [{ role: 'user', content: 'x' }] },
    '/responses': { model: 'gpt-4o', input: 'x' },
    '/completions': { model: 'davinci-002', prompt: 'x' },
    '/embeddings': { model: 'ada', input: 'x' },
  };
  const paths = Object.entries(bodies).flatMap(([path, body]) => [
    [path, body] as const,
    [`/v1${path}`, body] as const,
  ]);

  it.each(paths)('%s asks for a token and for money', async (path, body) => {
    const nobody = await raw(path, body, { authorization: 'Bearer vtk_nobody' });
    expect(nobody.status).toBe(401);
    const poor = await stack.agent({ fundMsat: 0 });
    const unpaid = await raw(path, body, { authorization: `Bearer ${poor.token}` });
    expect(unpaid.status).toBe(402);
    expect(JSON.parse(unpaid.text).error.required_msats).toBeGreaterThan(0);
    const paid = await raw(path, body);
    expect(paid.status).toBe(200);
    expect(Number(paid.headers.get('x-arbstr-cost-sats'))).toBeGreaterThan(0);
  });
});

it('a model is not found at an endpoint that none of its sellers has', async () => {
  for (const [path, body] of [
    ['/v1/embeddings', { model: 'gpt-4o', input: 'x' }],
    ['/v1/completions', { model: 'gpt-4o', prompt: 'x' }],
    ['/v1/chat/completions', { model: 'ada', messages: [{ role: 'user', content: 'x' }] }],
    ['/v1/responses', { model: 'ada', input: 'x' }],
  ] as const) {
    const { status, text } = await raw(path, body);
    expect([path, status]).toEqual([path, 404]);
    const { error } = JSON.parse(text);
    expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
    expect(error.message).toContain('endpoints = ');
  }
});

it('/v1/models says at which endpoints each seller has a model', async () => {
  const list = await fetch(`${stack.core.url}/v1/models/both`, {
    headers: { authorization: `Bearer ${agent.token}` },
  });
  const { arbstr } = (await list.json()) as { arbstr: { providers: object[] } };
  expect(arbstr.providers).toMatchObject([
    { name: 'first', endpoints: ['responses'] },
    { name: 'second', endpoints: ['chat'] },
  ]);
});

it('expects of one choice what one choice had, however many were asked for', async () => {
  const headers = { 'x-arbstr-policy': 'rescued' };
  const messages = [{ role: 'user' as const, content: 'Hi' }];
  const asked = { model: 'gpt-4o', messages };
  const answer = await client.chat.completions.create({ ...asked, n: 4 }, { headers });
  const one = answer.usage!.completion_tokens / 4;
  const { text } = await raw('/v1/cost', asked, headers);
  expect(JSON.parse(text)).toMatchObject({ estimated_output_tokens: Math.ceil(one) });
});
