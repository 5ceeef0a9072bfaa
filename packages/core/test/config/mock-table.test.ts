import { describe, expect, it } from 'vitest';
import { MOCK_FAULT_KINDS } from '../../src/config/types.ts';
import { problems, provider } from './load-text.ts';

const mock = (lines = ''): string => `[[providers]]
name = "m"
kind = "mock"
models = ["a"]
input_rate = 1000
output_rate = 1000
${lines}`;
const table = (line: string): string => mock(`[providers.mock]\n${line}\n`);
const settings = (line: string) => provider(table(line)).mock;

describe('[providers.mock]', () => {
  it('may be left out: a mock answers at once and does nothing wrong', () => {
    const found = provider(mock());
    expect(found.url).toBe('');
    expect(found.mock).toEqual({
      latencyMs: 0,
      chunkDelayMs: 0,
      answer: null,
      faults: [],
      faultRate: 1,
    });
  });

  it.each<[string, object]>([
    ['latency_ms = 20', { latencyMs: 20 }],
    ['tokens_per_sec = 50', { chunkDelayMs: 20 }],
    ['chunk_delay_ms = 5', { chunkDelayMs: 5 }],
    ['answer = "Yes."', { answer: 'Yes.' }],
    ['fault = "reset"', { faults: [{ kind: 'reset' }], faultRate: 1 }],
    ['fault = "reset"\nfault_rate = 0.25', { faults: [{ kind: 'reset' }], faultRate: 0.25 }],
    [
      'fault = "status"',
      { faults: [{ kind: 'status', status: 500, retryAfterSecs: null, body: null }] },
    ],
    [
      'fault = { kind = "status", status = 429, retry_after = 2, body = "{}" }',
      { faults: [{ kind: 'status', status: 429, retryAfterSecs: 2, body: '{}' }] },
    ],
    [
      'fault = { kind = "die_mid_stream", after_chunks = 7 }',
      { faults: [{ kind: 'die_mid_stream', afterChunks: 7 }] },
    ],
    [
      'fault = { kind = "inflate_usage", factor = 2.5 }',
      { faults: [{ kind: 'inflate_usage', factor: 2.5 }] },
    ],
    [
      'fault = { kind = "slow_first_token", delay_ms = 1 }',
      { faults: [{ kind: 'slow_first_token', delayMs: 1 }] },
    ],
    [
      'fault = { kind = "drip_headers", interval_ms = 1 }',
      { faults: [{ kind: 'drip_headers', intervalMs: 1 }] },
    ],
  ])('%s', (line, expected) => {
    expect(settings(line)).toMatchObject(expected);
  });

  it.each(MOCK_FAULT_KINDS)('knows the fault %s by its name alone', (kind) => {
    expect(settings(`fault = "${kind}"`)?.faults).toEqual([expect.objectContaining({ kind })]);
  });

  it.each([
    ['fault = "rest"', '8: fault must be one of "status", '],
    ['fault = { status = 503 }', '8: kind is missing; add kind = "reset"'],
    [
      'fault = { kind = "reset", after_chunks = 1 }',
      '8: unknown key "after_chunks" in [providers.mock.fault]',
    ],
    ['fault = { kind = "status", status = 99 }', '8: status must be a number from 200 to 599'],
    ['fault = 5', '8: fault must be a table: [providers.mock.fault]'],
    ['fault_rate = 2', '8: fault_rate must be a number from 0 to 1'],
    [
      'tokens_per_sec = 1\nchunk_delay_ms = 1',
      '8: tokens_per_sec and chunk_delay_ms say the same; keep one',
    ],
    ['latncy_ms = 1', '8: unknown key "latncy_ms" in [providers.mock]; did you mean "latency_ms"?'],
  ])('%s is a mistake', (line, expected) => {
    const found = problems(table(line));
    expect(found[0]).toContain(expected);
  });
});
