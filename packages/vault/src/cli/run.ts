import { StartError } from '../errors.ts';
import { serve } from '../serve.ts';

const USAGE = `usage: node packages/vault/src/main.ts <command>

  serve                  run the vault, with settings from the environment
`;

/** Runs one command; the exit code. Errors that the operator can mend are one line, not a stack. */
export async function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const [command] = args;
  try {
    switch (command) {
      case 'serve':
        await serve(environment);
        return 0;
      default:
        process.stderr.write(USAGE);
        return 2;
    }
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    for (const line of error.message.split('\n')) process.stderr.write(`vault: ${line}\n`);
    return 1;
  }
}
