import { describe, expect, it } from 'vitest';
import type { ApiRequest, RequestError } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';

const VALID = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hi' }] };

const bytes = (body: unknown): Buffer => Buffer.from(JSON.stringify(body));

function accepted(raw: Buffer): ApiRequest {
  const parsed = parseChatRequest(raw);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}

function refused(raw: Buffer): RequestError {
  const parsed = parseChatRequest(raw);
  if (parsed.ok) throw new Error('was accepted');
  return parsed.error;
}

/** Members as they are written, which JSON.stringify would change. */
const withMember = (member: string): Buffer =>
  Buffer.from(JSON.stringify(VALID).replace(/\}$/, `,${member}}`));

describe('parseChatRequest', () => {
  it('reads what core interprets', () => {
    const raw = bytes({
      ...VALID,
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
      max_tokens: 100,
      n: 2,
      tools: [{ type: 'function', function: { name: 'f' } }],
      response_format: { type: 'json_schema', json_schema: {} },
    });
    expect(accepted(raw)).toMatchObject({
      model: 'gpt-4o-mini',
      stream: true,
      includeUsage: 'asked',
      maxTokens: 100,
      n: 2,
      hasImages: false,
      hasTools: true,
      wantsJson: true,
    });
    expect(accepted(raw).raw).toBe(raw);
  });

  it('has a meaning for each thing left out or null', () => {
    const plain = {
      stream: false,
      includeUsage: 'absent',
      maxTokens: null,
      n: 1,
      hasImages: false,
      hasTools: false,
      wantsJson: false,
    };
    expect(accepted(bytes(VALID))).toMatchObject(plain);
    const nulls = {
      stream: null,
      stream_options: null,
      max_tokens: null,
      max_completion_tokens: null,
      n: null,
      tools: null,
      response_format: null,
    };
    expect(accepted(bytes({ ...VALID, ...nulls }))).toMatchObject(plain);
    expect(accepted(bytes({ ...VALID, stream_options: { include_usage: null } }))).toMatchObject(
      plain,
    );
  });

  it('tells an include_usage of false from none', () => {
    const request = accepted(
      bytes({ ...VALID, stream: true, stream_options: { include_usage: false } }),
    );
    expect(request.includeUsage).toBe('declined');
  });

  it('leaves stream_options of a request that does not stream to the provider', () => {
    expect(accepted(bytes({ ...VALID, stream_options: { include_usage: true } })).stream).toBe(
      false,
    );
  });

  it('lets messages of every kind pass that OpenAI has', () => {
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'What is it?' }], name: 'ann' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: {} }],
      },
      { role: 'assistant', tool_calls: [] },
      { role: 'tool', tool_call_id: 'c', content: '' },
      { role: 'assistant', content: [], refusal: 'no', audio: { id: 'a' } },
      { role: 'someone new', content: ['odd', 7, null] },
    ];
    expect(accepted(bytes({ ...VALID, messages })).messages).toEqual(messages);
  });

  it('lets every member pass that it does not interpret', () => {
    const others = {
      temperature: 'hot',
      stop: 7,
      seed: -1,
      logit_bias: { '50256': -100 },
      'a new one': { deep: [[[]]] },
      constructor: 1,
    };
    expect(accepted(bytes({ ...VALID, ...others })).body).toMatchObject(others);
  });

  it.each(['image_url', 'input_image', 'image'])('sees an image in a part of type %s', (type) => {
    const content = [
      { type: 'text', text: 'What is it?' },
      { type, image_url: { url: 'data:…' } },
    ];
    const messages = [
      { role: 'user', content: 'Hi' },
      { role: 'user', content },
    ];
    expect(accepted(bytes({ ...VALID, messages })).hasImages).toBe(true);
  });

  it.each([
    [{ tools: [] }, { hasTools: false }],
    [{ functions: [{ name: 'f' }] }, { hasTools: true }],
    [{ response_format: { type: 'text' } }, { wantsJson: false }],
    [{ response_format: { type: 'json_object' } }, { wantsJson: true }],
    [{ max_tokens: 7 }, { maxTokens: 7 }],
    [{ max_completion_tokens: 8 }, { maxTokens: 8 }],
    [{ max_tokens: null, max_completion_tokens: 8 }, { maxTokens: 8 }],
    [{ n: 128 }, { n: 128 }],
    [{ max_tokens: Number.MAX_SAFE_INTEGER }, { maxTokens: Number.MAX_SAFE_INTEGER }],
  ])('reads %j', (members, expected) => {
    expect(accepted(bytes({ ...VALID, ...members }))).toMatchObject(expected);
  });

  it('is bound by the larger of two output bounds: a provider may know only that one', () => {
    const both = (max_tokens: number, max_completion_tokens: number) =>
      accepted(bytes({ ...VALID, max_tokens, max_completion_tokens })).maxTokens;
    expect(both(1, 100_000)).toBe(100_000);
    expect(both(100_000, 1)).toBe(100_000);
  });

  it('reads a 20 MB image', () => {
    const url = `data:image/png;base64,${'A'.repeat(20e6)}`;
    const content = [{ type: 'image_url', image_url: { url } }];
    expect(accepted(bytes({ ...VALID, messages: [{ role: 'user', content }] })).hasImages).toBe(
      true,
    );
  });
});

describe('a body that is no request', () => {
  it.each([
    ['empty', '', /empty.*Send a JSON object/],
    ['white space', ' \n', /empty/],
    ['no JSON', 'model=gpt', /must be a JSON object/],
    ['an array', '[{"model":"m"}]', /must be a JSON object/],
    ['null', 'null', /must be a JSON object/],
    ['a string', '"{}"', /must be a JSON object/],
    [
      'cut off',
      '{"model":"m","messages":[{"role":"us',
      /not valid JSON: it ends too early|not valid JSON at position/,
    ],
    ['NaN', '{"model":"m","max_tokens":NaN}', /not valid JSON/],
    ['Infinity', '{"model":"m","n":-Infinity}', /not valid JSON/],
    ['a trailing comma', '{"model":"m",}', /not valid JSON/],
    ['trailing garbage', '{"model":"m","messages":[]}x', /not valid JSON/],
    ['two objects', '{} {}', /not valid JSON/],
    ['mismatched brackets', '{"a":[}', /not valid JSON/],
    ['single quotes', "{'model':'m'}", /not valid JSON/],
    ['a raw line break in a string', '{"model":"a\nb"}', /not valid JSON/],
    ['a byte order mark', '\uFEFF{}', /byte order mark.*Send it without/],
  ])('is refused when it is %s', (_, text, message) => {
    const error = refused(Buffer.from(text));
    expect(error).toMatchObject({ code: 'invalid_json', param: null });
    expect(error.message).toMatch(message);
  });

  it.each([[[0xff]], [[0xc3, 0x28]], [[0xed, 0xa0, 0x80]], [[0xf0, 0x9f, 0x98]], [[0xc0, 0xaf]]])(
    'is refused with the bytes %j in a string',
    (invalid) => {
      const text = JSON.stringify(VALID);
      const at = text.indexOf('Hi');
      const raw = Buffer.concat([
        Buffer.from(text.slice(0, at)),
        Buffer.from(invalid),
        Buffer.from(text.slice(at)),
      ]);
      expect(refused(raw)).toMatchObject({
        code: 'invalid_json',
        message: expect.stringMatching(/UTF-8/),
      });
    },
  );

  it('never quotes what the caller wrote', () => {
    const error = refused(Buffer.from('{"model":"m","messages":[{"content":"my secret" oops}]}'));
    expect(error.message).not.toMatch(/secret|oops/);
  });

  it.each([
    [`{"model":"m","messages":${'['.repeat(100_000)}`, null, /deeper than 512/],
    ['{"model":"a","model":"b","messages":[{"role":"user"}]}', 'model', /'model' is given twice/],
    ['{"max_tokens":1,"max_toke\\u006es":9000}', 'max_tokens', /'max_tokens' is given twice/],
    [
      `{${Array.from({ length: 1_001 }, (_, i) => `"k${i}":0`).join(',')}}`,
      null,
      /more than 1000 members/,
    ],
  ])('is refused for its shape: %.40s', (text, param, message) => {
    const error = refused(Buffer.from(text));
    expect(error).toMatchObject({ code: 'invalid_request', param });
    expect(error.message).toMatch(message);
  });

  it('keeps the message short whatever the key', () => {
    const key = 'k'.repeat(100_000);
    const error = refused(Buffer.from(`{"${key}":1,"${key}":2}`));
    expect(error.message.length).toBeLessThan(200);
    expect(error.param!.length).toBeLessThan(100);
  });
});

describe('an escaped key', () => {
  const request = (members: string) => accepted(Buffer.from(`{"model":"m",${members}}`));
  const MESSAGES = '"messages":[{"role":"user","content":"Hi"}]';

  it('means what it says, also where V8 has been taught to misread it', () => {
    JSON.parse('{"model":"m","\\\\":1}');
    expect(request(`"\\u006e":5,${MESSAGES}`).n).toBe(5);
    JSON.parse('{"model":"m","max_toke\\\\u":1}');
    expect(request(`"max_toke\\u006es":7,${MESSAGES}`).maxTokens).toBe(7);
    JSON.parse('{"role":"user","c\\\\u006f":1}');
    expect(request('"messages":[{"role":"user","c\\u006fntent":"long"}]').messages).toEqual([
      { role: 'user', content: 'long' },
    ]);
  });

  it('is checked like any other', () => {
    expect(refused(Buffer.from(`{"model":"m",${MESSAGES},"\\u006e":0}`)).param).toBe('n');
  });
});

describe('a member that core interprets', () => {
  it.each([
    [{ model: undefined }, 'model', /missing.*GET \/v1\/models/],
    [{ model: null }, 'model', /missing/],
    [{ model: '' }, 'model', /empty/],
    [{ model: 7 }, 'model', /string, not a number/],
    [{ model: ['m'] }, 'model', /string, not an array/],
    [{ model: 'm'.repeat(257) }, 'model', /longer than 256/],
    [{ messages: undefined }, 'messages', /missing/],
    [{ messages: [] }, 'messages', /empty/],
    [{ messages: 'Hi' }, 'messages', /array, not a string/],
    [{ messages: { 0: {} } }, 'messages', /array, not an object/],
    [{ messages: ['Hi'] }, 'messages[0]', /object, not a string/],
    [{ messages: [{ role: 'user' }, null] }, 'messages[1]', /object, not null/],
    [{ messages: [[]] }, 'messages[0]', /object, not an array/],
    [{ messages: [{ content: 'Hi' }] }, 'messages[0].role', /string such as "user", not nothing/],
    [{ messages: [{ role: 1 }] }, 'messages[0].role', /not a number/],
    [{ messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', /not a number/],
    [{ messages: [{ role: 'user', content: {} }] }, 'messages[0].content', /not an object/],
    [{ stream: 'true' }, 'stream', /true or false, not a string/],
    [{ stream: 1 }, 'stream', /true or false/],
    [{ stream_options: true }, 'stream_options', /object, not a boolean/],
    [{ stream_options: [] }, 'stream_options', /object, not an array/],
    [{ stream_options: { include_usage: 1 } }, 'stream_options.include_usage', /true or false/],
    [{ n: 129 }, 'n', /at most 128/],
    [{ n: 0 }, 'n', /at least 1/],
  ])('is refused: %j', (members, param, message) => {
    const error = refused(bytes({ ...VALID, ...members }));
    expect(error).toMatchObject({ code: 'invalid_request', param });
    expect(error.message).toMatch(message);
  });

  const wrong = [
    '0',
    '-1',
    '-0',
    '1.5',
    '1.0',
    '1e2',
    '1E400',
    '9007199254740992',
    '9007199254740993',
  ];
  const wrongTypes = ['"100"', 'true', '[]', '{}', '1e-7', '123456789012345678901234567890'];
  it.each(
    [...wrong, ...wrongTypes].flatMap((value) =>
      ['max_tokens', 'max_completion_tokens', 'n'].map((key) => [key, value]),
    ),
  )('is refused: "%s": %s', (key, value) => {
    const error = refused(withMember(`"${key}":${value}`));
    expect(error).toMatchObject({ code: 'invalid_request', param: key });
    expect(error.message).toMatch(/Write an integer from 1 to \d+, or leave it out/);
  });

  it('is refused when stream_options says a thing twice', () => {
    const raw = withMember(
      '"stream":true,"stream_options":{"include_usage":true,"include_usage":false}',
    );
    expect(refused(raw)).toMatchObject({
      param: 'stream_options.include_usage',
      code: 'invalid_request',
    });
  });
});
