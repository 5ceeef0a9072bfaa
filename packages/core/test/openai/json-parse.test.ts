import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/openai/json-parse.ts';

describe('parseJson', () => {
  it('reads the keys that were written', () => {
    const character = fc.constantFrom(...'ab"\\/{}[]:, \n\té世👋');
    const text = fc.string({ unit: character, maxLength: 3 });
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, false, -1.5e300, 0, 12345, '', '"', '\\', '}],', '\\"'),
        text,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(text, tie('value'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), (written, indent) => {
        expect(parseJson(JSON.stringify(written, null, indent), true)).toEqual(written);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '{"model":1,"\\\\":1}',
    '{"model":1,"\\n":1}',
    '{"model":1,"\\"":1}',
    '{"model":1,"\\u006e":1}',
  ])('is not misled by what was parsed before: %s', (text) => {
    JSON.parse('{"model":1,"\\\\":1}');
    const [, key] = Object.keys(parseJson(text, true) as object);
    expect(key).toBe(JSON.parse(/"(?:\\.[0-9a-f]*)"(?=:1\}$)/.exec(text)![0]));
  });

  it.each([
    ' { "a" : [ ] , "b" : { } , "c" : [ 1 , -2.5e3 , true , false , null , "x" ] } ',
    '[]',
    '{}',
    '0',
    ' "a\\\\" ',
    '{"a":1,"a":2}',
    '{"__proto__":{"a":1},"constructor":2}',
    '{"a\\\\":"b\\\\\\"","c":["\\\\","]"]}',
    '[[[1,[2]],[]],{}]',
    '1e999',
    '-0',
  ])('agrees with JSON.parse: %s', (text) => {
    expect(parseJson(text, true)).toEqual(JSON.parse(text));
    expect(parseJson(text, false)).toEqual(JSON.parse(text));
  });

  it('refuses what is no JSON', () => {
    for (const escaped of [true, false]) {
      expect(() => parseJson('{"a":', escaped)).toThrow(SyntaxError);
      expect(() => parseJson('', escaped)).toThrow(SyntaxError);
    }
  });

  it('reads long strings and lists in linear time', () => {
    const text = `{"\\n":"${'\\"'.repeat(1e6)}","a":[${'"",1,'.repeat(3e5)}{}]}`;
    const startedAt = performance.now();
    parseJson(text, true);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
