import { StartError } from '../errors.ts';
import { AGENTS_USAGE } from './usage.ts';

const USAGE = `usage: node packages/vault/src/main.ts <command>

  serve                  run the vault, with settings from the environment
  verify [--json] [--checkpoint FILE]…
                         check books, audit trail and rows of the database at DATABASE_PATH,
                         and that what exported checkpoints know is still there
  checkpoint FILE        where all its audit chains stand, signed; keep it on another machine
  backup FILE            a verified copy of that database, vault running or not
  restore FILE           a vault from such a copy, where there is none yet; it starts in recovery mode
  recovery finish        let a restored vault hold and pay again
  openapi [--check FILE] print the API's description, or compare a copy with it

${AGENTS_USAGE}`;

/** Runs one command; the exit code. Errors that the operator can mend are one line, not a stack. */
export async function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  try {
    return await dispatch(args, environment);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    for (const line of error.message.split('\n')) process.stderr.write(`vault: ${line}\n`);
    return 1;
  }
}

/** Each command loads what it needs: a shortcut must not wait for the whole service. */
async function dispatch(
  [command, ...rest]: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  switch (command) {
    case 'serve': {
      const { serve } = await import('../serve.ts');
      await serve(environment);
      return 0;
    }
    case 'verify': {
      const { verify } = await import('./verify.ts');
      return verify(rest, environment);
    }
    case 'checkpoint': {
      const { checkpoint } = await import('./checkpoint.ts');
      return checkpoint(rest, environment);
    }
    case 'backup':
    case 'restore': {
      const commands = await import('./backup.ts');
      return commands[command](rest, environment);
    }
    case 'approvals':
    case 'payouts': {
      const { judgeCommand } = await import('./judge.ts');
      return judgeCommand(command, rest, environment);
    }
    case 'webhooks': {
      const { webhooksCommand } = await import('./webhooks.ts');
      return webhooksCommand(rest, environment);
    }
    case 'recovery': {
      const { recoveryCommand } = await import('./backup.ts');
      return recoveryCommand(rest, environment);
    }
    case 'openapi': {
      const { openapi } = await import('./openapi.ts');
      return openapi(rest);
    }
    case 'agents':
    case 'deposit': {
      const { agentsCommand } = await import('./agents.ts');
      return agentsCommand(command === 'deposit' ? ['deposit', ...rest] : rest, environment);
    }
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}
