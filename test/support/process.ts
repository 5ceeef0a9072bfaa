/** Real service processes for tests: started on free ports, watched, and ended by their own pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A start takes a second on a machine that does nothing else. */
const READY_MS = 30_000;
const POLL_MS = 25;

export interface Service {
  readonly url: string;
  readonly pid: number;
  /** Everything written to stdout and stderr so far. */
  readonly output: () => string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** kill -9 unless told otherwise; resolves when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// A run that is given up must not leave services behind; by default this signal skips 'exit'.
process.once('SIGTERM', () => process.exit(143));

export { freePort } from '../../examples/demo/free-port.ts';

export interface StartOptions {
  /** Path from the repository's root, then arguments. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly port: number;
  /** Resolve as soon as the process runs, without waiting for /health. */
  readonly dontWait?: boolean;
}

export async function startService(options: StartOptions): Promise<Service> {
  const [script, ...args] = options.args as [string, ...string[]];
  const child = spawn(process.execPath, [ROOT + script, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { PATH: process.env.PATH, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  const service: Service = {
    url: `http://127.0.0.1:${options.port}`,
    pid: child.pid!,
    output: () => output,
    exited,
    kill(signal = 'SIGKILL') {
      child.kill(signal);
      return exited;
    },
  };
  if (options.dontWait !== true) await ready(service);
  return service;
}

async function ready(service: Service): Promise<void> {
  let gone = false;
  void service.exited.then(() => {
    gone = true;
  });
  await until(
    async () => {
      if (gone) throw new Error(`the service ended before it was ready:\n${service.output()}`);
      const answer = await fetch(`${service.url}/health`).catch(() => null);
      await answer?.arrayBuffer();
      return answer !== null;
    },
    READY_MS,
    () => `the service is not ready:\n${service.output()}`,
  );
}

/** Waits for a condition, bounded; fails with `why`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
  why: () => string = () => 'the condition did not come true in time',
): Promise<void> {
  const untilMs = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() >= untilMs) throw new Error(why());
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
