import { expect, it } from 'vitest';
import { judgeEvent, parseJson } from '../../src/stream/judge-event.ts';
import { createMeter } from '../../src/stream/meter.ts';

const listOf = (part: string, parts: number): string => `[${`${part},`.repeat(parts - 1)}${part}]`;

it.each(['{}', '[]', '"a"'])('takes no answer of millions of %s', (part) => {
  expect(parseJson(Buffer.from(listOf(part, 2_000_000))) === undefined).toBe(true);
});

it('takes an answer of millions of numbers', () => {
  expect(Array.isArray(parseJson(listOf('1', 2_100_000)))).toBe(true);
});

it('breaks a stream by an event of millions of parts', () => {
  const data = listOf('{}', 2_000_000);
  const event = { raw: Buffer.alloc(0), data, event: null, setsId: false };
  expect(judgeEvent(event, createMeter())).toMatchObject({ kind: 'damaged' });
});
