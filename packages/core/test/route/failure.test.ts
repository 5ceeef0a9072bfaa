import { describe, expect, it } from 'vitest';
import { FAILURES, failureOfStatus, parseRetryAfter } from '../../src/route/failure.ts';

describe('failure of a status', () => {
  it.each([
    [400, null],
    [401, 'credentials'],
    [402, 'credentials'],
    [403, 'credentials'],
    [404, 'model_missing'],
    [408, 'timeout'],
    [413, null],
    [422, null],
    [429, 'rate_limited'],
    [301, 'redirect'],
    [307, 'redirect'],
    [500, 'server_error'],
    [529, 'server_error'],
  ])('%i is %s', (status, kind) => {
    expect(failureOfStatus(status)).toBe(kind);
  });

  it('tells the breaker about the provider, never about a model that it lacks', () => {
    expect(FAILURES.model_missing.breaker).toBe('nothing');
    const others = Object.entries(FAILURES).filter(([kind]) => kind !== 'model_missing');
    expect(others.map(([, { breaker }]) => breaker)).toEqual(others.map(() => 'failing'));
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  it.each([
    ['7', 7],
    [' 0 ', 0],
    ['99999999', 3600],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', null],
    ['-5', null],
    [undefined, null],
  ])('%s is %s seconds', (value, secs) => {
    expect(parseRetryAfter(value, now)).toBe(secs);
  });
});
