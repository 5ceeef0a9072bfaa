/** Processes of a run. Every one that was started is ended by its own pid, whatever happens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canPin, cpuMsOf, ROOT, rssMibOf } from './machine.ts';

export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** The last lines that it wrote. */
  log(): string;
  cpuMs(): number | null;
  rssMib(): number | null;
  /** Asks it to end, and makes it end. Resolves when it is gone. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  readonly name: string;
  /** Relative to the repository. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly core: number;
  /** For its log. */
  readonly folder: string;
  readonly nodeArgs?: readonly string[];
}

const STOP_MS = 10_000;
const LOG_CHARS = 2_000;

const END_WITH_PARENT = new URL('end-with-parent.ts', import.meta.url).href;

const running = new Set<ChildProcess>();

export function startChild(options: ChildOptions): Child {
  const { name, script, args = [], env = {}, core, folder, nodeArgs = [] } = options;
  const node = [
    process.execPath,
    '--import',
    END_WITH_PARENT,
    ...nodeArgs,
    join(ROOT, script),
    ...args,
  ];
  const [command, ...rest] = canPin ? ['taskset', '-c', String(core), ...node] : node;
  const logPath = join(folder, `${name}.log`);
  const log = openSync(logPath, 'a');
  const child = spawn(command!, rest, {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.on('error', () => running.delete(child));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${name} did not start: ${command}`);
  return {
    name,
    pid,
    process: child,
    log: () => readFileSync(logPath, 'utf8').slice(-LOG_CHARS),
    cpuMs: () => cpuMsOf(pid),
    rssMib: () => rssMibOf(pid),
    stop: () => stop(child),
  };
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

async function stop(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}

/** For the end of a run, also of a failed one. */
export async function stopChildren(): Promise<void> {
  await Promise.all([...running].map(stop));
}

/** For an end that cannot wait. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** The next message of one of our own scripts; throws with its log where it ends instead. */
export function messageOf<T>(child: Child, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) => () => {
      end();
      reject(new Error(`${child.name} ${what}:\n${child.log()}`));
    };
    const onMessage = (message: T) => {
      end();
      resolve(message);
    };
    const onExit = fail('ended');
    if (hasEnded(child.process)) {
      reject(new Error(`${child.name} has ended:\n${child.log()}`));
      return;
    }
    const timer = setTimeout(fail(`said nothing for ${timeoutMs} ms`), timeoutMs);
    function end(): void {
      clearTimeout(timer);
      child.process.off('message', onMessage);
      child.process.off('exit', onExit);
    }
    child.process.once('message', onMessage);
    child.process.once('exit', onExit);
  });
}

const POLL_MS = 50;

/** Until `url` answers 200, or throws with the log of the process behind it. */
export async function untilHealthy(child: Child, url: string, timeoutMs: number): Promise<void> {
  const untilMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      await answer.body?.cancel();
      if (answer.status === 200) return;
    } catch {
      // Does not listen yet.
    }
    if (hasEnded(child.process) || Date.now() > untilMs) {
      throw new Error(`${child.name} does not answer on ${url}:\n${child.log()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
