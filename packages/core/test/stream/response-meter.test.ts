import { describe, expect, it } from 'vitest';
import { normalizeUsage } from '../../src/openai/usage.ts';
import { judgeEvent } from '../../src/stream/judge-event.ts';
import { createResponseMeter } from '../../src/stream/response-meter.ts';
import { createVectorMeter } from '../../src/stream/vector-meter.ts';

const USAGE = { input_tokens: 1, output_tokens: 2 };
const event = (data: string, type: string | null = null) => ({
  raw: Buffer.alloc(0),
  data,
  event: type,
  setsId: false,
});

describe('a stream of responses', () => {
  it('is counted once, piece by piece, and ends with its usage', () => {
    const meter = createResponseMeter();
    const kinds = [
      { type: 'response.created', response: { id: 'resp_1', status: 'in_progress' } },
      { type: 'response.output_item.added', output_index: 0, item: { type: 'message' } },
      { type: 'response.output_text.delta', output_index: 0, delta: 'Wi' },
      { type: 'response.output_item.added', output_index: 1, item: { name: 'sea' } },
      { type: 'response.function_call_arguments.delta', output_index: 1, delta: '{}' },
      { type: 'response.output_text.delta', output_index: 0, delta: 'de' },
      { type: 'response.output_text.done', output_index: 0, text: 'Wide' },
      { type: 'response.reasoning_summary_text.delta', output_index: 2, delta: 'Hm' },
      {
        type: 'response.completed',
        response: { output: [{ content: [{ text: 'Wide' }] }], usage: USAGE },
      },
    ].map((json) => meter.observe(json));
    expect(kinds.join(' ')).toBe('other other content content content content other content end');
    expect(meter.text()).toBe('Wide\nsea\n{}\nHm');
    expect(meter).toMatchObject({ isFinished: true, usage: USAGE, identity: { id: 'resp_1' } });
  });

  it('that has no pieces is counted by its end', () => {
    const meter = createResponseMeter();
    const output = [{ content: [{ text: 'Wide' }] }, { name: 'sea', arguments: '{}' }];
    expect(meter.observe({ type: 'response.incomplete', response: { output } })).toBe('end');
    expect(meter.text()).toBe('Wide\nsea\n{}');
  });

  describe('of which a part came only at its end', () => {
    const args = 'a'.repeat(4_000);
    const thought = { type: 'reasoning', content: [{ text: 'Hm' }] };
    const summed = { ...thought, summary: [{ text: 'Hm.' }] };
    const said = { type: 'message', content: [{ text: 'Wide' }] };
    const call = { type: 'function_call', name: 'sea', arguments: args };
    const named = { type: 'response.output_item.added', output_index: 0, item: { name: 'sea' } };
    const delta = (kind: string, index: number | undefined, text: string) => ({
      type: `response.${kind}.delta`,
      output_index: index,
      delta: text,
    });
    const argumentsDone = {
      type: 'response.function_call_arguments.done',
      output_index: 0,
      arguments: args,
    };
    const whole = (...output: object[]) => ({ type: 'response.completed', response: { output } });

    it.each([
      ['a call but for its name', [named, whole(call)], ['sea', args]],
      ['a call whose arguments came in one piece', [named, argumentsDone], ['sea', args]],
      ['a call that is said three times', [named, argumentsDone, whole(call)], ['sea', args]],
      [
        'a summary in two pieces that are whole',
        [
          { type: 'response.reasoning_summary_text.done', output_index: 0, text: 'Hm' },
          { type: 'response.reasoning_summary_text.done', output_index: 0, text: 'm.' },
          whole({ type: 'reasoning', summary: [{ text: 'Hm' }, { text: 'm.' }] }),
        ],
        ['Hmm.'],
      ],
      [
        'arguments that are an object',
        [named, whole({ ...call, arguments: { at: ['sea'] } })],
        ['sea', '{"at":["sea"]}'],
      ],
      [
        'a second call',
        [named, delta('function_call_arguments', 0, args), whole(call, call)],
        ['sea', args, 'sea', args],
      ],
      [
        'what was said after a thought',
        [delta('reasoning_text', 0, 'Hm'), whole(summed, said)],
        ['Hm', 'Wide'],
      ],
      ['nothing, where the end repeats nothing', [delta('output_text', 0, 'Wi'), whole()], ['Wi']],
      [
        'nothing, where the items are numbered otherwise',
        [delta('reasoning_text', 1, 'Hm'), delta('output_text', 2, 'Wide'), whole(thought, said)],
        ['Hm', 'Wide'],
      ],
      [
        'nothing, where pieces and wholes are numbered otherwise',
        [
          delta('output_text', undefined, 'Wide'),
          { type: 'response.output_text.done', output_index: 1, text: 'Wide' },
          whole(thought, said),
        ],
        ['Wide', 'Hm'],
      ],
      [
        'nothing, where the items are not numbered',
        [
          delta('reasoning_text', undefined, 'Hm'),
          delta('output_text', undefined, 'Wide'),
          whole(thought, said),
        ],
        ['Hm', 'Wide'],
      ],
      [
        'nothing, where the pieces have a name of their own',
        [delta('thinking', 0, 'Hm'), delta('output_text', 1, 'Wide'), whole(thought, said)],
        ['Hm', 'Wide'],
      ],
    ])('counts it once: %s', (_what, events, texts) => {
      const meter = createResponseMeter();
      for (const json of events) meter.observe(json);
      expect(meter.text()).toBe(texts.join('\n'));
    });

    it('counts arguments that come whole, and nothing of an unknown shape', () => {
      const meter = createResponseMeter();
      expect(meter.observe(argumentsDone)).toBe('content');
      expect(meter.observe({ ...argumentsDone, type: 'response.made_up.done' })).toBe('other');
      expect(meter.observe({ type: 'response.output_text.delta', delta: { a: 1 } })).toBe('other');
    });
  });

  it.each([
    [{ type: 'error', message: 'busy', code: 'server_error' }, 'busy'],
    [{ error: { message: 'busy' } }, 'busy'],
    [{ type: 'response.failed', response: { error: { message: 'busy' } } }, 'busy'],
    [{ type: 'response.failed', response: { error: null } }, 'without a message'],
  ])('that fails says so: %j', (json, message) => {
    const meter = createResponseMeter();
    expect(judgeEvent(event(JSON.stringify(json)), meter)).toMatchObject({
      kind: 'error',
      message: expect.stringContaining(message),
    });
  });

  it('keeps no names that its seller makes up', () => {
    const meter = createResponseMeter();
    for (const name of ['a', 'b', 'c']) {
      meter.observe({ type: `response.${name}.delta`, output_index: 0, delta: name });
    }
    // One text, so that there is one key.
    expect(meter.text()).toBe('abc');
    expect(meter.hasContent).toBe(true);
  });

  it('is not ended by what ends a chat', () => {
    expect(judgeEvent(event('[DONE]'), createResponseMeter())).toMatchObject({ kind: 'damaged' });
  });
});

describe('a response that was not streamed', () => {
  it.each([
    ['completion', { status: 'completed', output: [], error: null }],
    ['completion', { status: 'incomplete', output: [{ content: [{ text: 'Wi' }] }] }],
    ['error', { status: 'failed', output: [], error: { message: 'busy' } }],
    ['error', { error: { message: 'busy' } }],
    ['not_completion', { status: 'queued', output: [] }],
    ['not_completion', { choices: [{ message: { content: 'Wide' } }] }],
    ['not_completion', null],
  ])('is %s: %j', (kind, json) => {
    expect(createResponseMeter().observeAnswer(json)).toBe(kind);
  });
});

describe('vectors', () => {
  const vector = { embedding: [0.5] };
  it.each([
    ['completion', { data: [vector, { embedding: 'AAAA' }] }],
    ['not_completion', { data: [vector] }],
    ['not_completion', { data: [vector, vector, vector] }],
    ['not_completion', { data: [vector, {}] }],
    ['not_completion', { data: [vector, { embedding: [] }] }],
    ['not_completion', { data: [vector, { embedding: '' }] }],
    ['not_completion', 'x'],
    ['error', { error: { message: 'busy' } }],
  ])('are %s: %j', (kind, json) => {
    expect(createVectorMeter(2).observeAnswer(json)).toBe(kind);
  });

  it('have no output, whatever their seller reports', () => {
    const meter = createVectorMeter(1);
    const reported = { prompt_tokens: 3, completion_tokens: 64, output_tokens: 64 };
    meter.observeAnswer({ data: [vector], usage: reported });
    expect(normalizeUsage(meter.usage)).toMatchObject({ inputTokens: 3, outputTokens: 0 });
  });
});
