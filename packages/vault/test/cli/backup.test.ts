/** What a restore and a backup are written over, and from which older schemas a restore works. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { backup, restore } from '../../src/cli/backup.ts';
import { StartError } from '../../src/errors.ts';
import { closeVaults, fundedAgent, openVault, temporaryFolder } from '../support/vault.ts';

beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await closeVaults();
});

const newPath = (name = 'vault.db') => join(temporaryFolder(), name);
const at = (DATABASE_PATH: string) => ({ DATABASE_PATH });

/** Of a vault with one agent. */
async function backedUp(): Promise<string> {
  const vault = await openVault();
  await fundedAgent(vault);
  const copy = newPath('copy.db');
  await backup([copy], at(vault.path));
  return copy;
}

/** SQLite would take a log beside the file for its own, whatever it is of. */
describe.each(['', '-wal', '-shm', '-journal'])('where FILE%s is there already', (suffix) => {
  test('a restore is refused and says what to do, and writes nothing', async () => {
    const copy = await backedUp();
    const target = newPath();
    writeFileSync(target + suffix, 'of another database');
    const refused = restore([copy], at(target));
    await expect(refused).rejects.toThrow(StartError);
    await expect(refused).rejects.toThrow(`${target}${suffix} exists`);
    await expect(refused).rejects.toThrow('move it away');
    expect(existsSync(target)).toBe(suffix === '');
  });

  test('a backup is refused likewise', async () => {
    const copy = await backedUp();
    const target = newPath();
    writeFileSync(target + suffix, 'of another database');
    await expect(backup([target], at(copy))).rejects.toThrow(`${target}${suffix} exists`);
    expect(existsSync(target)).toBe(suffix === '');
  });
});
