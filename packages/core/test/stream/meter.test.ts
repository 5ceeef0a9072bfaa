import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TEXT_CHARS_MAX } from '../../src/stream/delivered.ts';
import { type ChoicesMeter, createMeter } from '../../src/stream/meter.ts';
import { createSseSplitter } from '../../src/stream/sse.ts';
import { chunk, STREAMS, usageChunk } from './provider-streams.ts';

/** The meter after a stream, and the kind of each of its JSON events. */
function metered(stream: string): { meter: ChoicesMeter; kinds: string[] } {
  const meter = createMeter();
  const kinds = createSseSplitter({ eventBytesMax: 100_000 })
    .push(Buffer.from(stream))
    .flatMap(({ data }) =>
      data === null || data === '[DONE]' ? [] : [JSON.parse(data) as unknown],
    )
    .map((json) => meter.observe(json));
  return { meter, kinds };
}

const observed = (...chunks: object[]): ChoicesMeter => {
  const meter = createMeter();
  for (const json of chunks) meter.observe(json);
  return meter;
};

const delta = (members: object, more: object = {}): object => ({
  choices: [{ index: 0, delta: members, finish_reason: null }],
  ...more,
});

describe('a stream', () => {
  it.each([
    ['OPENAI', ['other', 'content', 'content', 'other', 'usage_only'], 'Grüß dich 👋🏽, 世界', 10],
    ['OPENROUTER', ['content', 'content', 'other', 'other'], 'Let me\nYes.', 5],
    ['DEEPSEEK', ['other', 'content', 'content', 'content', 'other'], 'First, think.\n42', 8],
    [
      'PARALLEL_TOOLS',
      ['content', 'content', 'content', 'content', 'content', 'content', 'other'],
      'weather{"city":"Paris"}\ntime{"zone":"UTC"}',
      null,
    ],
    ['CUMULATIVE_USAGE', ['content', 'content', 'other'], 'ab', 2],
    ['NO_USAGE', ['content', 'other'], 'Hi', null],
    ['NO_DONE', ['content', 'other', 'usage_only'], 'Hi', 10],
  ])('of %s is understood', (name, kinds, text, completionTokens) => {
    const { meter, kinds: found } = metered(STREAMS[name]!);
    expect(found).toEqual(kinds);
    expect(meter.text()).toBe(text);
    expect(meter.hasContent).toBe(true);
    expect(meter.isFinished).toBe(true);
    expect(meter.error).toBeNull();
    const usage = meter.usage as { completion_tokens: number } | null;
    expect(usage?.completion_tokens ?? null).toBe(completionTokens);
  });

  it('that dies says so, and what came before it counts', () => {
    const { meter, kinds } = metered(STREAMS.OPENROUTER_DIES!);
    expect(kinds).toEqual(['content', 'error']);
    expect(meter.text()).toBe('Half an');
    expect(meter.error).toEqual({
      message: 'Provider disconnected unexpectedly',
      code: '502',
      type: null,
      param: null,
    });
  });

  it('names itself in its first chunk', () => {
    const { meter } = metered(STREAMS.OPENAI!);
    expect(meter.identity).toEqual({
      id: 'chatcmpl-9uT',
      model: 'gpt-4o-mini-2024-07-18',
      created: 1_790_000_000,
    });
    expect(
      observed({ id: '', model: '', created: 1.5 }, { id: 7, model: 'm', created: 2 }).identity,
    ).toEqual({
      id: null,
      model: 'm',
      created: 2,
    });
  });
});

describe('delivered text', () => {
  it.each([
    ['content', { content: 'a' }, 'a'],
    ['content parts', { content: [{ type: 'text', text: 'a' }, 'b', { type: 'x' }, null] }, 'ab'],
    [
      "Mistral's thinking",
      { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] },
      'hm',
    ],
    ['a refusal', { refusal: 'no' }, 'no'],
    ['reasoning', { reasoning: 'hm' }, 'hm'],
    ['reasoning_content', { reasoning_content: 'hm' }, 'hm'],
    ['reasoning details', { reasoning_details: [{ text: 'h' }, { summary: 'm' }] }, 'hm'],
    ['the longest of several thoughts', { reasoning: 'hmm', reasoning_content: 'h' }, 'hmm'],
    [
      'the same thought under three names, once',
      { reasoning: 'hm', reasoning_content: 'hm', reasoning_details: [{ text: 'hm' }] },
      'hm',
    ],
    [
      'a tool call',
      { tool_calls: [{ index: 0, function: { name: 'f', arguments: '{}' } }] },
      'f{}',
    ],
    [
      'arguments that are no string',
      { tool_calls: [{ function: { name: 'f', arguments: { a: 1 } } }] },
      'f{"a":1}',
    ],
    [
      'a custom tool',
      { tool_calls: [{ type: 'custom', custom: { name: 'f', input: 'x' } }] },
      'fx',
    ],
    ['a function call', { function_call: { name: 'f', arguments: '{}' } }, 'f{}'],
    ['a transcript', { audio: { transcript: 'hello', data: 'AAAA' } }, 'hello'],
  ])('is %s', (_, members, text) => {
    const streamed = observed(delta(members));
    expect(streamed.text()).toBe(text);
    expect(streamed.textLength).toBe(text.length);

    const whole = createMeter();
    whole.observeAnswer({ choices: [{ index: 0, message: members, finish_reason: 'stop' }] });
    expect(whole.text()).toBe(text);
  });

  it('is that of the older completions, too', () => {
    expect(
      observed({ choices: [{ text: 'a', index: 0 }] }, { choices: [{ text: 'b' }] }).text(),
    ).toBe('ab');
  });

  it.each([
    {},
    { role: 'assistant' },
    { content: '' },
    { content: null },
    { content: 7 },
    { content: [] },
    { tool_calls: [] },
    { tool_calls: [null, 1, {}] },
    { reasoning: '' },
    { reasoning_details: [{}] },
    { annotations: [{ url: 'x' }] },
  ])('is not %j', (members) => {
    const meter = createMeter();
    expect(meter.observe(delta(members))).toBe('other');
    expect(meter.hasContent).toBe(false);
  });

  it.each([
    { images: [{ image_url: {} }] },
    { reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] },
  ])('may be missing although something was delivered: %j', (members) => {
    const meter = createMeter();
    expect(meter.observe(delta(members))).toBe('content');
    expect(meter.hasContent).toBe(true);
    expect(meter.text()).toBe('');
  });

  it('keeps choices that arrive interleaved apart', () => {
    const piece = (index: number, content: string) => ({
      choices: [{ index, delta: { content } }],
    });
    const meter = observed(piece(0, 'Hel'), piece(1, 'Bon'), piece(0, 'lo'), piece(1, 'jour'));
    expect(meter.text()).toBe('Hello\nBonjour');
  });

  it('is bounded, and its length still counted', () => {
    const meter = createMeter();
    const content = 'x'.repeat(100_000);
    for (let i = 0; i < 50; i++) meter.observe(delta({ content }));
    expect(meter.textLength).toBe(5_000_000);
    expect(meter.text().length).toBe(TEXT_CHARS_MAX);
  });

  it('of very many small pieces is put together in linear time', () => {
    const meter = createMeter();
    const one = delta({ content: 'ab' });
    for (let i = 0; i < 300_000; i++) meter.observe(one);
    expect(meter.text()).toBe('ab'.repeat(300_000));
  });
});

describe('a usage-only chunk', () => {
  const plain = JSON.parse(usageChunk({ prompt_tokens: 1 })) as Record<string, unknown>;

  it.each([
    ['as OpenAI sends it', {}, 'usage_only'],
    [
      "with a provider's accounting",
      { cost: { total_msats: 5 }, provider: 'x', timings: { ms: 1 } },
      'usage_only',
    ],
    ['with empty lists', { citations: [] }, 'usage_only'],
    ['with something of the answer', { citations: ['https://…'] }, 'other'],
    ['with a choice', { choices: [{ index: 0, delta: {} }] }, 'other'],
    ['without a list of choices', { choices: undefined }, 'usage_only'],
    ['with choices null', { choices: null }, 'usage_only'],
    ['with choices that are no list', { choices: 'x' }, 'other'],
    ['with usage null', { usage: null }, 'other'],
    ['with usage empty', { usage: {} }, 'other'],
    ['with an error', { error: { message: 'm' } }, 'error'],
  ])('is judged %s', (_, members, kind) => {
    expect(createMeter().observe({ ...plain, ...members })).toBe(kind);
  });

  it('leaves the usage that came before it where its own says nothing', () => {
    const meter = observed(
      { usage: { prompt_tokens: 1 } },
      { usage: null },
      { usage: {} },
      { usage: 'x' },
    );
    expect(meter.usage).toEqual({ prompt_tokens: 1 });
  });
});

describe('finish reasons', () => {
  const finished = (...indexes: unknown[]) =>
    observed(
      ...indexes.map((index) => ({ choices: [{ index, delta: {}, finish_reason: 'stop' }] })),
    );

  it('are needed from every choice asked for', () => {
    const isFinished = (n: number, ...indexes: number[]): boolean => {
      const meter = createMeter(n);
      for (const index of indexes) {
        meter.observe({ choices: [{ index, delta: {}, finish_reason: 'stop' }] });
      }
      return meter.isFinished;
    };
    expect(isFinished(1)).toBe(false);
    expect(isFinished(1, 0)).toBe(true);
    expect(isFinished(2, 0)).toBe(false);
    expect(isFinished(2, 1, 0)).toBe(true);
    expect(isFinished(1, 1)).toBe(false);
    // A list of prompts to the older completions may have more than chat has choices.
    expect(isFinished(300, ...Array.from({ length: 300 }, (_, i) => i))).toBe(true);
  });

  it('are not there while they are null or empty', () => {
    const meter = observed(
      { choices: [{ index: 0, finish_reason: null }] },
      { choices: [{ index: 0, finish_reason: '' }] },
    );
    expect(meter.finishReasons.size).toBe(0);
  });

  it('belong to the place of the choice where the index is no index', () => {
    for (const index of [undefined, null, -1, 0.5, '0', 1e9]) {
      expect(finished(index).finishReasons).toEqual(new Map([[0, 'stop']]));
    }
  });
});

describe('errors inside a 200', () => {
  it.each([
    [{ error: { message: 'm' } }, 'm'],
    [{ error: 'm' }, 'm'],
    [{ object: 'error', message: 'm' }, 'm'],
    [{ detail: { error: { message: 'm' } } }, 'm'],
    [{ detail: 'm' }, 'm'],
    [{ choices: [{ error: { message: 'm' } }] }, 'm'],
    [{ choices: [{ finish_reason: 'error' }] }, "A choice ended with finish_reason 'error'."],
    [{ error: { message: 'm' }, choices: [{ finish_reason: 'error' }] }, 'm'],
    [{ error: {} }, 'The provider reported an error without a message.'],
  ])('are seen: %j', (json, message) => {
    const streamed = createMeter();
    expect(streamed.observe(json)).toBe('error');
    expect(streamed.error?.message).toBe(message);
    expect(streamed.observe(json)).toBe('error');

    const whole = createMeter();
    expect(whole.observeAnswer(json)).toBe('error');
    expect(whole.error?.message).toBe(message);
  });

  it.each([{ error: null }, { error: false }, { error: '' }, { detail: 'x', choices: [] }])(
    'are not: %j',
    (json) => {
      expect(createMeter().observe(json)).toBe('other');
    },
  );

  it('leave the first error standing', () => {
    expect(observed({ error: 'first' }, { error: 'second' }).error?.message).toBe('first');
  });
});

describe('an answer that was not streamed', () => {
  it('is read like a stream', () => {
    const meter = createMeter(2);
    const kind = meter.observeAnswer({
      id: 'chatcmpl-1',
      created: 1,
      model: 'm',
      choices: [
        { index: 0, message: { content: 'Hello', refusal: null }, finish_reason: 'stop' },
        {
          index: 1,
          message: { content: null, tool_calls: [{ function: { name: 'f', arguments: '{}' } }] },
          finish_reason: 'tool_calls',
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2 },
    });
    expect(kind).toBe('completion');
    expect(meter.text()).toBe('Hello\nf{}');
    expect(meter.isFinished).toBe(true);
    expect(meter.usage).toEqual({ prompt_tokens: 1, completion_tokens: 2 });
    expect(meter.identity.id).toBe('chatcmpl-1');
  });

  it.each([
    ['no object', 'Hello', 'not_completion'],
    ['null', null, 'not_completion'],
    ['a list', [], 'not_completion'],
    ['a list with a completion', [{ choices: [{ message: {} }] }], 'not_completion'],
    ['a list of errors', [{ error: { message: 'm' } }], 'error'],
    ['without choices', { id: 'x' }, 'not_completion'],
    ['choices that are no list', { choices: {} }, 'not_completion'],
    ['undefined', undefined, 'not_completion'],
  ])('may be none: %s', (_, json, kind) => {
    expect(createMeter().observeAnswer(json)).toBe(kind);
  });
});

describe('a hostile provider', () => {
  it('makes the meter throw with no JSON at all', () => {
    const names = [
      'choices',
      'delta',
      'message',
      'content',
      'tool_calls',
      'function',
      'usage',
      'error',
      'index',
      'text',
      'reasoning_details',
      'finish_reason',
    ];
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue({ maxDepth: 1 }),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('node'), { maxLength: 3 }),
      object: fc.dictionary(fc.constantFrom(...names), tie('node'), { maxKeys: 5 }),
    }));
    fc.assert(
      fc.property(node, (json) => {
        const meter = createMeter();
        meter.observe(json);
        meter.observeAnswer(json);
        expect(meter.text().length).toBeGreaterThanOrEqual(meter.textLength);
      }),
      { numRuns: 1_000 },
    );
  });

  it('cannot overflow the stack with nested arguments', () => {
    const depth = 50_000;
    const json = `{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":${'['.repeat(depth)}${']'.repeat(depth)}}}]}}]}`;
    expect(createMeter().observe(JSON.parse(json))).toBe('other');
  });

  it('cannot fill memory with indexes', () => {
    const meter = createMeter();
    for (let index = 0; index < 10_000; index++) {
      meter.observe({
        choices: [
          {
            index,
            delta: { tool_calls: [{ index, function: { arguments: 'x' } }] },
            finish_reason: 'stop',
          },
        ],
      });
    }
    expect(meter.finishReasons.size).toBe(128);
    expect(meter.textLength).toBe(10_000);
  });
});

describe('createMeter', () => {
  it('has seen nothing at first', () => {
    const meter = createMeter();
    expect(meter).toMatchObject({ textLength: 0, hasContent: false, usage: null, error: null });
    expect(meter.text()).toBe('');
    expect(meter.observe(JSON.parse(chunk({ role: 'assistant' })))).toBe('other');
  });
});
