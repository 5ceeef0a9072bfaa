import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/config/secret.ts';

const VALUE = 'sk-live-0123456789';

describe('a secret', () => {
  it.each<[string, (secret: Secret) => string]>([
    ['a template', (s) => `${s}`],
    ['concatenation', (s) => `${String(s)}!`],
    ['JSON.stringify', (s) => JSON.stringify({ s })],
    ['util.inspect', (s) => inspect({ deep: [s] }, { depth: 10, showHidden: true })],
    ['util.format', (s) => format('%s %o %j', s, s, s)],
    ['its keys', (s) => JSON.stringify([Object.entries(s), Reflect.ownKeys(s)])],
    ['an error', (s) => new Error(`cannot use ${s}`).stack ?? ''],
    ['structured clone', (s) => JSON.stringify(structuredClone({ ...s }))],
  ])('is not printed by %s', (_name, print) => {
    const printed = print(new Secret(VALUE));
    expect(printed).not.toContain(VALUE);
    expect(printed).not.toContain(VALUE.slice(6));
  });

  it('gives its value to the one who asks', () => {
    expect(new Secret(VALUE).reveal()).toBe(VALUE);
  });

  it.each([
    [VALUE, 'sk-liv...***'],
    ['0123456789', '012345...***'],
    ['012345678', '[REDACTED]'],
    ['', '[REDACTED]'],
    ['ключ-длинный', 'ключ-д...***'],
    ['🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑', '🔑🔑🔑🔑🔑🔑...***'],
    ['🔑🔑🔑🔑🔑', '[REDACTED]'],
  ])('masks %j as %s', (value, mask) => {
    expect(new Secret(value).mask()).toBe(mask);
    expect(String(new Secret(value))).toBe(mask);
  });
});
