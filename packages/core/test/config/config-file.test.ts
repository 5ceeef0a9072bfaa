import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/config/config-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arbstr-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = (content: string | Buffer): string => {
  const path = join(folder, 'config.toml');
  writeFileSync(path, content);
  return path;
};

describe('the configuration file', () => {
  it('is read with its mode', () => {
    const path = file('a = "é"');
    chmodSync(path, 0o640);
    expect(readConfigFile(path)).toEqual({ text: 'a = "é"', mode: 0o640 });
  });

  it.each<[string, () => string, RegExp]>([
    ['is not there', () => join(folder, 'none.toml'), /no such file; give its path with -c/],
    ['is a folder', () => folder, /this is a folder/],
    ['is behind a file', () => join(file(''), 'x'), /no such file/],
    ['is not UTF-8', () => file(Buffer.from([0x61, 0xff])), /not UTF-8; save it as UTF-8/],
  ])('that %s is refused with the fix', (_name, path, message) => {
    expect(() => readConfigFile(path())).toThrow(message);
  });

  it('that is a database by mistake is refused before it is read', () => {
    const path = file('');
    truncateSync(path, 5 * 1024 * 1024);
    expect(() => readConfigFile(path)).toThrow('larger than 4 MiB');
  });
});
