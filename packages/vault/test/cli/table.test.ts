/** Tables, and texts of strangers in them. */
import { expect, test } from 'vitest';
import { harmless } from '../../src/cli/print.ts';
import { fields, table } from '../../src/cli/table.ts';

interface Row {
  readonly name: string;
  readonly amount: string | null;
}

const COLUMNS = [
  { head: 'NAME', of: ({ name }: Row) => name },
  { head: 'SATS', of: ({ amount }: Row) => amount, right: true as const },
  { head: 'NOTE', of: () => '' },
];

test('columns are as wide as what is in them, amounts stand right, and nothing is a dash', () => {
  const rows = [
    { name: 'Ada', amount: '1.5' },
    { name: 'Grace Hopper', amount: '1000' },
    { name: '🤖', amount: null },
  ];
  expect(table(COLUMNS, rows)).toEqual([
    'NAME          SATS  NOTE',
    'Ada            1.5  -',
    'Grace Hopper  1000  -',
    '🤖                -  -',
  ]);
});

test('fields stand below each other, and what is null is left out', () => {
  expect(
    fields([
      ['agent', 'a'],
      ['seller', null],
      ['to', 'b\nc'],
    ]),
  ).toEqual(['  agent  a', '  to     b\\u{a}c']);
});

test.each([
  ['an escape sequence', '\u001b[2K\u001b[1A', '\\u{1b}[2K\\u{1b}[1A'],
  ['its one-byte form', '\u009b2K', '\\u{9b}2K'],
  ['a line of its own', 'a\r\nb\u2028c\u0085d', 'a\\u{d}\\u{a}b\\u{2028}c\\u{85}d'],
  ['a turn of direction', 'a\u202eb\u2066c\u200fd', 'a\\u{202e}b\\u{2066}c\\u{200f}d'],
  ['what is not to be seen', 'a\u200bb\u{e0041}', 'a\\u{200b}b\\u{e0041}'],
  ['half a character', 'a\ud800b', 'a\\u{d800}b'],
  ['nothing of it', 'Zoë, 世界 🤖 ₿', 'Zoë, 世界 🤖 ₿'],
])('a name that has %s', (_what, name, shown) => {
  expect(harmless(name)).toBe(shown);
  expect(table(COLUMNS, [{ name, amount: '1' }])[1]).toContain(`${shown}  `);
});
