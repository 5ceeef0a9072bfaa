import fc from 'fast-check';
import { countTokens as tokensByLibrary } from 'gpt-tokenizer/encoding/o200k_base';
import { describe, expect, it } from 'vitest';
import { COUNTED_UNITS_MAX, countTokens } from '../../src/tokens/count.ts';
import { estimateTokens } from '../../src/tokens/estimate.ts';
import { tokenFloor } from '../../src/tokens/floor.ts';
import { MERGE_BYTES_MAX } from '../../src/tokens/merge.ts';
import { anyText, mixedText, SAMPLES } from './samples.ts';

const AS_TEXT = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
const reference = (text: string): number => tokensByLibrary(text, AS_TEXT);

describe('countTokens', () => {
  // From OpenAI's cookbook, "How to count tokens with tiktoken", column o200k_base.
  it.each([
    ['antidisestablishmentarianism', 6],
    ['2 + 2 = 4', 7],
    ['お誕生日おめでとう', 8],
    ['tiktoken is great!', 6],
  ])('agrees with tiktoken on %j: %i', (text, tokens) => {
    expect(countTokens(text)).toBe(tokens);
  });

  it('has no tokens for no text', () => {
    expect(countTokens('')).toBe(0);
  });

  it.each(Object.entries(SAMPLES))('counts %s like the library', (_, text) => {
    expect(countTokens(text)).toBe(reference(text));
  });

  it('counts any mixture of characters like the library', () => {
    fc.assert(
      fc.property(mixedText, (text) => {
        expect(countTokens(text)).toBe(reference(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('counts a long text, which it reads in segments, like the library', () => {
    const text = Object.values(SAMPLES).join('\n\n').repeat(6);
    expect(text.length).toBeGreaterThan(60_000);
    expect(countTokens(text)).toBe(reference(text));
  });

  it.each([
    ['spaces', ' '.repeat(24)],
    ['line ends and spaces', '\n \n \n \n \n \n \n \n'],
    ['wide and other spaces', '\u3000 \u00a0 \u3000 \u00a0 \u3000 '],
    ['slashes after a line end', ';\n/\n/\n/\n/\n/\n/\n/\n/'],
    ['indented code', '};\n\n    return x;\n  }\n'],
  ])('changes nothing by a segment that ends within %s', (_, sequence) => {
    for (let shift = 0; shift <= sequence.length; shift++) {
      const start = 'word '.repeat(1_700).slice(0, 8_192 - shift);
      const text = `${start}${sequence}${'word '.repeat(20)}`;
      expect(countTokens(text)).toBe(reference(text));
    }
  });

  it('never ends a segment within a character', () => {
    for (const start of ['', 'b', 'bb']) {
      const text = start + '🧿a'.repeat(4_000);
      expect(countTokens(text)).toBe(reference(text));
    }
  });

  it('takes special tokens for the text that they are', () => {
    for (const text of ['<|endoftext|>', '<|im_start|>user<|im_end|>', 'a <|endofprompt|> b']) {
      expect(countTokens(text)).toBe(reference(text));
      expect(countTokens(text)).toBeGreaterThan(3);
    }
  });

  it('takes NULs, lone surrogates and half a byte order mark', () => {
    expect(countTokens('\0\0\0')).toBeGreaterThan(0);
    expect(countTokens('\ud800')).toBe(countTokens('\ufffd'));
    expect(countTokens('a\udc00b\ud83d')).toBe(countTokens('a\ufffdb\ufffd'));
    // The library's text decoder swallows this character; tiktoken has a token for it.
    expect(countTokens('\ufeff')).toBe(1);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(countTokens(text)).toBeGreaterThanOrEqual(text === '' ? 0 : 1);
      }),
    );
  });

  it('is at most a token in 2,000 bytes too high where a run has to be cut', () => {
    const run = SAMPLES.base64!.replace(/[^a-z]/gi, '')
      .toLowerCase()
      .repeat(18);
    expect(run.length).toBeGreaterThan(2 * MERGE_BYTES_MAX);
    const exact = reference(run);
    expect(countTokens(run)).toBeGreaterThanOrEqual(exact);
    expect(countTokens(run) - exact).toBeLessThanOrEqual(run.length / 2_000);
  });

  it.each([
    ['5 MB of one letter', 'a'.repeat(5_000_000)],
    ['5 MB of one capital', 'A'.repeat(5_000_000)],
    ['1 MB of emoji', '😀🎉'.repeat(125_000)],
    ['1 MB of spaces', ' '.repeat(1_000_000)],
    ['1 MB of line ends and spaces', ' \n'.repeat(500_000)],
    ['1 MB of combining marks', '\u0301'.repeat(500_000)],
    ['1 MB of lone surrogates', '\ud800'.repeat(350_000)],
    ['1 MB of one symbol', '='.repeat(1_000_000)],
  ])('is done with %s before anybody notices', (_, text) => {
    const startedAt = performance.now();
    countTokens(text);
    // A quarter of a second at worst; twenty times that for a machine under load.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it('estimates what is beyond the text that it has the time for', () => {
    const word = 'lighthouse ';
    const text = word.repeat(Math.ceil((COUNTED_UNITS_MAX * 2) / word.length));
    const head = text.slice(0, COUNTED_UNITS_MAX);
    const rest = text.slice(COUNTED_UNITS_MAX);
    expect(countTokens(text)).toBe(
      countTokens(head) + Math.max(estimateTokens(rest), tokenFloor(rest)),
    );
    const digits = '1 '.repeat(100);
    expect(tokenFloor(digits)).toBeGreaterThan(estimateTokens(digits));
    expect(countTokens(digits, 0)).toBe(tokenFloor(digits));
  });
});
