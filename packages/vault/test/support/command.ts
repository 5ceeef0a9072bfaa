/** A command of the operator in this process, and what it prints. */
import { PassThrough } from 'node:stream';
import { vi } from 'vitest';
import type { Terminal } from '../../src/cli/confirm.ts';
import { run } from '../../src/cli/run.ts';

export interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param terminal where the command may ask; by default nobody is there */
export async function runCommand(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: Terminal | null = null,
): Promise<Printed> {
  let stdout = '';
  let stderr = '';
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text;
    return true;
  });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text;
    return true;
  });
  try {
    const code = await run(args, environment, () => terminal);
    return { code, stdout, stderr };
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

/** Somebody who answers every question with these bytes; none: who closes the terminal. */
export function somebody(answer: string): Terminal & { asked(): string } {
  const input = new PassThrough();
  const output = new PassThrough();
  input.end(answer);
  let shown = '';
  output.on('data', (chunk) => {
    shown += chunk;
  });
  return { input, output, asked: () => shown };
}
