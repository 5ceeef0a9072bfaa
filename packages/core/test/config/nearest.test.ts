import { describe, expect, it } from 'vitest';
import { editDistance, nearest } from '../../src/config/nearest.ts';

const KNOWN = ['input_rate', 'output_rate', 'api_key', 'url', 'name', 'models', 'tier'];

describe('the nearest known word', () => {
  it.each([
    ['inputrate', 'input_rate'],
    ['ouptut_rate', 'output_rate'],
    ['API_KEY', 'api_key'],
    ['apikey', 'api_key'],
    ['model', 'models'],
    ['nmae', 'name'],
    ['uri', 'url'],
  ])('for %s is %s', (word, known) => {
    expect(nearest(word, KNOWN)).toBe(known);
  });

  it.each(['something_else_entirely', 'zzzzzz'])('for %s is none', (word) => {
    expect(nearest(word, KNOWN)).toBeNull();
    expect(nearest(word, [])).toBeNull();
  });

  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'acb', 1],
    ['kitten', 'sitting', 3],
    ['same', 'same', 0],
  ] as const)('counts the edits between %j and %j as %d', (a, b, edits) => {
    expect(editDistance(a, b)).toBe(edits);
    expect(editDistance(b, a)).toBe(edits);
  });
});
