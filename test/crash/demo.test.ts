/**
 * The demo and the examples as a newcomer runs them: real processes, their output read as text.
 * Every amount that the demo prints is parsed and held against the others.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, until } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A busy machine starts three processes slowly. */
const READY_MS = 60_000;
const LINES_MAX = 45;

interface Demo {
  readonly child: ChildProcess;
  readonly corePort: number;
  readonly vaultPort: number;
  stdout: string;
  stderr: string;
  readonly exited: Promise<number | null>;
}

const running = new Set<Demo>();
/** Where the demos make their folders. */
const tmp = mkdtempSync(join(tmpdir(), 'arbstr-demo-test-'));

async function startDemo(args: readonly string[] = [], ports?: [number, number]): Promise<Demo> {
  const [corePort, vaultPort] = ports ?? [await freePort(), await freePort()];
  const child = spawn(
    process.execPath,
    ['examples/demo.ts', '--core-port', `${corePort}`, '--vault-port', `${vaultPort}`, ...args],
    { cwd: ROOT, env: { ...process.env, TMPDIR: tmp }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(child, 'close').then(([code]) => {
    running.delete(demo);
    return code as number | null;
  });
  const demo: Demo = { child, corePort, vaultPort, stdout: '', stderr: '', exited };
  running.add(demo);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    demo.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    demo.stderr += text;
  });
  return demo;
}

async function startServingDemo(): Promise<Demo> {
  const demo = await startDemo();
  await until(
    () => demo.stdout.includes('Ctrl-C ends everything.'),
    READY_MS,
    () => `the demo does not serve:\n${demo.stdout}${demo.stderr}`,
  );
  return demo;
}

async function end(demo: Demo, signal: NodeJS.Signals): Promise<number | null> {
  demo.child.kill(signal);
  return demo.exited;
}

/** Both services are gone: their ports can be listened on. */
async function expectPortsFree({ corePort, vaultPort }: Demo): Promise<void> {
  for (const port of [corePort, vaultPort]) {
    await until(
      async () => (await listenOn(port).catch(() => null))?.close() !== undefined,
      10_000,
      () => `port ${port} is still taken`,
    );
  }
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function run(
  file: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      file,
      args,
      { cwd: ROOT, env: { PATH: process.env.PATH, ...env }, timeout: 15_000 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
  });
}

/** "9999.504" → 9999504: by its digits, so that the test rounds nothing. */
function msatOf(sats: string): number {
  const [whole, thousandths] = sats.split('.') as [string, string];
  return Number(whole + thousandths);
}

function amount(output: string, label: string): number {
  const found = new RegExp(`^  ${label}[^\\n]*? [-+]?(\\d+\\.\\d{3}) sats`, 'm').exec(output);
  if (found === null) throw new Error(`no amount for ${label} in:\n${output}`);
  return msatOf(found[1]!);
}

afterAll(async () => {
  for (const demo of running) await end(demo, 'SIGKILL');
  rmSync(tmp, { recursive: true, force: true });
});

describe('demo --once', () => {
  let output = '';
  let code: number | null = null;
  let demo: Demo;
  beforeAll(async () => {
    demo = await startDemo(['--once']);
    code = await demo.exited;
    output = demo.stdout;
  }, READY_MS);

  it('ends with 0 and leaves nothing behind', async () => {
    expect(demo.stderr).toBe('');
    expect(code).toBe(0);
    expect(readdirSync(tmp).filter((name) => name.startsWith('arbstr-demo-'))).toEqual([]);
    await expectPortsFree(demo);
  });

  it('prices the same tokens at every provider, and the cheapest answered', () => {
    const tokens = /What (\d+) prompt \+ (\d+) answer tokens/.exec(output)!;
    const total = Number(tokens[1]) + Number(tokens[2]);
    expect(amount(output, 'alpha')).toBe(total * 8);
    expect(amount(output, 'gamma')).toBe(total * 10);
    expect(amount(output, 'beta')).toBe(total * 12);
    expect(output).toMatch(/^ {2}alpha .* the cheapest answered$/m);
  });

  it('is what the README shows', () => {
    const readme = readFileSync(`${ROOT}README.md`, 'utf8');
    expect(readme).toContain(output.slice(output.indexOf('You: ')));
  });

  it('adds up to the msat: hold, bill, refund and balance', () => {
    const bill = Number(/the bill is (\d+) msat/.exec(output)![1]);
    const held = amount(output, 'held');
    expect(bill).toBeGreaterThan(0);
    expect(bill).toBe(amount(output, 'alpha'));
    expect(held - bill).toBe(amount(output, 'refund'));
    expect(amount(output, 'before') - bill).toBe(amount(output, 'after'));
  });
});

/** One demo for everything that only reads or asks; its last test ends it. */
describe('a demo that serves', () => {
  let demo: Demo;
  let env: Record<string, string>;
  beforeAll(async () => {
    demo = await startServingDemo();
    env = {
      ARBSTR_BASE_URL: `http://127.0.0.1:${demo.corePort}/v1`,
      ARBSTR_TOKEN: /vtk_[\w-]{43}/.exec(demo.stdout)![0],
    };
  }, READY_MS);

  it('fits on a page', () => {
    expect(demo.stdout.trimEnd().split('\n').length).toBeLessThanOrEqual(LINES_MAX);
  });

  it('prints curl lines that work as they are printed', async () => {
    const curls = demo.stdout.split('\n').filter((line) => line.startsWith('curl '));
    expect(curls.length).toBe(3);
    const [streamed, whole, balance] = await Promise.all(
      curls.map((line) => run('sh', ['-c', line])),
    );
    expect(streamed!.stdout).toMatch(/^: arbstr \{"cost_msats":\d+,"provider":"alpha"/m);
    expect(streamed!.stdout.trimEnd()).toMatch(/data: \[DONE\]$/);
    expect(whole!.stdout).toMatch(/^x-arbstr-cost-sats: [\d.]+\r?$/m);
    expect(JSON.parse(balance!.stdout)).toHaveProperty('balance_msat');
    // Core logs a request after it has answered it.
    await until(() => (demo.stdout.match(/^ {2}alpha .*tokens .* sats$/gm) ?? []).length >= 2);
  });

  it('prints operator lines that work as they are printed', async () => {
    // What `pnpm exec` does: run the pinned node.
    const commands = demo.stdout
      .split('\n')
      .filter((line) => line.startsWith('export ') || line.includes('packages/vault/src/main.ts'))
      .map((line) => line.replace('npx -y pnpm@12 exec node', `'${process.execPath}'`));
    expect(commands.length).toBe(4);
    const { code, stdout, stderr } = await run('sh', ['-ec', commands.join('\n')]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ag_\w+ {2}active {2}2\S+Z {2}demo$/m);
    expect(stdout).toMatch(/^ag_\w+ has 10\d{3}\.\d+ sats available/m);
    expect(stdout).toMatch(/^ok: /m);
    expect(code).toBe(0);
  });

  it('serves curl.sh, which shows a stream with its bill, and the headers', async () => {
    const { code, stdout } = await run('sh', ['examples/curl.sh'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^data: \{.*"delta":\{"content":/m);
    expect(stdout).toMatch(/^\d+ msat to alpha$/m);
    expect(stdout).toMatch(/^x-arbstr-cost-sats: /m);
  });

  it('serves node.mjs, which streams an answer and prints its bill', async () => {
    const { code, stdout } = await run(process.execPath, ['examples/node.mjs', 'Why sats?'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/It heard "Why sats\?"/);
    expect(stdout).toMatch(/\n\d+ msat to alpha for \d+ tokens\n$/);
  });

  it('serves python.py, where Python has the openai package', async (test) => {
    const python = await run('python3', ['-c', 'import openai']);
    if (python.code !== 0) test.skip('python3 cannot import openai here (pip install openai)');
    const { code, stdout } = await run('python3', ['examples/python.py', 'Why sats?'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/It heard "Why sats\?"/);
    expect(stdout).toMatch(/\n\d+ msat to alpha for \d+ tokens\n$/);
  });

  it('ends both services and itself with 0 at Ctrl-C', async () => {
    expect(await end(demo, 'SIGINT')).toBe(0);
    expect(demo.stderr).toBe('');
    await expectPortsFree(demo);
  });
});

describe('a demo that is ended', () => {
  it.concurrent('leaves nothing behind at SIGTERM', async () => {
    const demo = await startedDemo();
    expect(await end(demo, 'SIGTERM')).toBe(0);
    await expectPortsFree(demo);
  }, 90_000);

  it.concurrent('takes both services with it even when it is killed', async () => {
    const demo = await startedDemo();
    await end(demo, 'SIGKILL');
    await expectPortsFree(demo);
  }, 90_000);

  it.concurrent('says in one line which service has died', async () => {
    const demo = await startedDemo();
    const [first] = await childrenOf(demo.child.pid!);
    process.kill(first!, 'SIGKILL');
    expect(await demo.exited).toBe(1);
    expect(demo.stderr).toMatch(/^arbstr demo: (vault|core) has ended: .+\n$/);
    await expectPortsFree(demo);
  }, 90_000);
});

/** Both services answer; the first request is under way. */
async function startedDemo(): Promise<Demo> {
  const demo = await startDemo();
  await until(
    () => demo.stdout.includes('You: '),
    READY_MS,
    () => `the demo does not start:\n${demo.stdout}${demo.stderr}`,
  );
  return demo;
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child);
}

describe('the examples', () => {
  it.each([
    ['curl.sh', 'sh'],
    ['node.mjs', process.execPath],
  ])('%s says what is missing without its two variables', async (file, program) => {
    const { code, stderr } = await run(program, [`examples/${file}`]);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/the demo prints/);
  });
});

describe('a demo that cannot start', () => {
  it('says in one line which port is taken, and what to do', async () => {
    const taken = await freePort();
    const server = await listenOn(taken);
    const demo = await startDemo([], [await freePort(), taken]);
    expect(await demo.exited).toBe(1);
    server.close();
    expect(demo.stdout).toBe('');
    expect(demo.stderr).toBe(
      `arbstr demo: port ${taken}, where vault should listen, is taken: stop what listens there, or choose another with --vault-port PORT\n`,
    );
  });

  it.each([
    [['--core-port', '70000'], /--core-port must be a port/],
    [['--vault-port', '8080', '--core-port', '8080'], /choose two ports/],
    [['--twice'], /Unknown option '--twice' \(see --help\)/],
  ])('refuses %j in one line', async (args, message) => {
    const { code, stderr } = await run(process.execPath, ['examples/demo.ts', ...args]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n').length).toBe(1);
  });

  it('says in one line that it cannot write', async () => {
    const ports = ['--core-port', `${await freePort()}`, '--vault-port', `${await freePort()}`];
    const { code, stderr } = await run(process.execPath, ['examples/demo.ts', ...ports], {
      TMPDIR: '/nowhere',
    });
    expect(code).toBe(1);
    expect(stderr).toBe(
      'arbstr demo: cannot write in /nowhere (ENOENT): set TMPDIR to a folder where you may\n',
    );
  });
});
