import { describe, expect, it } from 'vitest';
import { countTokens } from '../../../src/tokens/count.ts';
import { chatBody, chunks, contentOf, payloads, send, start, type Usage } from './client.ts';

const LONG = 'one two three four five six seven eight nine ten eleven twelve';

const tool = (name: string, properties: object = { city: { type: 'string' } }) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties } },
});

describe('a streamed answer', () => {
  it('comes in chunks of OpenAI shape, each with the same id, and ends in [DONE]', async () => {
    const provider = await start({ answer: LONG });
    const { status, headers, text, broken } = await send(provider, chatBody({ stream: true }));
    expect({ status, broken }).toEqual({ status: 200, broken: null });
    expect(headers['content-type']).toMatch(/^text\/event-stream/);
    const all = chunks(text);
    expect(all.length).toBeGreaterThan(10);
    expect(new Set(all.map(({ id, model, object }) => `${id} ${model} ${object}`)).size).toBe(1);
    expect(all[0]?.choices[0]?.delta).toMatchObject({ role: 'assistant', content: '' });
    expect(all.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(contentOf(all)).toBe(LONG);
    expect(payloads(text).at(-1)).toBe('[DONE]');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(all.every(({ usage }) => usage === undefined)).toBe(true);
  });

  it('is paced: chunks come one by one, not all at the end', async () => {
    const provider = await start({ answer: LONG, chunkDelayMs: 20 });
    const { reads, times } = await send(provider, chatBody({ stream: true }));
    expect(reads.length).toBeGreaterThan(10);
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(200);
    expect(times[5]! - times[0]!).toBeLessThan(times.at(-1)! - times[0]!);
  });

  it('carries one extra chunk with the usage where it was asked for, null in the others', async () => {
    const provider = await start({ answer: LONG });
    const options = { stream: true, stream_options: { include_usage: true } };
    const all = chunks((await send(provider, chatBody(options))).text);
    const last = all.at(-1)!;
    expect(last.choices).toEqual([]);
    expect(last.usage).toMatchObject({ completion_tokens: countTokens(LONG) });
    expect(all.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('interleaves n choices', async () => {
    const provider = await start({ answer: LONG });
    const options = { stream: true, n: 3, stream_options: { include_usage: true } };
    const all = chunks((await send(provider, chatBody(options))).text);
    const order = all.flatMap(({ choices }) => choices.map(({ index }) => index));
    expect(order.slice(0, 6)).toEqual([0, 1, 2, 0, 1, 2]);
    for (const index of [0, 1, 2]) expect(contentOf(all, index)).toBe(LONG);
    expect(all.at(-1)?.usage?.completion_tokens).toBe(3 * countTokens(LONG));
  });

  it('streams parallel tool calls with their arguments in pieces', async () => {
    const provider = await start();
    const fields = {
      stream: true,
      tools: [tool('get_weather'), tool('get_time')],
      messages: [{ role: 'user', content: 'Use get_weather and get_time for Lisbon, please' }],
    };
    const all = chunks((await send(provider, chatBody(fields))).text);
    const deltas = all.flatMap(({ choices }) =>
      choices.flatMap(({ delta }) => delta.tool_calls ?? []),
    );
    const named = deltas.filter(({ id }) => id !== undefined);
    expect(named.map(({ index, function: f }) => [index, f.name])).toEqual([
      [0, 'get_weather'],
      [1, 'get_time'],
    ]);
    expect(new Set(named.map(({ id }) => id)).size).toBe(2);
    for (const index of [0, 1]) {
      const pieces = deltas.filter((d) => d.index === index).map((d) => d.function.arguments);
      expect(pieces.length).toBeGreaterThan(2);
      expect(JSON.parse(pieces.join(''))).toEqual({ city: expect.stringContaining('Lisbon') });
    }
    expect(all.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls');
  });
});

interface Completion {
  id: string;
  choices: {
    index: number;
    message: {
      content: string | null;
      tool_calls?: { id: string; function: { name: string; arguments: string } }[];
    };
    finish_reason: string;
  }[];
  usage: Usage;
}

async function complete(fields: object, options = {}): Promise<Completion> {
  const provider = await start(options);
  const { status, text } = await send(provider, chatBody(fields));
  expect(status).toBe(200);
  return JSON.parse(text) as Completion;
}

describe('an answer in one piece', () => {
  it('quotes the question and reports its usage', async () => {
    const { choices, usage } = await complete({});
    expect(choices).toHaveLength(1);
    expect(choices[0]?.message.content).toContain('"Hello there"');
    expect(choices[0]?.finish_reason).toBe('stop');
    const { prompt_tokens, completion_tokens, total_tokens } = usage;
    expect(completion_tokens).toBe(countTokens(choices[0]?.message.content ?? ''));
    expect(prompt_tokens).toBe(countTokens('Hello there') + 7);
    expect(total_tokens).toBe(prompt_tokens + completion_tokens);
  });

  it('reports reasoning and cached tokens where it was told to', async () => {
    const { usage } = await complete({}, { answer: 'Yes', reasoningTokens: 500, cachedTokens: 5 });
    expect(usage.completion_tokens).toBe(501);
    expect(usage.completion_tokens_details.reasoning_tokens).toBe(500);
    expect(usage.prompt_tokens_details.cached_tokens).toBe(5);
  });

  it('reports usage in another dialect where it was given one', async () => {
    const { usage } = await complete({}, { usage: { input_tokens: 3, output_tokens: 4 } });
    expect(usage).toEqual({ input_tokens: 3, output_tokens: 4 });
  });

  it.each(['max_tokens', 'max_completion_tokens'])('obeys %s', async (param) => {
    for (const bound of [1, 2, 5]) {
      const { choices, usage } = await complete({ [param]: bound }, { answer: LONG });
      expect(choices[0]?.finish_reason).toBe('length');
      expect(usage.completion_tokens).toBeLessThanOrEqual(bound);
      expect(usage.completion_tokens).toBeGreaterThan(0);
      expect(LONG.startsWith(choices[0]?.message.content ?? '-')).toBe(true);
    }
    const roomy = await complete({ [param]: 1000 }, { answer: LONG });
    expect(roomy.choices[0]?.finish_reason).toBe('stop');
  });

  it('never splits a character where it cuts', async () => {
    const { choices } = await complete({ max_tokens: 2 }, { answer: '🦀🦀🦀🦀🦀🦀🦀🦀' });
    expect(choices[0]?.message.content).toMatch(/^(🦀)*$/u);
  });

  it('gives n choices', async () => {
    const { choices } = await complete({ n: 4 }, { answer: 'Yes' });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, 'Yes'],
      [1, 'Yes'],
      [2, 'Yes'],
      [3, 'Yes'],
    ]);
  });

  it('speaks JSON in JSON mode', async () => {
    const { choices } = await complete({ response_format: { type: 'json_object' } });
    expect(JSON.parse(choices[0]?.message.content ?? '')).toHaveProperty('answer');
  });

  it('fits a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: {
        title: { type: 'string' },
        score: { type: 'integer', minimum: 7 },
        tags: { type: 'array', items: { enum: ['a', 'b'] } },
        more: { anyOf: [{ type: 'boolean' }, { type: 'null' }] },
      },
    };
    const response_format = { type: 'json_schema', json_schema: { name: 'x', schema } };
    const { choices } = await complete({ response_format }, { answer: 'T' });
    expect(JSON.parse(choices[0]?.message.content ?? '')).toEqual({
      title: 'T',
      score: 7,
      tags: ['a'],
      more: true,
    });
  });

  it('accepts images and content parts', async () => {
    const content = [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    ];
    const { choices, usage } = await complete({ messages: [{ role: 'user', content }] });
    expect(choices[0]?.message.content).toContain('saw 1 image');
    expect(usage.prompt_tokens).toBeGreaterThan(85);
  });
});

describe('tools', () => {
  const tools = [tool('get_weather'), tool('get_time')];
  const calls = async (fields: object, options = {}) => {
    const { choices } = await complete({ tools, ...fields }, options);
    return choices[0]?.message.tool_calls?.map(({ function: f }) => f.name) ?? [];
  };
  const asking = (content: string) => ({ messages: [{ role: 'user', content }] });

  it.each<[string, object, string[]]>([
    ['none for a plain question', asking('Hello'), []],
    ['the one that is named', asking('get_time please'), ['get_time']],
    ['all where tools are asked for', asking('Call a tool'), ['get_weather', 'get_time']],
    [
      'one without parallel calls',
      { ...asking('Call tools'), parallel_tool_calls: false },
      ['get_weather'],
    ],
    ['none with tool_choice none', { ...asking('get_time'), tool_choice: 'none' }, []],
    ['one that is required', { tool_choice: 'required' }, ['get_weather']],
    [
      'the one that is chosen',
      { tool_choice: { type: 'function', function: { name: 'get_time' } } },
      ['get_time'],
    ],
  ])('calls %s', async (_name, fields, expected) => {
    expect(await calls(fields)).toEqual(expected);
  });

  it('has no content beside its calls, and answers in text once the result is there', async () => {
    const first = await complete({ tools, ...asking('get_time') });
    expect(first.choices[0]?.message.content).toBeNull();
    expect(first.choices[0]?.finish_reason).toBe('tool_calls');
    const toolCalls = first.choices[0]?.message.tool_calls;
    const messages = [
      { role: 'user', content: 'get_time' },
      { role: 'assistant', content: null, tool_calls: toolCalls },
      { role: 'tool', tool_call_id: toolCalls?.[0]?.id, content: '12:00' },
    ];
    const second = await complete({ tools, messages });
    expect(second.choices[0]?.message.content).toContain('result of a tool');
  });

  it('calls what it was told to', async () => {
    const toolCalls = [{ name: 'get_time', arguments: '{"zone":"UTC"}' }];
    expect(await calls({}, { toolCalls })).toEqual(['get_time']);
    expect(await calls(asking('get_time'), { toolCalls: [] })).toEqual([]);
  });
});
