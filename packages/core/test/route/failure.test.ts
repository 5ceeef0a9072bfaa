import { describe, expect, it } from 'vitest';
import { readUpstreamError } from '../../src/openai/error-body.ts';
import {
  FAILURES,
  type FailureKind,
  failureOfAnswer,
  parseRetryAfter,
  retryAfterOf,
  verdictOf,
} from '../../src/route/failure.ts';

const said = (status: number, error: object = { message: 'no' }) =>
  readUpstreamError(status, 'application/json', Buffer.from(JSON.stringify({ error })));

describe('failure of a status', () => {
  it.each([
    [400, null],
    [401, 'credentials'],
    [402, 'payment'],
    [403, 'credentials'],
    [404, 'model_missing'],
    [405, 'model_missing'],
    [408, 'timeout'],
    [409, null],
    [413, null],
    [422, null],
    [429, 'rate_limited'],
    [301, 'redirect'],
    [307, 'redirect'],
    [500, 'server_error'],
    [502, 'server_error'],
    [503, 'server_error'],
    [504, 'timeout'],
    [524, 'timeout'],
    [529, 'server_error'],
  ])('%i is %s', (status, kind) => {
    expect(failureOfAnswer(status, said(status))).toBe(kind);
  });

  it.each<[string, number, object, FailureKind | null]>([
    ['a model that is missing', 400, { code: 'model_not_found', message: 'x' }, 'model_missing'],
    [
      'a model that our key may not use',
      403,
      { message: 'Project p does not have access to model gpt-4o' },
      'model_missing',
    ],
    [
      'an overloaded model',
      503,
      { message: 'That model is currently overloaded with other requests.' },
      'model_overloaded',
    ],
    [
      'a model without capacity',
      429,
      { message: 'Service tier capacity exceeded for this model.' },
      'model_overloaded',
    ],
    [
      'an overloaded server',
      529,
      { type: 'overloaded_error', message: 'Overloaded' },
      'server_error',
    ],
    ['moderation', 403, { message: 'Your input was flagged by moderation' }, null],
    ['a content policy', 400, { code: 'content_policy_violation', message: 'no' }, null],
    [
      'a prompt that is too long',
      400,
      { code: 'context_length_exceeded', message: 'x' },
      'context_too_small',
    ],
    [
      'a prompt that is too long, in words',
      400,
      { message: "This model's maximum context length is 8192 tokens." },
      'context_too_small',
    ],
    ['a model named in a wrong request', 400, { message: 'bad model parameter' }, null],
  ])('hears %s in the words of a %i', (_what, status, error, kind) => {
    expect(failureOfAnswer(status, said(status, error))).toBe(kind);
  });
});

describe('the failure matrix', () => {
  it('asks the same provider again only where it cannot have charged for the first time', () => {
    for (const [kind, rule] of Object.entries(FAILURES)) {
      expect(rule.again && rule.mayBeBilled, kind).toBe(false);
    }
  });

  it('tells callers to retry only where it costs nothing', () => {
    const kinds = Object.entries(FAILURES).filter(([, { shouldRetry }]) => shouldRetry);
    expect(kinds.map(([kind]) => kind)).toEqual(['not_connected', 'rate_limited']);
  });

  it.each<[FailureKind, object]>([
    ['rate_limited', { scope: 'provider', coolDown: 'usual', pauseMs: 60_000 }],
    ['model_missing', { scope: 'model', coolDown: 'usual' }],
    ['model_overloaded', { scope: 'model' }],
    ['credentials', { scope: 'provider', coolDown: 'credentials' }],
    ['payment', { scope: 'provider', coolDown: 'payment' }],
  ])('%s is heard by the breaker as %o', (kind, heard) => {
    const failure = { kind, status: null, message: '', retryAfterMs: 90_000 };
    expect(verdictOf(failure, 60_000, false)).toMatchObject({ heard: 'failing', ...heard });
  });

  it('says nothing of a provider whose model takes less than the prompt', () => {
    const failure = {
      kind: 'context_too_small',
      status: 400,
      message: '',
      retryAfterMs: null,
    } as const;
    expect(verdictOf(failure, 60_000, false)).toEqual({ heard: 'nothing' });
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each([
    ['7', 7_000],
    [' 0 ', 0],
    ['99999999', 3_600_000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', null],
    ['-5', null],
    ['', null],
    [undefined, null],
  ])('%s is %s ms', (value, ms) => {
    expect(parseRetryAfter(value, now)).toBe(ms);
  });

  it('is taken in milliseconds where the provider gives them', () => {
    expect(retryAfterOf({ 'retry-after-ms': '1500', 'retry-after': '2' }, now)).toBe(1_500);
    expect(retryAfterOf({ 'retry-after-ms': 'soon', 'retry-after': '2' }, now)).toBe(2_000);
  });
});
