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
