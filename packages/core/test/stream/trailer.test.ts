import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSseSplitter, type SseEvent } from '../../src/stream/sse.ts';
import {
  type Bill,
  billComment,
  DONE_EVENT,
  errorEvent,
  usageEvent,
  withBill,
} from '../../src/stream/trailer.ts';
import { usageChunk } from './provider-streams.ts';

const BILL: Bill = {
  cost_msats: 1234,
  provider: 'alpha',
  model: 'gpt-4o-mini',
  tier: 'standard',
  latency_ms: 321,
  usage: { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 },
  estimated: false,
};

function events(...parts: Buffer[]): SseEvent[] {
  return createSseSplitter({ eventBytesMax: 100_000 }).push(Buffer.concat(parts));
}

const eventOf = (text: string): SseEvent => events(Buffer.from(text))[0]!;

describe('billComment', () => {
  it('is a comment of one line, which no client takes for data', () => {
    const bytes = billComment({ ...BILL, provider: 'line\nbreak\r\u2028 {} data: x' }, false);
    expect(bytes.toString()).toMatch(/^: arbstr \{[^\r\n]*\}\n\n$/);
    expect(events(bytes)).toMatchObject([{ data: null, event: null }]);
    const json: unknown = JSON.parse(bytes.toString().slice(': arbstr '.length));
    expect(json).toMatchObject({ cost_msats: 1234, provider: 'line\nbreak\r\u2028 {} data: x' });
  });

  it('can stand within the event after it, where an empty line of its own would be an event', () => {
    const [done, ...more] = events(billComment(BILL, true), DONE_EVENT);
    expect(done!.raw.toString()).toMatch(/^: arbstr \{.*\}\ndata: \[DONE\]\n\n$/);
    expect(done!.data).toBe('[DONE]');
    expect(more).toEqual([]);
  });
});

describe('the end of a stream', () => {
  it('is one event each', () => {
    const error = { message: 'it\nbroke', type: 'api_error', param: null, code: 'provider_error' };
    const [bill, failed, done] = events(
      billComment(BILL, false),
      errorEvent({ error }),
      DONE_EVENT,
    );
    expect(bill!.data).toBeNull();
    expect(JSON.parse(failed!.data!)).toEqual({ error });
    expect(done!.data).toBe('[DONE]');
  });
});

describe('usageEvent', () => {
  it("is OpenAI's last chunk with the bill", () => {
    const { usage } = BILL;
    const bytes = usageEvent({
      object: 'chat.completion.chunk',
      id: 'chatcmpl-1',
      created: 5,
      model: 'm',
      usage,
      arbstr: BILL,
    });
    const [event] = events(bytes);
    expect(JSON.parse(event!.data!)).toEqual({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 5,
      model: 'm',
      choices: [],
      usage,
      arbstr: BILL,
    });
  });
});

describe('withBill', () => {
  const json = usageChunk({ prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 });
  const BILL_JSON = JSON.stringify(BILL);

  it.each([
    [`data: ${json}\n\n`, `data: ${json.slice(0, -1)},"arbstr":${BILL_JSON}}\n\n`],
    [`data:${json} \r\n\r\n`, `data:${json.slice(0, -1)},"arbstr":${BILL_JSON}} \r\n\r\n`],
    [
      `: c }\nevent: x\nid: }\ndata: { "usage" : {"a":1.0} }\nretry: 1}\n\n`,
      `: c }\nevent: x\nid: }\ndata: { "usage" : {"a":1.0},"arbstr":${BILL_JSON} }\nretry: 1}\n\n`,
    ],
    ['data: {}\n\n', `data: {"arbstr":${BILL_JSON}}\n\n`],
    [
      'data: {"usage":\ndata: {"a":1}\ndata:}\n\n',
      `data: {"usage":\ndata: {"a":1},"arbstr":${BILL_JSON}\ndata:}\n\n`,
    ],
    [`\uFEFFdata: {"a":1}\n\n`, `\uFEFFdata: {"a":1,"arbstr":${BILL_JSON}}\n\n`],
    [
      'data: {"arbstr":{"cost_msats":9},"usage":{}}\n\n',
      `data: {"arbstr":${BILL_JSON},"usage":{}}\n\n`,
    ],
  ])('changes nothing else: %j', (before, after) => {
    expect(withBill(eventOf(before), BILL).toString()).toBe(after);
  });

  it.each([
    'data: [DONE]\n\n',
    'data: {"a"\n\n',
    ': c\n\n',
    'data: [1]\n\n',
    'data: {"a":1,"a":2}\n\n',
  ])('leaves alone what is no plain object: %j', (text) => {
    const event = eventOf(text);
    expect(withBill(event, BILL)).toBe(event.raw);
  });

  it('keeps the value of every other member', () => {
    const value = fc.constantFrom<unknown>(null, 1.5, '"}', '\n', [1, { a: '👋' }], { b: [] }, {});
    const object = fc.dictionary(
      fc.string({ unit: fc.constantFrom('a', 'b', 'é', '👋'), maxLength: 5 }),
      value,
      {
        maxKeys: 4,
      },
    );
    fc.assert(
      fc.property(
        object,
        fc.constantFrom(undefined, 1, '\t'),
        fc.constantFrom('\n', '\r\n', '\r'),
        (members, indent, end) => {
          const lines = JSON.stringify(members, null, indent).split('\n');
          const text = `${lines.map((line) => `data: ${line}${end}`).join('')}${end}`;
          const [event] = createSseSplitter({ eventBytesMax: 100_000 }).push(
            Buffer.from(`${text}x`),
          );
          const billed = withBill(event!, BILL);
          const [again] = createSseSplitter({ eventBytesMax: 100_000 }).push(
            Buffer.concat([billed, Buffer.from('x')]),
          );
          expect(again!.raw.equals(billed)).toBe(true);
          expect(JSON.parse(again!.data!)).toEqual({ ...JSON.parse(event!.data!), arbstr: BILL });
        },
      ),
      { numRuns: 200 },
    );
  });
});
