import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../../src/tokens/count.ts';
import { tokenFloor } from '../../src/tokens/floor.ts';
import { anyText, mixedText, SAMPLES } from './samples.ts';

describe('tokenFloor', () => {
  it('is never above the count, whatever stands beside whatever', () => {
    fc.assert(
      fc.property(mixedText, (text) => {
        expect(tokenFloor(text)).toBeLessThanOrEqual(countTokens(text));
      }),
      { numRuns: 5_000 },
    );
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenFloor(text)).toBeLessThanOrEqual(countTokens(text));
      }),
    );
  });

  it.each(Object.entries(SAMPLES))('is not above the count of %s', (_, text) => {
    expect(tokenFloor(text)).toBeLessThanOrEqual(countTokens(text));
  });

  it.each([
    'English prose',
    'English chat',
    'TypeScript',
    'French',
    'log',
    'hexadecimal',
    'Russian',
  ])('is above half of the count of %s, which bears most honest reports out', (name) => {
    expect(tokenFloor(SAMPLES[name]!)).toBeGreaterThan(countTokens(SAMPLES[name]!) / 2);
  });

  it.each([
    ['', 0],
    ['word', 1],
    ['two words', 2],
    ["it's", 1],
    ['1234567', 3],
    ['a1b', 3],
    ['one,\ntwo', 3],
    ['x 12', 3],
    ['};\n//', 1],
    ['\u3000 ', 1],
    ['\u00a0 ', 1],
    ['я я', 2],
  ])('of %j is %i', (text, floor) => {
    expect(tokenFloor(text)).toBe(floor);
  });
});
