/** The vault's commands: which one is meant, and what its end means to the shell. */
import { StartError } from '../errors.ts';
import { type Terminal, terminalOfProcess } from './confirm.ts';
import { operands, parseOptions, UsageError } from './options.ts';
import { harmless } from './print.ts';
import { ALL_USAGE, type Command, isCommand, usageOf } from './usage.ts';

const HELP: ReadonlySet<string> = new Set(['--help', '-h']);

/**
 * Runs one command; the exit code: 0 done, 1 failed, refused or not confirmed, 2 used wrongly, 3 as
 * `verify` says. Errors that the operator can mend are one line, not a stack.
 *
 * @param terminal where to ask what cannot be undone; null: nobody is there
 */
export async function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null = terminalOfProcess,
): Promise<number> {
  const [command, ...rest] = args;
  if (command === 'help' || HELP.has(command ?? '')) {
    process.stdout.write(ALL_USAGE);
    return 0;
  }
  if (!isCommand(command)) {
    if (command !== undefined) fail(`there is no command "${command}"`);
    process.stderr.write(ALL_USAGE);
    return 2;
  }
  if (rest.some((each) => HELP.has(each))) {
    process.stdout.write(usageOf(command));
    return 0;
  }
  try {
    return await dispatch(command, rest, environment, terminal);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    fail(error.message);
    if (!(error instanceof UsageError)) return 1;
    process.stderr.write(usageOf(command));
    return 2;
  }
}

function fail(message: string): void {
  for (const line of message.split('\n')) process.stderr.write(`vault: ${harmless(line)}\n`);
}

/** Each command loads what it needs: a shortcut must not wait for the whole service. */
async function dispatch(
  command: Command,
  rest: readonly string[],
  environment: NodeJS.ProcessEnv,
  terminal: () => Terminal | null,
): Promise<number> {
  switch (command) {
    case 'serve': {
      operands(parseOptions(rest, {}).positionals, []);
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
    case 'backup': {
      const { backup } = await import('./backup.ts');
      return backup(rest, environment);
    }
    case 'restore': {
      const { restore } = await import('./backup.ts');
      return restore(rest, environment, terminal);
    }
    case 'openapi': {
      const { openapi } = await import('./openapi.ts');
      return openapi(rest);
    }
    case 'approvals': {
      const { approvalsCommand } = await import('./approvals.ts');
      return approvalsCommand(rest, environment, terminal);
    }
    case 'payouts': {
      const { payoutsCommand } = await import('./payouts.ts');
      return payoutsCommand(rest, environment, terminal);
    }
    case 'webhooks': {
      const { webhooksCommand } = await import('./webhooks.ts');
      return webhooksCommand(rest, environment);
    }
    case 'dashboard': {
      const { dashboard } = await import('./dashboard.ts');
      return dashboard(rest, environment);
    }
    case 'recovery': {
      const { recoveryCommand } = await import('./recovery.ts');
      return recoveryCommand(rest, environment, terminal);
    }
    case 'agents':
    case 'deposit': {
      const { agentsCommand } = await import('./agents.ts');
      const of = command === 'deposit' ? ['deposit', ...rest] : rest;
      return agentsCommand(of, environment, terminal);
    }
  }
}
