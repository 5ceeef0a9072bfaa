import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blankAllButData,
  closed,
  createSseSplitter,
  type SseEvent,
  SseEventTooLargeError,
} from '../../src/stream/sse.ts';
import { STREAMS } from './provider-streams.ts';

const EVENT_BYTES_MAX = 1_000_000;

function split(chunks: readonly Buffer[], eventBytesMax = EVENT_BYTES_MAX): SseEvent[] {
  const splitter = createSseSplitter({ eventBytesMax });
  const events = chunks.flatMap((chunk) => splitter.push(chunk));
  const rest = splitter.end();
  return rest === null ? events : [...events, rest];
}

/** Cut at these offsets, whatever their order. */
function cutAt(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const cuts = [...new Set(offsets)].sort((a, b) => a - b);
  return [0, ...cuts].map((start, i) => bytes.subarray(start, cuts[i] ?? bytes.length));
}

const shown = (events: readonly SseEvent[]) =>
  events.map(({ raw, data, event }) => ({ raw: raw.toString('latin1'), data, event }));

/** WHATWG HTML §9.2.6, word for word and slowly; a rest without an empty line counts as an event. */
function dispatched(text: string): { data: string; event: string }[] {
  const events: { data: string; event: string }[] = [];
  let data: string[] = [];
  let event = '';
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  for (const line of [...lines, '']) {
    if (line === '') {
      if (data.join('\n') !== '' || data.length > 1) events.push({ data: data.join('\n'), event });
      data = [];
      event = '';
      continue;
    }
    const [, name, value] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
    if (name === 'data') data.push(value ?? '');
    if (name === 'event') event = value ?? '';
  }
  return events;
}

const dispatchedBy = (events: readonly SseEvent[]) =>
  events
    .filter(({ data }) => data !== null && data !== '')
    .map(({ data, event }) => ({ data, event: event ?? '' }));

describe('createSseSplitter', () => {
  it.each(Object.entries(STREAMS))('gives the same events for every cut of %s', (_, stream) => {
    for (const lineEnd of ['\n', '\r\n', '\r']) {
      const bytes = Buffer.from(stream.replaceAll('\n', lineEnd));
      const whole = shown(split([bytes]));
      expect(whole.map(({ raw }) => raw).join('')).toBe(bytes.toString('latin1'));
      expect(whole.map(({ data }) => data)).toEqual(
        shown(split([Buffer.from(stream)])).map(({ data }) => data),
      );
      const text = JSON.stringify(whole);
      for (let at = 1; at < bytes.length; at++) {
        // A thousand deep comparisons by expect() take longer than the splitter.
        if (JSON.stringify(shown(split(cutAt(bytes, [at])))) === text) continue;
        expect(shown(split(cutAt(bytes, [at])))).toEqual(whole);
      }
      expect(shown(split(Array.from(bytes, (byte) => Buffer.from([byte]))))).toEqual(whole);
    }
  });

  const line = fc.oneof(
    fc.constantFrom('', 'data', 'data:', 'data: ', 'data:  two', ': comment', 'id: 7', 'datax: no'),
    fc.string({ unit: 'grapheme', maxLength: 8 }).map((text) => `data: ${text}`),
    fc.constantFrom(
      'data: 👩‍👩‍👧‍👦',
      'data: 世界',
      'event: ping',
      'event',
      'retry: 10',
      '\uFEFFdata: x',
    ),
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom('\n', '\n', '\r\n', '\r')), { maxLength: 30 })
    .map((lines) => lines.map(([text, end]) => text.replace(/[\r\n]/g, '') + end).join(''));

  it('says what the standard says, whatever the line ends and the cuts', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(400), { maxLength: 12 }),
        fc.boolean(),
        (text, cuts, marked) => {
          const bytes = Buffer.from(marked ? `\uFEFF${text}` : text);
          const events = split(
            cutAt(
              bytes,
              cuts.map((cut) => Math.min(cut, bytes.length)),
            ),
          );
          expect(Buffer.concat(events.map(({ raw }) => raw)).equals(bytes)).toBe(true);
          expect(shown(events)).toEqual(shown(split([bytes])));
          expect(dispatchedBy(events)).toEqual(dispatched(bytes.toString()));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('passes any bytes on unchanged, UTF-8 or not', () => {
    const bytes = fc.array(
      fc.constantFrom(0x0a, 0x0d, 0x20, 0x3a, 0x64, 0x61, 0x74, 0xf0, 0x9f, 0xff, 0),
      {
        maxLength: 40,
      },
    );
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(40), { maxLength: 8 }), (list, cuts) => {
        const input = Buffer.from(list);
        const events = split(
          cutAt(
            input,
            cuts.map((cut) => Math.min(cut, input.length)),
          ),
        );
        expect(Buffer.concat(events.map(({ raw }) => raw)).equals(input)).toBe(true);
        expect(shown(events)).toEqual(shown(split([input])));
      }),
      { numRuns: 1_000 },
    );
  });

  it('hands an event out as soon as its last byte is there', () => {
    for (const text of ['data: x\n\n', 'data: x\r\n\r\n', 'data: x\r\r', 'data: x\r\n\n']) {
      const splitter = createSseSplitter({ eventBytesMax: 100 });
      const events = [...Buffer.from(text)].map(
        (byte) => splitter.push(Buffer.from([byte])).length,
      );
      expect(events.at(-1)).toBe(1);
      expect(splitter.end()).toBeNull();
    }
  });

  it.each([
    ['data: x\nid: 7\n\n', true],
    ['id\n\n', true],
    ['data: id: 7\n\n', false],
    [': id\nidle: 1\nevent: id\ndata: x\n\n', false],
  ])('knows whether %j has an id', (text, setsId) => {
    expect(split([Buffer.from(text)])).toMatchObject([{ setsId }]);
  });

  it('waits for the LF of a CRLF, and not for ever', () => {
    const splitter = createSseSplitter({ eventBytesMax: 100 });
    expect(splitter.push(Buffer.from('data: x\r\n\r'))).toEqual([]);
    expect(shown(splitter.push(Buffer.from('d')))).toEqual([
      { raw: 'data: x\r\n\r', data: 'x', event: null },
    ]);
    expect(splitter.push(Buffer.from('ata: y\n\r'))).toEqual([]);
    expect(splitter.end()).toMatchObject({ data: 'y' });
  });

  it.each([
    ['an empty data line', 'data:\n\n', '', null],
    ['a data field without a colon', 'data\n\n', '', null],
    ['a comment', ': OPENROUTER PROCESSING\n\n', null, null],
    ['another field', 'id: 1\nretry: 3\n\n', null, null],
    ['several data lines', 'data: a\ndata:b\ndata:  c\n\n', 'a\nb\n c', null],
    ['a type', 'event: error\ndata: {}\n\n', '{}', 'error'],
    ['an empty line', '\n', null, null],
    ['a name that only begins alike', 'database: x\n\n', null, null],
  ])('reads %s', (_, text, data, event) => {
    expect(split([Buffer.from(text)])).toMatchObject([{ data, event }]);
  });

  it('takes a byte order mark only at the very start', () => {
    const events = split([Buffer.from('\uFEFFdata: a\n\n\uFEFFdata: b\n\n')]);
    expect(events.map(({ data }) => data)).toEqual(['a', null]);
  });

  it('reads a rest without its empty line, which can be closed', () => {
    const [event] = split([Buffer.from('data: [DONE]')]);
    expect(event).toMatchObject({ data: '[DONE]' });
    expect(split([closed(event!.raw), Buffer.from(': next\n\n')])).toMatchObject([
      { data: '[DONE]' },
      { data: null },
    ]);
  });

  it('shares the memory of a chunk that holds whole events', () => {
    const bytes = Buffer.from('data: a\n\ndata: b\n\n');
    const events = split([bytes]);
    expect(events.every(({ raw }) => raw.buffer === bytes.buffer)).toBe(true);
    const one = Buffer.from('data: a\n\n');
    expect(split([one])[0]!.raw).toBe(one);
  });
});

describe('an event above the limit', () => {
  const refusal = (chunks: readonly Buffer[], eventBytesMax: number): SseEventTooLargeError => {
    try {
      split(chunks, eventBytesMax);
    } catch (error) {
      if (error instanceof SseEventTooLargeError) return error;
      throw error;
    }
    throw new Error('was taken');
  };

  it('may have exactly as many bytes as the limit, however it is cut', () => {
    const bytes = Buffer.from('data: 0123\n\n');
    expect(split([bytes], bytes.length)).toHaveLength(1);
    for (let at = 1; at < bytes.length; at++) {
      expect(split(cutAt(bytes, [at]), bytes.length)).toHaveLength(1);
      expect(refusal(cutAt(bytes, [at]), bytes.length - 1).code).toBe('sse_event_too_large');
    }
    expect(refusal([bytes], bytes.length - 1)).toBeInstanceOf(SseEventTooLargeError);
  });

  it('does not take the events before it along', () => {
    const error = refusal([Buffer.from('data: ok\n\ndata: much too long\n\n')], 12);
    expect(shown(error.events)).toEqual([{ raw: 'data: ok\n\n', data: 'ok', event: null }]);
  });

  it('ends the splitter for good', () => {
    const splitter = createSseSplitter({ eventBytesMax: 4 });
    expect(() => splitter.push(Buffer.from('data: x'))).toThrow(SseEventTooLargeError);
    expect(() => splitter.push(Buffer.from('\n\n'))).toThrow(SseEventTooLargeError);
    expect(() => splitter.end()).toThrow(SseEventTooLargeError);
  });

  it('stops a line of 100 MB at the limit', () => {
    const splitter = createSseSplitter({ eventBytesMax: EVENT_BYTES_MAX });
    const chunk = Buffer.alloc(64 * 1024, 'a');
    let sent = 0;
    expect(() => {
      while (sent < 100_000_000) {
        splitter.push(chunk);
        sent += chunk.length;
      }
    }).toThrow(SseEventTooLargeError);
    expect(sent).toBeLessThanOrEqual(EVENT_BYTES_MAX);
  });

  it('takes a long event byte by byte in linear time', () => {
    const bytes = Buffer.from(`data: ${'x'.repeat(200_000)}\n\n`);
    const [event] = split(Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)));
    expect(event!.raw.equals(bytes)).toBe(true);
  });
});

describe('blankAllButData', () => {
  it('keeps the offsets of what it keeps', () => {
    const raw = Buffer.from('event: x\r\ndata: {"a":\r\n: data: no\r\ndata:1}\r\n\r\n');
    const blanked = blankAllButData(raw);
    expect(blanked.length).toBe(raw.length);
    expect(blanked.indexOf('{"a":')).toBe(raw.indexOf('{"a":'));
    expect(blanked.toString().replace(/ /g, '')).toBe('{"a":1}');
  });
});
