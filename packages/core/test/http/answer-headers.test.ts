import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import { factHeaders, retriesOf, upstreamHeaders } from '../../src/http/answer-headers.ts';
import { NO_FACTS } from '../../src/outcome.ts';

describe('headers of an upstream', () => {
  const all = {
    'content-type': 'application/json',
    'retry-after': '3',
    'retry-after-ms': '3000',
    'openai-processing-ms': '5',
    'openai-version': '2020-10-01',
    'openai-organization': 'secret-org',
    'openai-project': 'secret-project',
    'x-ratelimit-remaining-requests': '9',
    'set-cookie': ['a=b'],
    'content-length': '7',
    'content-encoding': 'gzip',
    connection: 'close',
    server: 'nginx',
  };

  it('pass only where the contract names them', () => {
    expect(Object.keys(upstreamHeaders(all, false)).sort()).toEqual([
      'content-type',
      'openai-processing-ms',
      'openai-version',
      'retry-after',
      'retry-after-ms',
    ]);
  });

  it('show the provider’s rate limits in free mode', () => {
    expect(upstreamHeaders(all, true)).toHaveProperty('x-ratelimit-remaining-requests', '9');
  });

  it('never carry a value that would break the header block', () => {
    expect(upstreamHeaders({ 'openai-version': 'a\r\nx: y' }, false)).toEqual({});
  });
});

describe('headers of the facts', () => {
  it('say nothing that is not known', () => {
    expect(factHeaders(NO_FACTS, 12)).toEqual({ 'x-arbstr-latency-ms': '12' });
  });

  it('are exact to the msat', () => {
    expect(factHeaders({ ...NO_FACTS, balanceMsat: msat(1_234_567) }, 0)).toMatchObject({
      'x-arbstr-balance-sats': '1234.567',
    });
  });

  it('list failed attempts per provider, first seen first', () => {
    const tries = ['alpha', 'beta', 'alpha'].map((provider) => ({ provider }));
    expect(retriesOf(tries)).toBe('2/alpha, 1/beta');
  });
});
