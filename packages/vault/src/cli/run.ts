import { StartError } from '../errors.ts';
import { serve } from '../serve.ts';
import { AGENTS_USAGE, agentsCommand } from './agents.ts';
import { openapi } from './openapi.ts';
import { verify } from './verify.ts';

const USAGE = `usage: node packages/vault/src/main.ts <command>

  serve                  run the vault, with settings from the environment
  verify [--json]        check books, audit trail and rows of the database at DATABASE_PATH
  openapi [--check FILE] print the API's description, or compare a copy with it

${AGENTS_USAGE}`;

/** Runs one command; the exit code. Errors that the operator can mend are one line, not a stack. */
export async function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const [command, ...rest] = args;
  try {
    switch (command) {
      case 'serve':
        await serve(environment);
        return 0;
      case 'verify':
        return verify(rest, environment);
      case 'agents':
        return await agentsCommand(rest, environment);
      case 'deposit':
        return await agentsCommand(['deposit', ...rest], environment);
      case 'openapi':
        return await openapi(rest);
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
