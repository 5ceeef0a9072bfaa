import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  MESSAGE_CHARS_MAX,
  namesStreamOptions,
  openaiError,
  readErrorValue,
  readUpstreamError,
} from '../../src/openai/error-body.ts';

const read = (body: unknown, contentType?: string, status = 400) =>
  readUpstreamError(
    status,
    contentType,
    Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  );

const NONE = { type: null, code: null, param: null };

/** The longest that a message may be, as a provider that echoes its input would send. */
const LONG = 'x'.repeat(10_000);

describe('readUpstreamError', () => {
  it.each([
    [
      'OpenAI',
      {
        error: {
          message: "This model's maximum context length is 8192 tokens.",
          type: 'invalid_request_error',
          param: 'messages',
          code: 'context_length_exceeded',
        },
      },
      {
        message: "This model's maximum context length is 8192 tokens.",
        type: 'invalid_request_error',
        param: 'messages',
        code: 'context_length_exceeded',
      },
    ],
    [
      'OpenRouter, whose code is a number and whose reason is behind',
      {
        error: {
          message: 'Provider returned error',
          code: 429,
          metadata: { raw: '{"error":{"message":"Rate limit of m"}}', provider_name: 'DeepInfra' },
        },
        user_id: 'u',
      },
      { ...NONE, message: 'Provider returned error: Rate limit of m', code: '429' },
    ],
    [
      'OpenRouter with plain text behind',
      { error: { message: 'Provider returned error', code: 502, metadata: { raw: 'ERROR' } } },
      { ...NONE, message: 'Provider returned error: ERROR', code: '502' },
    ],
    ['Ollama', { error: 'model "m" not found' }, { ...NONE, message: 'model "m" not found' }],
    [
      'vLLM',
      { object: 'error', message: 'too long', type: 'BadRequestError', param: null, code: 400 },
      { message: 'too long', type: 'BadRequestError', param: null, code: '400' },
    ],
    [
      'Mistral',
      {
        object: 'error',
        message: {
          detail: [
            {
              type: 'extra_forbidden',
              loc: ['body', 'stream_options', 'include_usage'],
              msg: 'Extra inputs are not permitted',
              input: true,
            },
          ],
        },
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
      {
        message: 'stream_options.include_usage: Extra inputs are not permitted',
        type: 'invalid_request_error',
        param: 'stream_options.include_usage',
        code: null,
      },
    ],
    [
      'FastAPI',
      {
        detail: [
          { loc: ['body', 'messages', 0, 'role'], msg: 'field required', type: 'missing' },
          { loc: ['query'], msg: 'unexpected' },
          { msg: 'bare' },
        ],
      },
      {
        ...NONE,
        message: 'messages.0.role: field required; query: unexpected; bare',
        param: 'messages.0.role',
      },
    ],
    ['FastAPI with text', { detail: 'Not Found' }, { ...NONE, message: 'Not Found' }],
    [
      'Routstr',
      {
        detail: {
          error: {
            message: 'Balance too low',
            type: 'insufficient_quota',
            code: 'insufficient_balance',
          },
        },
        request_id: 'r',
      },
      {
        ...NONE,
        message: 'Balance too low',
        type: 'insufficient_quota',
        code: 'insufficient_balance',
      },
    ],
    [
      'Routstr, one-shot payment',
      {
        detail: { reason: 'too little', amount_required_msat: 5, type: 'minimum_balance_required' },
      },
      { ...NONE, message: 'too little', type: 'minimum_balance_required' },
    ],
    [
      'Google, in a list',
      [{ error: { code: 400, message: 'API key not valid.', status: 'INVALID_ARGUMENT' } }],
      { ...NONE, message: 'API key not valid.', code: '400' },
    ],
    [
      'Anthropic',
      { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
      { ...NONE, message: 'Overloaded', type: 'overloaded_error' },
    ],
    ['a message alone', { message: 'no' }, { ...NONE, message: 'no' }],
    ['a JSON string', '"no"', { ...NONE, message: 'no' }],
    ['plain text', 'upstream connect error', { ...NONE, message: 'upstream connect error' }],
    ['an error without words', { error: {} }, { ...NONE, message: 'The provider answered 400.' }],
    ['a JSON null', 'null', { ...NONE, message: 'The provider answered 400.' }],
    ['nothing', '', { ...NONE, message: 'The provider answered 400 without a body.' }],
    ['white space', '\r\n', { ...NONE, message: 'The provider answered 400 without a body.' }],
  ])('reads %s', (_, body, expected) => {
    expect(read(body)).toEqual(expected);
  });

  it.each([
    [
      '<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>',
      '502 Bad Gateway',
    ],
    [
      '<!DOCTYPE html><style>b{}</style><p>Sorry,\n<b>busy</b></p><script>var x = 1;</script>',
      'Sorry, busy',
    ],
    ['<html></html>', 'The provider answered 502.'],
  ])('takes the words out of a page: %s', (html, message) => {
    expect(read(html, 'text/html; charset=utf-8', 502).message).toBe(message);
    expect(read(html, undefined, 502).message).toBe(message);
  });

  it.each([
    [
      'Incorrect API key provided: sk-proj-abcDEF123. Find it at https://x.com',
      'Incorrect API key provided: sk-*** Find it at https://x.com',
    ],
    ['key sk-or-v1-0123456789abcdef', 'key sk-***'],
    ['masked sk-ab***********yz', 'masked sk-***'],
    ['agent vtk_AbCdEf0123456789', 'agent vtk-***'],
    ['at https://user:pass@host/v1 failed', 'at https://***@host/v1 failed'],
    ['GET https://host/v1?key=AIzaSyD0000000000&x=1', 'GET https://host/v1?key=***&x=1'],
    ['header Bearer abc.def-ghi_jkl', 'header Bearer ***'],
    ['token cashuBo2F0gqJhaUgA_9SLj17PgGFhgaNhYQFhc3', 'token cashu***'],
    ['no risk-free task-force', 'no risk-free task-force'],
  ])('takes credentials out: %s', (text, expected) => {
    expect(read({ error: { message: text } }).message).toBe(expected);
    expect(read(text).message).toBe(expected);
  });

  it('leaves no key in type, code or param either', () => {
    const error = { message: 'm', type: 'sk-abcdefgh', code: 'sk-abcdefgh', param: 'sk-abcdefgh' };
    expect(JSON.stringify(read({ error }))).not.toContain('abcdefgh');
  });

  it('is one short line', () => {
    const { message } = read({ error: { message: `a\r\n\t b\u0000\u001b[31m\u2028c ${LONG}` } });
    expect(message.startsWith('a b [31m c xxx')).toBe(true);
    expect(message.length).toBe(MESSAGE_CHARS_MAX);
    expect(message.endsWith('…')).toBe(true);
  });

  it.each(['', 'x', 'xx'])('cuts no character in half after %j', (start) => {
    const { message } = read({ error: { message: `${start}${'👋'.repeat(400)}` } });
    expect(message).toMatch(/^x*(?:👋)+…$/u);
    expect(message.length).toBeLessThanOrEqual(MESSAGE_CHARS_MAX);
  });

  it('never throws, and never says nothing', () => {
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .jsonValue()
        .map((value) => JSON.stringify({ error: value, detail: value, message: value })),
    );
    fc.assert(
      fc.property(body, fc.uint8Array({ maxLength: 20 }), (text, noise) => {
        const error = readUpstreamError(
          500,
          'text/html',
          Buffer.concat([Buffer.from(text), noise]),
        );
        expect(error.message).toMatch(/^\S/);
        expect(error.message).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
        expect(error.message.length).toBeLessThanOrEqual(MESSAGE_CHARS_MAX);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['nested errors', `${'{"error":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
    ['nested lists', '['.repeat(50_000)],
    ['tags that never close', '<a '.repeat(30_000)],
    ['scripts', '<script'.repeat(10_000)],
    ['schemes', 'a://'.repeat(20_000)],
    ['keys', 'sk-'.repeat(30_000)],
    ['spaces', ' \n'.repeat(200_000)],
    ['twenty megabytes', 'x'.repeat(20e6)],
  ])('takes its time on nothing: %s', (_, text) => {
    const startedAt = performance.now();
    read(text, 'text/html');
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe('readErrorValue', () => {
  it('reads an error event of a stream', () => {
    expect(readErrorValue({ error: { message: 'gone', code: 502 } })).toEqual({
      ...NONE,
      message: 'gone',
      code: '502',
    });
    expect(readErrorValue({}).message).toMatch(/without a message/);
  });
});

describe('namesStreamOptions', () => {
  it.each([
    [{ error: { message: 'Unknown parameter', param: 'stream_options' } }, true],
    [{ error: { message: 'Unrecognized request argument supplied: stream_options' } }, true],
    [{ message: 'Validation error at #/stream_options: Extra inputs are not permitted' }, true],
    [{ error: 'extraneous key [include_usage] is not permitted' }, true],
    [{ detail: [{ loc: ['body', 'stream_options'], msg: 'extra fields not permitted' }] }, true],
    [{ error: { message: 'Invalid value', param: 'stream' } }, false],
    [{ error: { message: 'usage limit reached' } }, false],
  ])('of %j is %s', (body, expected) => {
    expect(namesStreamOptions(read(body))).toBe(expected);
  });
});

describe('openaiError', () => {
  it('has all four fields, and details beside them', () => {
    const error = { message: 'm', type: 'api_error', code: null };
    expect(openaiError(error)).toEqual({ error: { ...error, param: null } });
    expect(
      openaiError({ ...error, code: 'c', param: 'p' }, { required_msats: 5, code: 'not this' }),
    ).toEqual({
      error: { message: 'm', type: 'api_error', param: 'p', code: 'c', required_msats: 5 },
    });
  });
});
