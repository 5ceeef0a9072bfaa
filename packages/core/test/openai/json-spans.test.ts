import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/openai/json-parse.ts';
import {
  elementSpans,
  JSON_DEPTH_MAX,
  JSON_MEMBERS_MAX,
  JSON_PARTS_MAX,
  type ObjectSpans,
  scanObject,
} from '../../src/openai/json-spans.ts';

const scan = (text: string) => scanObject(Buffer.from(text));

function spansOf(raw: Buffer): ObjectSpans {
  const result = scanObject(raw);
  if (!result.ok) throw new Error(result.failure.reason);
  return result.spans;
}

const reasonOf = (text: string): string | null => {
  const result = scan(text);
  return result.ok ? null : result.failure.reason;
};

const nested = (depth: number): string => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

describe('scanObject', () => {
  it('finds each member where it lies', () => {
    const text = ' \n{ "a" :\t1.0 , "b":"x\\"}," ,"c":[{"a":2}, "]"],"\\u0064":null}\r\n';
    const raw = Buffer.from(text);
    const { open, close, members } = spansOf(raw);
    expect(text[open]).toBe('{');
    expect(text[close]).toBe('}');
    expect(
      members.map(({ key, valueStart, valueEnd }) => [key, text.slice(valueStart, valueEnd)]),
    ).toEqual([
      ['a', '1.0'],
      ['b', '"x\\"},"'],
      ['c', '[{"a":2}, "]"]'],
      ['d', 'null'],
    ]);
    expect(members.map(({ keyStart }) => text[keyStart])).toEqual(['"', '"', '"', '"']);
  });

  it('agrees with JSON.parse on every object, however it is spaced and escaped', () => {
    const character = fc.constantFrom(...'ab"\\/{}[]:, \0\n\u2028é世👋', '\ud800');
    const text = fc.string({ unit: character, maxLength: 6 });
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.constantFrom(null, true, -1.5e300, 0, '', '"', '\\', '}],'),
        text,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(text, tie('value'), { maxKeys: 3 }),
      ),
    }));
    const spaced = fc
      .tuple(
        fc.dictionary(text, value, { maxKeys: 6 }),
        fc.constantFrom(0, 1, '\t', '\r\n '),
        fc.boolean(),
      )
      .map(([object, indent, escaped]) => {
        const plain = JSON.stringify(object, null, indent);
        const json = escaped
          ? plain.replace(/[^\0-~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
          : plain;
        return { object, json };
      });
    fc.assert(
      fc.property(spaced, ({ object, json }) => {
        const raw = Buffer.from(json);
        const found = spansOf(raw).members.map(({ key, keyStart, valueStart, valueEnd }) => {
          expect(JSON.parse(/^"(?:[^"\\]|\\.)*"/s.exec(raw.toString('utf8', keyStart))![0])).toBe(
            key,
          );
          return [key, parseJson(raw.toString('utf8', valueStart, valueEnd), true)];
        });
        expect(Object.fromEntries(found)).toEqual(object);
        expect(found.length).toBe(Object.keys(object).length);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['{"a":"\\n"}', false],
    ['{"\\n":1}', true],
    ['{"a":{"b":["\\n",{"c" : "\\n"}]}}', false],
    ['{"a":[{"b":[{"\\u0063"\n: 1}]}]}', true],
    ['{"a":["\\\\",":"]}', false],
    ['{"a":{"\\\\":1}}', true],
  ])('notices an escaped key on every level: %s is %s', (text, expected) => {
    expect(spansOf(Buffer.from(text)).hasEscapedKey).toBe(expected);
  });

  it('takes whatever JSON.parse takes, and never throws on what it does not', () => {
    const token = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"a"',
        '"b',
        '"',
        '\\',
        '1',
        'null',
        ' ',
        '"\\""',
        '"\\\\"',
      ],
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 14 }), (tokens) => {
        const text = tokens.join('');
        const reason = reasonOf(text);
        let value: unknown;
        try {
          value = JSON.parse(text);
        } catch {
          return;
        }
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        if (isObject) expect([null, 'duplicate_key']).toContain(reason);
        else expect(reason).toBe('not_an_object');
      }),
      { numRuns: 10_000 },
    );
  });

  it.each([
    [0, 'x'],
    [1, '\\"'],
    [62, '\\"'],
    [63, '\\\\'],
    [64, '\\"'],
    [65, '\\\\\\"'],
    [200, '\\\\'],
    [1000, '\\\\\\"y'],
  ])('finds the end of a string with %s characters before %s', (length, tail) => {
    const value = `"${'x'.repeat(length)}${tail}"`;
    const raw = Buffer.from(`{"a":${value},"b":1}`);
    const [a, b] = spansOf(raw).members;
    expect(raw.toString('utf8', a!.valueStart, a!.valueEnd)).toBe(value);
    expect(b!.key).toBe('b');
  });

  it('stays inside the part that it is given', () => {
    const raw = Buffer.from('{"a":{"b":1},"c":2}');
    const { valueStart, valueEnd } = spansOf(raw).members[0]!;
    const inner = scanObject(raw, valueStart, valueEnd);
    expect(inner.ok && inner.spans.members.map(({ key }) => key)).toEqual(['b']);
    expect(scanObject(raw, valueStart, valueEnd - 1).ok).toBe(false);
  });

  it.each([
    ['', 'empty'],
    [' \n\t', 'empty'],
    ['[]', 'not_an_object'],
    ['"{}"', 'not_an_object'],
    ['\uFEFF{}', 'not_an_object'],
    ['{', 'malformed'],
    ['{"a"', 'malformed'],
    ['{"a":', 'malformed'],
    ['{"a":"', 'malformed'],
    ['{"a":"\\', 'malformed'],
    ['{"a":[', 'malformed'],
    ['{"a":1,}', 'malformed'],
    ['{a:1}', 'malformed'],
    ['{"a" 1}', 'malformed'],
    ['{"\\x":1}', 'malformed'],
    ['{} {}', 'malformed'],
    ['{}x', 'malformed'],
  ])('refuses %j as %s', (text, reason) => {
    expect(reasonOf(text)).toBe(reason);
  });

  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"b":2,"\\u0061":1}',
    '{"__proto__":1,"__proto__":2}',
    '{"":1,"":2}',
  ])('refuses the doubled key of %s', (text) => {
    expect(reasonOf(text)).toBe('duplicate_key');
  });

  it('looks at doubled keys of the scanned object only', () => {
    expect(reasonOf('{"a":{"b":1,"b":2}}')).toBeNull();
  });

  it('counts levels of nesting, the outermost included', () => {
    expect(reasonOf(nested(JSON_DEPTH_MAX))).toBeNull();
    expect(reasonOf(nested(JSON_DEPTH_MAX + 1))).toBe('too_deep');
    expect(reasonOf(nested(100_000))).toBe('too_deep');
    expect(reasonOf(`{"a":${'[],'.repeat(5_000)}`)).toBe('malformed');
    expect(reasonOf(`{"a":[${'[],'.repeat(5_000)}[]],"b":"${'['.repeat(5_000)}"}`)).toBeNull();
  });

  it('bounds the number of members', () => {
    const object = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i])));
    expect(reasonOf(object(JSON_MEMBERS_MAX))).toBeNull();
    expect(reasonOf(object(JSON_MEMBERS_MAX + 1))).toBe('too_many_members');
  });

  it.each(['{}', '[]', '""'])('bounds the parts of a body, however small they are: %s', (part) => {
    // The list itself is one.
    const list = (parts: number): string => `{"a":[${Array(parts).fill(part).join()}]}`;
    expect(reasonOf(list(JSON_PARTS_MAX - 1))).toBeNull();
    expect(reasonOf(list(JSON_PARTS_MAX))).toBe('too_many_parts');
  });

  it('takes as many numbers as a body has', () => {
    expect(reasonOf(`{"a":[${'1,'.repeat(JSON_PARTS_MAX)}1]}`)).toBeNull();
  });

  it.each([
    ['plain text', `"${'A'.repeat(20e6)}"`],
    ['backslashes', `"${'\\\\'.repeat(10e6)}"`],
    ['escaped quotes', `"${'\\"'.repeat(10e6)}"`],
    ['numbers', `[${'1,'.repeat(10e6)}1]`],
  ])('reads 20 MB of %s in linear time', (_, value) => {
    const raw = Buffer.from(`{"a":${value}}`);
    const startedAt = performance.now();
    expect(scanObject(raw).ok).toBe(true);
    // A quadratic scan takes hours; a linear one tens of milliseconds.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe('elementSpans', () => {
  const elementsOf = (text: string): string[] => {
    const raw = Buffer.from(text);
    return elementSpans(raw, 0, raw.length).map(({ start, end }) =>
      raw.toString('utf8', start, end),
    );
  };

  it('finds each element where it lies', () => {
    expect(elementsOf('[ 1.0,"],\\"" ,[[]], {"a":"]"}\n]')).toEqual([
      '1.0',
      '"],\\""',
      '[[]]',
      '{"a":"]"}',
    ]);
    expect(elementsOf('[ ]')).toEqual([]);
  });

  it('finds those of any array', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(2), (array, spaces) => {
        const found = elementsOf(JSON.stringify(array, null, spaces));
        expect(found.map((text) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(array)));
      }),
    );
  });

  it('ends at bytes that are no array', () => {
    for (const text of ['[', '[1', '[1,', '[1 2}', '["a', '[1,,2]']) {
      expect(() => elementsOf(text), text).toThrow('cannot be scanned');
    }
  });
});
