/** Chat streams, as the events that a caller of the Responses API gets. */
import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import { ANSWER_CHARS_MAX, createResponseScript } from '../../src/dialect/response-script.ts';
import { parseResponsesRequest } from '../../src/openai/responses-request.ts';
import { createMeter } from '../../src/stream/meter.ts';
import type { StreamEnd } from '../../src/stream/relay.ts';
import { createSseSplitter } from '../../src/stream/sse.ts';

type Event = Record<string, unknown> & { type: string };
const BILL = {
  cost_msats: msat(8),
  provider: 'alpha',
  model: 'm',
  tier: 'standard',
  latency_ms: 1,
  usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
  estimated: true,
};

const delta = (members: object, finish: string | null = null) => ({
  model: 'm-2026',
  choices: [{ index: 0, delta: members, finish_reason: finish }],
});
const callDelta = (index: number, args: string, id?: string, name?: string) =>
  delta({ tool_calls: [{ index, id, function: { name, arguments: args } }] });

function scripted(chunks: object[], end: StreamEnd = { kind: 'whole' }, hasIds = false) {
  const parsed = parseResponsesRequest(Buffer.from('{"model":"m","input":"Hi","stream":true}'));
  if (!parsed.ok) throw new Error(parsed.error.message);
  const remembered: unknown[] = [];
  const writer = createResponseScript({
    request: parsed.request,
    id: 'a',
    createdSecs: 1,
    remember: (id, item) => remembered.push([id, item]),
  });
  const meter = createMeter();
  const bytes = chunks.map((json) => {
    meter.observe(json);
    const event = { raw: Buffer.alloc(0), data: '', event: null, setsId: false };
    const bytes = writer.pass(event, json);
    if (bytes !== null && 'kind' in bytes) throw new Error(bytes.message);
    return bytes;
  });
  const relayed = { end, meter, usageEvent: null, endEvent: null, hasIds };
  bytes.push(writer.end({ relayed, bill: BILL, wantsComment: true }));
  const text = Buffer.concat(bytes.filter((piece) => piece !== null)).toString();
  const events = createSseSplitter({ eventBytesMax: 1e6 })
    .push(Buffer.from(text))
    .filter(({ data }) => data !== null)
    .map(({ data, event }) => {
      const json = JSON.parse(data!) as Event;
      expect(event).toBe(json.type);
      return json;
    });
  expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, nth) => nth));
  const last = events.at(-1) as Event & { response: { output: Event[]; usage: object } };
  return { text, events, types: events.map(({ type }) => type), last, remembered };
}

const of = (events: Event[], type: string, index: number) =>
  events.filter((event) => event.type === type && event.output_index === index);

describe('words', () => {
  it('are one message with one part', () => {
    const { last, types } = scripted([
      delta({ role: 'assistant', content: '' }),
      delta({ content: 'Wide' }),
      delta({ reasoning_content: 'I think.' }),
      delta({ content: ' sea' }),
      delta({}, 'stop'),
    ]);
    expect(types.filter((type) => type === 'response.output_text.delta')).toHaveLength(2);
    expect(last.type).toBe('response.completed');
    expect(last.response).toMatchObject({
      id: 'resp_a',
      model: 'm-2026',
      status: 'completed',
      store: false,
      output: [
        { id: 'msg_a0', status: 'completed', content: [{ type: 'output_text', text: 'Wide sea' }] },
      ],
      usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
    });
  });

  it('that turn into a refusal are two parts of it', () => {
    const { last, events } = scripted([
      delta({ content: 'I ' }),
      delta({ refusal: 'cannot.' }, 'stop'),
    ]);
    expect(last.response.output).toMatchObject([
      { content: [{ text: 'I ' }, { type: 'refusal', refusal: 'cannot.' }] },
    ]);
    expect(of(events, 'response.refusal.done', 0)).toMatchObject([
      { content_index: 1, refusal: 'cannot.' },
    ]);
  });

  it.each([
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ])('that end by %s are incomplete', (finish, reason) => {
    const { last } = scripted([delta({ content: 'Wi' }, finish)]);
    expect(last).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason } },
    });
  });
});

describe('calls', () => {
  it('keep their arguments apart though they arrive interleaved', () => {
    const { last, events, types } = scripted([
      delta({ content: 'Let me see.' }),
      callDelta(0, '', 'call_x', 'sea'),
      callDelta(1, '{"b"', undefined, 'sky'),
      callDelta(0, '{"a":1}'),
      callDelta(1, ':2}'),
      delta({}, 'tool_calls'),
    ]);
    expect(last.response.output).toMatchObject([
      { type: 'message', status: 'completed' },
      { type: 'function_call', call_id: 'call_x', name: 'sea', arguments: '{"a":1}' },
      { type: 'function_call', call_id: 'call_a2', name: 'sky', arguments: '{"b":2}' },
    ]);
    const added = types.lastIndexOf('response.output_item.added');
    expect(types.indexOf('response.output_item.done')).toBeLessThan(added);
    for (const index of [1, 2]) {
      const pieces = of(events, 'response.function_call_arguments.delta', index);
      const [done] = of(events, 'response.function_call_arguments.done', index);
      expect(pieces.map((event) => event.delta).join('')).toBe(done!.arguments);
      expect(of(events, 'response.output_item.done', index)).toHaveLength(1);
    }
  });
});

describe('what a later request may refer to', () => {
  const said = (text: string) => [
    'msg_a0',
    {
      type: 'message',
      role: 'assistant',
      content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
    },
  ];
  const chunks = [delta({ content: 'Let me see.' }), callDelta(0, '{"a":1', 'call_x', 'sea')];

  it('is each item of a whole answer, without what only its ids were for', () => {
    const { remembered } = scripted([...chunks, callDelta(0, '}'), delta({}, 'tool_calls')]);
    expect(remembered).toEqual([
      said('Let me see.'),
      ['fc_a1', { type: 'function_call', call_id: 'call_x', name: 'sea', arguments: '{"a":1}' }],
    ]);
  });

  it.each<StreamEnd>([
    { kind: 'client_gone' },
    { kind: 'broken', message: 'it died', timedOut: false },
  ])('is what was said of one that ends as $kind, and no half call', (end) => {
    expect(scripted(chunks, end).remembered).toEqual([said('Let me see.')]);
    expect(scripted([delta({ content: 'Wi' })], end).remembered).toEqual([said('Wi')]);
    expect(scripted([], end).remembered).toEqual([]);
  });
});

describe('memory', () => {
  it('counts names and ids, which are repeated at the end', () => {
    const long = 'x'.repeat(ANSWER_CHARS_MAX);
    expect(() => scripted([callDelta(0, '', 'call_x', long)])).toThrow('can be translated');
    expect(() => scripted([callDelta(0, '', long, 'sea')])).toThrow('can be translated');
  });
});

describe('the end', () => {
  it('of a broken stream is an error, with the bill before it and nothing closed', () => {
    const { text, types, last } = scripted([delta({ content: 'Wi' })], {
      kind: 'broken',
      message: 'it died',
      timedOut: false,
    });
    expect(types.some((type) => type.endsWith('.done'))).toBe(false);
    expect(last).toMatchObject({ type: 'error', code: 'provider_error', param: null });
    expect(last.error).toMatchObject({ code: 'provider_error', message: last.message });
    expect(text.indexOf(': arbstr')).toBeLessThan(text.indexOf('event: error'));
  });

  it('has the comment within the last event where the provider numbers its own', () => {
    const { text } = scripted([delta({ content: 'Wide' }, 'stop')], { kind: 'whole' }, true);
    expect(text).toMatch(/\n\n: arbstr [^\n]*\nevent: response\.completed\n/);
  });

  it('comes early where an answer, or its calls, would fill the memory', () => {
    const half = 'x'.repeat(ANSWER_CHARS_MAX / 2);
    expect(() => scripted([delta({ content: half }), delta({ content: half })])).toThrow('longer');
    const calls = Array.from({ length: ANSWER_CHARS_MAX / 1_024 + 1 }, (_, nth) =>
      callDelta(nth, '', `call_${nth}`, 'f'),
    );
    expect(() => scripted(calls)).toThrow('longer');
  });

  it('is a whole response though nothing was said', () => {
    const { types, last } = scripted([delta({}, 'stop')]);
    expect(types).toEqual(['response.created', 'response.in_progress', 'response.completed']);
    expect(last.response.output).toEqual([]);
  });
});
