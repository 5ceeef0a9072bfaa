/** Options and operands of commands; a mistake in them is a mistake of use, exit code 2. */
import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { StartError } from '../errors.ts';

/** Nothing was asked for: `run` shows how to use the command, and ends with 2. */
export class UsageError extends StartError {}

export const FLAG = { type: 'boolean', default: false } as const;

/** Of every command that changes something at the vault and may have to ask before. */
export const CHANGING = {
  json: FLAG,
  yes: FLAG,
  'idempotency-key': { type: 'string' },
} as const;

/** Throws UsageError, which names the option that is not known. */
export function parseOptions<const T extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Refuses options that other commands of the family have: ignored, they would seem to be obeyed. */
export function mustTake(command: string, given: object, takes: readonly string[]): void {
  const values = given as Record<string, unknown>;
  const other = Object.keys(values).find(
    (name) => values[name] !== false && values[name] !== undefined && !takes.includes(name),
  );
  if (other !== undefined) throw new UsageError(`${command} does not take --${other}`);
}

/** As many operands as `names`, each not empty. */
export function operands(found: readonly string[], names: readonly string[]): string[] {
  const missing = names.find((_, n) => !found[n]);
  if (missing !== undefined) throw new UsageError(`needs ${missing}`);
  if (found.length > names.length) {
    throw new UsageError(`does not know what "${found[names.length]}" is for`);
  }
  return [...found];
}

/** A whole amount, msat, as it is written in a command. */
export function amountOf(text: string): number {
  const amount = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(amount)) {
    throw new UsageError(`"${text}" is no amount: give an integer of msat (1 sat = 1,000)`);
  }
  return amount;
}
