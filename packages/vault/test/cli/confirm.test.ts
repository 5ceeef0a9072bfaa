/** The question before what cannot be undone: who is asked, and what counts as yes. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { mustConfirm, QUESTION_MAX_MS } from '../../src/cli/confirm.ts';
import { runCommand, somebody } from '../support/command.ts';
import {
  closeVaults,
  fundedAgent,
  openVault,
  temporaryFolder,
  verifyFile,
} from '../support/vault.ts';

afterEach(async () => {
  vi.useRealTimers();
  await closeVaults();
});

const asked = (answer: string) =>
  mustConfirm({ yes: false, terminal: () => somebody(answer) }, () => ['this']);

test.each(['y\n', 'Y\n', 'yes\n', ' YES \r\n'])('%j is yes', async (answer) => {
  await expect(asked(answer)).resolves.toBeUndefined();
});

test.each(['', '\n', 'n\n', 'no\n', 'ja\n', 'yes please\n', 'yy\n', '\ny\n', 'n\ny\n'])(
  '%j is no',
  async (answer) => {
    await expect(asked(answer)).rejects.toThrow('nothing was changed');
  },
);

test('what happens is shown before the question, without the escapes in it', async () => {
  const terminal = somebody('y\n');
  await mustConfirm({ yes: false, terminal: () => terminal }, async () => ['to \u001b[2Kmallory']);
  expect(terminal.asked()).toBe('to \\u{1b}[2Kmallory\nThis cannot be undone. Go on? [y/N] ');
});

test('silence is no', async () => {
  vi.useFakeTimers();
  const silent = { input: new PassThrough(), output: new PassThrough() };
  const answered = mustConfirm({ yes: false, terminal: () => silent }, () => []);
  const refused = expect(answered).rejects.toThrow('nothing was changed');
  await vi.advanceTimersByTimeAsync(QUESTION_MAX_MS);
  await refused;
});

test.each([
  ['who said yes before', true, () => somebody('n\n')],
  ['a script', false, () => null],
])('%s is not asked', async (_who, yes, terminal) => {
  const describeIt = vi.fn(() => []);
  await mustConfirm({ yes, terminal }, describeIt);
  expect(describeIt).not.toHaveBeenCalled();
});

const MAIN = join(import.meta.dirname, '../../src/main.ts');

/** Runs a command at a pseudo-terminal, answers its question, and ends as it ended. */
const AT_A_TERMINAL = `
import os, pty, sys
answer, command = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
seen = b''
while True:
    try:
        chunk = os.read(terminal, 4096)
    except OSError:
        break
    if not chunk:
        break
    seen += chunk
    if answer and b'[y/N]' in seen:
        os.write(terminal, (answer + '\\n').encode())
        answer = ''
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0;

describe.skipIf(!hasPython)('at a real terminal', () => {
  const restore = (answer: string, backup: string, target: string) => {
    const { status, stdout } = spawnSync(
      'python3',
      ['-c', AT_A_TERMINAL, answer, process.execPath, MAIN, 'restore', backup],
      { env: { PATH: process.env.PATH, DATABASE_PATH: target }, encoding: 'utf8', timeout: 15_000 },
    );
    return { status, stdout };
  };

  test('no changes nothing, and yes goes on', async () => {
    const vault = await openVault();
    await fundedAgent(vault);
    const backup = join(temporaryFolder(), 'copy.db');
    await runCommand(['backup', backup], { DATABASE_PATH: vault.path });
    const target = join(temporaryFolder(), 'data', 'vault.db');

    const no = restore('n', backup, target);
    expect(no).toEqual({ status: 1, stdout: expect.stringContaining('nothing was changed') });
    expect(existsSync(join(target, '..'))).toBe(false);

    const yes = restore('yes', backup, target);
    expect(yes).toEqual({ status: 0, stdout: expect.stringContaining('in recovery mode') });
    expect(verifyFile(target).findings).toEqual([]);
  });
});
