/**
 * `npx pnpm@12 bench`: what arbstr's own work costs, held against the least that such a service can
 * cost, in the same run. Everything runs on this machine, talks to 127.0.0.1 only, and is ended.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { killChildren, stopChildren } from './child.ts';
import { startGenerator } from './load/generator.ts';
import { describeMachine, makeRunFolder } from './machine.ts';
import { profileTexts } from './profile.ts';
import { jsonOf, machineText, type Row, tableOf } from './report.ts';
import { core } from './suites/core.ts';
import { ledger } from './suites/ledger.ts';
import { route } from './suites/route.ts';
import type { Run, Suite } from './suites/suite.ts';
import { vaultHttp } from './suites/vault-http.ts';

const SUITES: readonly Suite[] = [ledger, vaultHttp, core, route];

const HELP = `arbstr's benchmarks

Usage: npx pnpm@12 bench [options]

  --only NAME  one of ${SUITES.map(({ name }) => name).join(', ')}
  --json FILE  also write the rows as JSON
  --quick      a minute or two instead of six; the first full run also writes a database with a
               million past reservations, which takes minutes and is kept
  --folder D   put the databases into folder D, to measure its disk
  --profile D  also write CPU profiles of what is measured into folder D, and say what they show;
               a profiled process is slower
  --help       this text
`;

interface Options {
  readonly suites: readonly Suite[];
  readonly jsonPath: string | undefined;
  readonly quick: boolean;
  readonly profileFolder: string | undefined;
  /** For the databases; undefined = beside the benchmarks. */
  readonly parent: string | undefined;
}

/** null = help was asked for. Throws where an option is wrong. */
function readOptions(args: readonly string[]): Options | null {
  const { values } = parseArgs({
    // pnpm passes the separator on.
    args: args.filter((arg) => arg !== '--'),
    options: {
      only: { type: 'string' },
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      profile: { type: 'string' },
      folder: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const suites = SUITES.filter(({ name }) => values.only === undefined || name === values.only);
  if (suites.length === 0) {
    const names = SUITES.map(({ name }) => name).join(', ');
    throw new Error(`there is no benchmark ${values.only}; there are ${names}`);
  }
  const profileFolder = values.profile === undefined ? undefined : resolve(values.profile);
  const parent = values.folder === undefined ? undefined : resolve(values.folder);
  return { suites, jsonPath: values.json, quick: values.quick, profileFolder, parent };
}

async function bench(options: Options): Promise<void> {
  const { suites, jsonPath, quick, profileFolder, parent } = options;
  const folder = makeRunFolder(parent);
  process.on('exit', () => {
    killChildren();
    rmSync(folder, { recursive: true, force: true });
  });
  print(`${machineText(describeMachine(folder))}\n`);
  const rows: Row[] = [];
  for (const suite of suites) {
    const generator = startGenerator(folder);
    const run: Run = { folder, generator, quick, profileFolder, say };
    rows.push(...(await suite.measure(run)));
    await stopChildren();
  }
  print(`\n${tableOf(rows)}\n`);
  if (profileFolder !== undefined) print(profileTexts(profileFolder).join('\n\n'));
  if (jsonPath !== undefined) writeFileSync(jsonPath, jsonOf(rows));
}

const startMs = performance.now();

/** Progress goes beside the table, not into it. */
function say(line: string): void {
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${seconds} s  ${line}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** The `exit` handler ends what is still running. */
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(code));
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) print(HELP);
  else await bench(options);
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exit(1);
}
