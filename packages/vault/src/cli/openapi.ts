/** `openapi`: prints the API's description; `--check FILE` tells whether a copy is still true. */
import { readFileSync } from 'node:fs';
import { StartError } from '../errors.ts';
import { describeApi } from '../http/describe-api.ts';
import { operands, parseOptions } from './options.ts';

export async function openapi(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, { check: { type: 'string' } });
  operands(positionals, []);
  const file = values.check;
  const current = `${JSON.stringify(await describeApi(), null, 2)}\n`;
  if (file === undefined) {
    process.stdout.write(current);
    return 0;
  }
  if (readCopy(file) === current) return 0;
  throw new StartError(
    `${file} is not what the code says: node packages/vault/src/main.ts openapi > ${file}`,
  );
}

function readCopy(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
