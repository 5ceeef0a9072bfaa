import { describe, expect, it } from 'vitest';
import { keywordPattern, lastUserText } from '../../src/policy/keywords.ts';

const matches = (keywords: string[], text: string) => keywordPattern(keywords)?.test(text) ?? false;

describe('a keyword', () => {
  it.each([
    ['code', 'Please CODE this', true],
    ['code', 'encoded', false],
    ['code', 'code_generation', false],
    ['code', 'codé', false],
    ['code', '"code".', true],
    ['straße', 'In der Straße!', true],
    ['straße', 'Straßenbahn', false],
    ['unit  test', 'write a unit\ntest', true],
    ['c++', 'in C++, please', true],
    ['.*', 'anything', false],
    ['代码', '写 代码 吧', true],
    ['代码', '请帮我写代码吧', true],
    ['代码', '请帮我写程序吧', false],
    ['コード', 'このコードを直して', true],
    ['コードを', 'このコード を直して', false],
    ['python', 'Pythonで並べ替える', true],
    ['python', '用Python写', true],
    ['python', 'ipythonで', false],
    ['python3系', 'Python3系で', true],
    ['python3系', 'cpython3系で', false],
    ['โค้ด', 'ช่วยเขียนโค้ดให้หน่อย', true],
    ['код', 'кодекс', false],
  ])('%j in %j: %s', (keyword, text, expected) => {
    expect(matches([keyword], text)).toBe(expected);
  });

  it('is none where there are none', () => {
    expect(keywordPattern([])).toBeNull();
  });

  it('matches one of many', () => {
    expect(matches(['implement', 'debug'], 'help me debug')).toBe(true);
  });
});

describe('the text that keywords are looked for in', () => {
  it('is that of the last user message', () => {
    const messages = [
      { role: 'user', content: 'first' },
      { role: 'user', content: [{ type: 'text', text: 'second' }, { type: 'image_url' }, null] },
      { role: 'assistant', content: 'third' },
    ];
    expect(lastUserText(messages)).toBe('second\n\n');
    expect(lastUserText([{ role: 'system', content: 'x' }])).toBe('');
    expect(lastUserText([{ role: 'user', content: null }])).toBe('');
  });

  it('is its start and its end where it is long', () => {
    const text = lastUserText([{ role: 'user', content: `code ${'x'.repeat(1e6)} debug` }]);
    expect(text.length).toBeLessThan(40_000);
    expect(matches(['code'], text) && matches(['debug'], text)).toBe(true);
  });
});
