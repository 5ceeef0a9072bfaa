/** The question before what cannot be undone. */
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { StartError } from '../errors.ts';
import { harmless } from './print.ts';

export interface Terminal {
  readonly input: Readable;
  /** Not stdout: that is the answer's, and may go into a file. */
  readonly output: Writable;
}

/** Ten minutes, ms. A question left alone must not be answered by who comes by the next morning. */
export const QUESTION_MAX_MS = 600_000;

const STDIN = 0;
const STDERR = 2;

/** Null in a script, which nobody could answer for. */
export function terminalOfProcess(): Terminal | null {
  if (!isatty(STDIN) || !isatty(STDERR)) return null;
  return { input: process.stdin, output: process.stderr };
}

/** What a command asks by. `yes` (`--yes`): the operator has answered already. */
export interface Asking {
  readonly yes: boolean;
  readonly terminal: () => Terminal | null;
}

/**
 * Returns where somebody at a terminal said yes, where they had said it before, and where nobody
 * is there to ask. Any other answer, the end of the input and silence throw StartError.
 *
 * @param describe what is about to happen; called only where it is shown
 */
export async function mustConfirm(
  { yes, terminal }: Asking,
  describe: () => Promise<readonly string[]> | readonly string[],
): Promise<void> {
  const found = yes ? null : terminal();
  if (found === null) return;
  for (const line of await describe()) found.output.write(`${harmless(line)}\n`);
  const answer = await ask(found);
  if (!/^(y|yes)$/i.test(answer.trim())) {
    throw new StartError('not confirmed, so nothing was changed');
  }
}

function ask({ input, output }: Terminal): Promise<string> {
  const lines = createInterface({ input, terminal: false });
  return new Promise((resolve) => {
    const timer = setTimeout(() => lines.close(), QUESTION_MAX_MS);
    lines.once('line', (line) => {
      resolve(line);
      lines.close();
    });
    lines.once('close', () => {
      clearTimeout(timer);
      resolve('');
    });
    output.write('This cannot be undone. Go on? [y/N] ');
  });
}
