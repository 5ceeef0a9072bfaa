import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { indexLines, type Path } from '../../src/config/line-index.ts';

/** Lines are written into the values: `key = 3` stands in line 3. */
const NUMBERED = `# a comment with [brackets] = and "quotes"
top = 2
dotted.key.path = 3
"quoted key" = 4
'literal.key' = 5
"esc\\u0061ped" = 6
[table]
inner = 8
text = "# not a comment = [ { \\" ]"
after_text = 10
multi = """
[not.a.table]
fake = 13 \\"""
"quoted" at the end"""""
after_multi = 15
literal = '''
it's \\'''
after_literal = 18
[table.sub."with.dot"]
leaf = 20
[[list]]
n = 22
[list.child]
n = 24
[[list.deep]]
n = 26
[[list.deep]]
n = 28
[[list]]
n = 30
[list.child]
n = 32
[[list.deep]]
n = 34
[other] # comment
inline = { a = 36, "b c" = 36, d.e = 36, f = { g = 36 }, h = [36, 36] }
array = [
  38, # comment ]
  39,
  [40, 40], { x = 40 },
  41
]
date = 1979-05-27 07:32:00 # 43
after_date = 44
empty = []
nothing = {}
after_empty = 47
spaced . key   =   48
`;

function* leaves(value: unknown, path: Path = []): Generator<[Path, number]> {
  if (typeof value === 'number') yield [path, value];
  else if (Array.isArray(value)) {
    for (const [nth, element] of value.entries()) yield* leaves(element, [...path, nth]);
  } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    for (const [key, child] of Object.entries(value)) yield* leaves(child, [...path, key]);
  }
}

describe('line index', () => {
  const found = [...leaves(parse(NUMBERED))];

  it('has a document with every form of key to be tested on', () => {
    expect(found).toHaveLength(32);
  });

  it.each(['\n', '\r\n'])('knows the line of every key, with %j as line end', (lineEnd) => {
    const lineOf = indexLines(NUMBERED.replaceAll('\n', lineEnd));
    const wrong = found.filter(([path, line]) => lineOf(path) !== line);
    expect(wrong).toEqual([]);
  });

  it.each<[Path, number]>([
    [['table'], 7],
    [['table', 'text'], 9],
    [['table', 'multi'], 11],
    [['table', 'literal'], 16],
    [['table', 'sub'], 19],
    [['table', 'sub', 'with.dot'], 19],
    [['list'], 21],
    [['list', 0], 21],
    [['list', 1], 29],
    [['list', 0, 'deep'], 25],
    [['list', 0, 'deep', 1], 27],
    [['list', 1, 'child'], 31],
    [['other', 'inline'], 36],
    [['other', 'array', 2], 40],
    [['dotted', 'key'], 3],
  ])('knows where %j begins', (path, line) => {
    expect(indexLines(NUMBERED)(path)).toBe(line);
  });

  it('gives the line of the nearest ancestor for what does not stand there', () => {
    const lineOf = indexLines(NUMBERED);
    expect(lineOf(['list', 1, 'missing', 'deeper'])).toBe(29);
    expect(lineOf(['no', 'such', 'table'])).toBe(1);
    expect(lineOf([])).toBe(1);
  });

  it('starts at line 1 behind a byte order mark, and copes with no text at all', () => {
    expect(indexLines('\uFEFFa = 1\nb = 2')(['b'])).toBe(2);
    expect(indexLines('')(['a'])).toBe(1);
    expect(indexLines('# only a comment')(['a'])).toBe(1);
  });

  it('takes linear time on a large document', () => {
    const many = Array.from({ length: 20_000 }, (_, n) => `key${n} = "value ${n}"`).join('\n');
    expect(indexLines(many)(['key19999'])).toBe(20_000);
  });
});
