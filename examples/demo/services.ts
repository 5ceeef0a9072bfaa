/** The two services as child processes: started, watched, and ended whatever ends the demo. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DemoError } from './demo-error.ts';

export interface Service {
  readonly name: string;
  /** Rejects when the process ends, unless `end` ended it. */
  readonly died: Promise<never>;
  /** Resolves when GET /health says 200. */
  ready(): Promise<void>;
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when the process is gone. */
  end(graceMs: number): Promise<void>;
  /** SIGKILL, now. */
  kill(): void;
}

export interface ServiceOrder {
  readonly name: string;
  readonly url: string;
  /** From the repository's root. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Each line of its log. */
  readonly onLine?: (line: string) => void;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const END_WITH_PARENT = new URL('./end-with-parent.ts', import.meta.url).href;
/** Long enough for a small, busy machine. */
const READY_MS = 60_000;
const POLL_MS = 25;
const COMPLAINTS_MAX = 50;
/** The machine's own variables that a process may need; nothing else of the caller's reaches it. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SystemRoot'];

export function startService(order: ServiceOrder): Service {
  const { name } = order;
  // A process group of its own: Ctrl-C reaches the demo only, which then ends core before the vault.
  const child = spawn(process.execPath, ['--import', END_WITH_PARENT, ...order.args], {
    cwd: ROOT,
    env: { ...inherited(), ...order.env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: true,
  });
  const lastWords = listen(child, order.onLine);
  let ending = false;
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  const died = gone.then((): Promise<never> => {
    if (ending) return new Promise(() => {});
    throw new DemoError(`${name} has ended: ${lastWords() || 'it left no word'}`);
  });
  died.catch(() => {});

  return {
    name,
    died,
    ready: () => Promise.race([died, answers(name, order.url)]),
    async end(graceMs) {
      ending = true;
      child.kill('SIGTERM');
      const timeout = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await gone;
      clearTimeout(timeout);
    },
    kill() {
      ending = true;
      child.kill('SIGKILL');
    },
  };
}

function inherited(): Record<string, string> {
  return Object.fromEntries(
    INHERITED.flatMap((key) => (process.env[key] === undefined ? [] : [[key, process.env[key]]])),
  );
}

/** Reads the log; the answer is why it ended: its last complaint, else the last line of its log. */
function listen(child: ChildProcess, onLine: ServiceOrder['onLine']): () => string {
  const complaints: string[] = [];
  let logged = '';
  createInterface({ input: child.stderr! }).on('line', (line) => {
    if (line.trim() !== '') complaints.push(line.trim());
    if (complaints.length > COMPLAINTS_MAX) complaints.shift();
  });
  createInterface({ input: child.stdout! }).on('line', (line) => {
    logged = line;
    onLine?.(line);
  });
  // A crash prints its stack below the line that says what happened.
  return () => complaints.findLast((line) => /Error\b/.test(line)) ?? complaints.at(-1) ?? logged;
}

async function answers(name: string, url: string): Promise<void> {
  const untilMs = Date.now() + READY_MS;
  while (Date.now() < untilMs) {
    const answer = await fetch(`${url}/health`).catch(() => null);
    await answer?.arrayBuffer();
    if (answer?.ok) return;
    await wait(POLL_MS);
  }
  throw new DemoError(`${name} does not answer on ${url}/health after ${READY_MS / 1000} s`);
}
