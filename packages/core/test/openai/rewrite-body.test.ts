import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ApiRequest } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';
import { scanObject } from '../../src/openai/json-spans.ts';
import { type BodyChanges, upstreamBody } from '../../src/openai/rewrite-body.ts';

function request(text: string): ApiRequest {
  const parsed = parseChatRequest(Buffer.from(text));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}

const body = (text: string, changes: BodyChanges): string =>
  upstreamBody(request(text), changes).toString();

const MESSAGES = '"messages":[{"role":"user","content":"Hi"}]';
const BOUND = { key: 'max_tokens', value: 4096 } as const;

describe('upstreamBody', () => {
  it('is the very buffer where nothing changes', () => {
    const asked = request(
      `{"model":"m",${MESSAGES},"stream":true,"stream_options":{"include_usage": true}}`,
    );
    expect(upstreamBody(asked, {})).toBe(asked.raw);
    expect(upstreamBody(asked, { includeUsage: true, model: 'm' })).toBe(asked.raw);
  });

  it.each([
    ['absent', '"stream":true', '"stream":true,"stream_options":{"include_usage":true}'],
    [
      'null',
      '"stream_options" : null,"stream":true',
      '"stream_options" : {"include_usage":true},"stream":true',
    ],
    [
      'empty',
      '"stream":true,"stream_options":{ }',
      '"stream":true,"stream_options":{"include_usage":true }',
    ],
    [
      'declined',
      '"stream":true,"stream_options":{"a":1.0, "include_usage" : false,"b":[2]}',
      '"stream":true,"stream_options":{"a":1.0, "include_usage" : true,"b":[2]}',
    ],
    [
      'null inside',
      '"stream_options":{"include_usage":null},"stream":true',
      '"stream_options":{"include_usage":true},"stream":true',
    ],
    [
      'other members only',
      '"stream":true,"stream_options":{"include_obfuscation":false }',
      '"stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true }',
    ],
  ])('asks for usage where stream_options is %s', (_, before, after) => {
    const text = (members: string) => `{"model":"m",${MESSAGES},${members}}`;
    expect(body(text(before), { includeUsage: true })).toBe(text(after));
  });

  it('asks no usage of a request that does not stream, and leaves its options alone', () => {
    const text = `{"model":"m",${MESSAGES},"stream":false,"stream_options":{"include_usage":false}}`;
    expect(body(text, { includeUsage: true })).toBe(text);
  });

  it.each([
    [
      `{"stream_options":{"include_usage":true}, "model":"m",${MESSAGES}}`,
      `{"model":"m",${MESSAGES}}`,
    ],
    [`{"model":"m" , "stream_options":null ,${MESSAGES}}`, `{"model":"m" ,${MESSAGES}}`],
    [`{"model":"m",${MESSAGES},\n"stream_options":{}\n}`, `{"model":"m",${MESSAGES}\n}`],
    [`{"model":"m",${MESSAGES}}`, `{"model":"m",${MESSAGES}}`],
  ])('can leave stream_options out: %s', (before, after) => {
    expect(body(before, { includeUsage: false })).toBe(after);
  });

  it('sets the output bound where the caller gave none, or null', () => {
    expect(body(`{"model":"m",${MESSAGES}}`, { maxTokens: BOUND })).toBe(
      `{"model":"m",${MESSAGES},"max_tokens":4096}`,
    );
    expect(body(`{"max_tokens": null,"model":"m",${MESSAGES}}`, { maxTokens: BOUND })).toBe(
      `{"max_tokens": 4096,"model":"m",${MESSAGES}}`,
    );
    const newer = { key: 'max_completion_tokens', value: 7 } as const;
    expect(body(`{"max_tokens":null,"model":"m",${MESSAGES}}`, { maxTokens: newer })).toBe(
      `{"max_tokens":null,"model":"m",${MESSAGES},"max_completion_tokens":7}`,
    );
  });

  it("never touches the caller's own output bound", () => {
    const text = `{"max_tokens":5,"model":"m",${MESSAGES}}`;
    expect(body(text, { maxTokens: BOUND })).toBe(text);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])(
    'refuses an output bound of %s',
    (value) => {
      const plain = request(`{"model":"m",${MESSAGES}}`);
      expect(() => upstreamBody(plain, { maxTokens: { key: 'max_tokens', value } })).toThrow(
        RangeError,
      );
    },
  );

  it('writes another model name, whatever is in it', () => {
    expect(body(`{ "model" : "auto" ,${MESSAGES}}`, { model: 'a"b\\ü' })).toBe(
      `{ "model" : "a\\"b\\\\ü" ,${MESSAGES}}`,
    );
  });

  it('does all of it at once, in any place of the body', () => {
    const all = { maxTokens: BOUND, model: 'x' };
    expect(body(`{${MESSAGES},"stream":true,"model":"m"}`, { ...all, includeUsage: true })).toBe(
      `{${MESSAGES},"stream":true,"model":"x","max_tokens":4096,"stream_options":{"include_usage":true}}`,
    );
    expect(
      body(`{${MESSAGES},"model":"m","stream_options":{}}`, { ...all, includeUsage: false }),
    ).toBe(`{${MESSAGES},"model":"x","max_tokens":4096}`);
  });

  // Values that a parser would not write again as they are.
  const odd = fc.constantFrom(
    '12345678901234567890123',
    '1.0',
    '-0',
    '1e400',
    '1E+2',
    '"\\u0041\\u00e9\\/"',
    '"\\ud800"',
    '"é👋世界"',
    '[ 1 ,\t2 ]',
    '{"a":1,"a":2}',
    '{ "z" : {"y":[]} }',
    'null',
    'true',
    '""',
  );
  const space = fc.constantFrom('', '', ' ', '\n  ', '\t', '\r\n');
  const options = fc.constantFrom(
    null,
    'null',
    '{}',
    '{"include_usage":true}',
    '{ "include_usage" :false }',
    '{"x":1.0,"include_usage":null}',
    '{"include_obfuscation":false}',
  );
  const text = fc
    .record({
      extra: fc.dictionary(
        fc.constantFrom('seed', 'top_p', 'a', 'b', 'c', 'üñ', '__proto__', 'user'),
        odd,
      ),
      stream: fc.constantFrom(null, 'true', 'false', 'null'),
      options,
      max_tokens: fc.constantFrom(null, 'null', '7'),
      space,
      order: fc.array(fc.nat(1_000), { minLength: 20, maxLength: 20 }),
    })
    .map(({ extra, stream, options, max_tokens, space, order }) => {
      const members: [string, string | null][] = [
        ...Object.entries(extra),
        ['model', '"m\\u006fdel"'],
        ['messages', '[{"role":"user","content":"H\\u0069 👋","id":900719925474099267}]'],
        ['stream', stream],
        ['stream_options', options],
        ['max_tokens', max_tokens],
      ];
      const written = members
        .filter(([, value]) => value !== null)
        .map(
          ([key, value], i) =>
            [order[i] ?? 0, `${JSON.stringify(key)}${space}:${space}${value}`] as const,
        )
        .sort(([a], [b]) => a - b)
        .map(([, member]) => `${space}${member}`);
      return `${space}{${written.join(`${space},`)}${space}}${space}`;
    });
  const changes = fc.record(
    {
      includeUsage: fc.boolean(),
      model: fc.constantFrom('other', 'model', 'ä"'),
      maxTokens: fc.record({
        key: fc.constantFrom('max_tokens' as const, 'max_completion_tokens' as const),
        value: fc.integer({ min: 1 }),
      }),
    },
    { requiredKeys: [] },
  );

  it('means what was asked, and keeps every other byte', () => {
    fc.assert(
      fc.property(text, changes, (before, wanted) => {
        const asked = request(before);
        const after = upstreamBody(asked, wanted);
        expect(JSON.parse(after.toString())).toEqual(expected(asked, wanted));

        const edited = new Set<string>();
        if (wanted.model !== undefined) edited.add('model');
        if (wanted.maxTokens !== undefined) edited.add(wanted.maxTokens.key);
        if (wanted.includeUsage !== undefined) edited.add('stream_options');
        const untouched = (raw: Buffer) => membersOf(raw).filter(([key]) => !edited.has(key));
        expect(untouched(after)).toEqual(untouched(asked.raw));
      }),
      { numRuns: 1_000 },
    );
  });

  function expected(asked: ApiRequest, wanted: BodyChanges): Record<string, unknown> {
    const object = JSON.parse(asked.raw.toString()) as Record<string, unknown>;
    if (wanted.model !== undefined) object.model = wanted.model;
    if (wanted.maxTokens !== undefined) object[wanted.maxTokens.key] ??= wanted.maxTokens.value;
    if (wanted.includeUsage === false) delete object.stream_options;
    if (wanted.includeUsage === true && asked.stream) {
      object.stream_options = { ...(object.stream_options as object | null), include_usage: true };
    }
    return object;
  }

  /** Key and bytes of each member, in order. */
  function membersOf(raw: Buffer): [string, string][] {
    const scan = scanObject(raw);
    if (!scan.ok) throw new Error(scan.failure.reason);
    return scan.spans.members.map(({ key, keyStart, valueEnd }) => [
      key,
      raw.toString('latin1', keyStart, valueEnd),
    ]);
  }
});
