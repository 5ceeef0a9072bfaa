import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../../src/tokens/count.ts';
import { estimateTokens } from '../../src/tokens/estimate.ts';
import { anyText, SAMPLES } from './samples.ts';

describe('estimateTokens', () => {
  it.each(Object.entries(SAMPLES))('is within 0.8 and 1.6 of the count of %s', (_, text) => {
    const ratio = estimateTokens(text) / countTokens(text);
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.6);
  });

  it('is within a tenth of the count of all samples together', () => {
    const text = Object.values(SAMPLES).join('\n');
    const ratio = estimateTokens(text) / countTokens(text);
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.1);
  });

  it('is nothing only for nothing', () => {
    expect(estimateTokens('')).toBe(0);
    expect(estimateTokens(' ')).toBe(1);
  });

  it('is a positive integer for any text, and grows with it', () => {
    fc.assert(
      fc.property(anyText, fc.string(), (text, more) => {
        const tokens = estimateTokens(text);
        expect(Number.isInteger(tokens) && tokens >= Math.min(1, text.length)).toBe(true);
        expect(estimateTokens(text + more)).toBeGreaterThanOrEqual(tokens);
      }),
    );
  });

  it('takes 20 MB in the time of a request', () => {
    const text = SAMPLES['English prose']!.repeat(35_000);
    const startedAt = performance.now();
    estimateTokens(text);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
