/** What the figures were measured on, and what of it the harness uses. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * On the repository's own disk: the system's temporary folder is often memory, where a durable
 * commit costs nothing. Ignored by git.
 */
export const WORK_FOLDER = join(ROOT, 'bench', '.work');

/** An empty folder for one run's databases and logs. Removes those of runs that were killed. */
export function makeRunFolder(parent = WORK_FOLDER): string {
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    const pid = /^arbstr-bench-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
  const folder = join(parent, `arbstr-bench-${process.pid}`);
  mkdirSync(folder);
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 only asks.
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The measured process has one core for itself; all that it talks to shares the other. */
export const MEASURED_CORE = 0;
export const OTHER_CORE = 1;

/** `taskset` is there and there is a second core; else everything runs where the system puts it. */
export const canPin: boolean = cpus().length > 1 && runs('taskset', ['-c', '0', 'true']);

function runs(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** https://man7.org/linux/man-pages/man2/statfs.2.html */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  16914836: 'tmpfs',
  2035054128: 'overlayfs',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  801189825: 'zfs',
};

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly fileSystem: string;
  readonly node: string;
  readonly commit: string;
  readonly date: string;
  readonly pinned: boolean;
  /** Of the last minute, processes: what else runs here. */
  readonly loadAverage: number;
}

/** `folder`: where the databases are. */
export function describeMachine(folder: string): Machine {
  const fileSystem = statfsSync(folder).type;
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    fileSystem: FILE_SYSTEMS[fileSystem] ?? `file system 0x${fileSystem.toString(16)}`,
    node: process.versions.node,
    commit: commit(),
    date: new Date().toISOString(),
    pinned: canPin,
    loadAverage: loadavg()[0]!,
  };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', 'packages').trim();
    return git('rev-parse', '--short=12', 'HEAD').trim() + (changed === '' ? '' : ' and changes');
  } catch {
    return 'unknown commit';
  }
}

/** CPU time of a process and all its threads, ms (10 ms steps); null where there is no /proc. */
export function cpuMsOf(pid: number): number | null {
  const text = readProc(pid, 'stat');
  if (text === null) return null;
  // The name in parentheses may hold spaces; user and system time are the 14th and 15th fields.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** USER_HZ, which is 100 on every architecture that Node runs on. */
const MS_PER_TICK = 10;

/** Resident memory, MiB. */
export function rssMibOf(pid: number): number | null {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status') ?? '')?.[1];
  return kib === undefined ? null : Number(kib) / 1024;
}

function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return null;
  }
}
