/** Small real disks that can be filled and broken. They need root, and a kernel that lets us mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Disk {
  readonly path: string;
  /** To the last byte. */
  fill(): void;
  empty(): void;
  remove(): void;
}

export interface BreakableDisk extends Disk {
  /** Goes read-only under open files, as ext4 does after an error of the device (errors=remount-ro). */
  break(): void;
  /** Unmounts, checks and mounts it again; nothing may have it open. */
  repair(): void;
  /** Mounts it read-only; nothing may have it open. */
  protect(): void;
}

const mounted = new Set<() => void>();
process.on('exit', () => {
  for (const remove of mounted) remove();
});

/** In memory; a page of 4 KiB is the smallest that it gives. */
export function mountMemoryDisk(mebibytes: number): Disk {
  const path = mkdtempSync(join(tmpdir(), 'arbstr-disk-'));
  mount('-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path);
  return fillable(path, () => {
    execFileSync('umount', ['--lazy', path]);
    rmSync(path, { recursive: true, force: true });
  });
}

/** ext4 in a file. */
export function mountBreakableDisk(mebibytes: number): BreakableDisk {
  const folder = mkdtempSync(join(tmpdir(), 'arbstr-disk-'));
  const image = join(folder, 'image');
  const path = join(folder, 'mounted');
  writeFileSync(image, '');
  execFileSync('truncate', ['--size', `${mebibytes}M`, image]);
  run('mkfs.ext4', '-q', '-F', image);
  execFileSync('mkdir', [path]);
  mount('-o', 'loop', image, path);
  const disk = fillable(path, () => {
    execFileSync('umount', ['--lazy', path]);
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    ...disk,
    // See ext4(5), "abort": simulates what a failing device does.
    break: () => mount('-o', 'remount,abort', path),
    repair() {
      execFileSync('umount', [path]);
      run('fsck.ext4', '-p', image);
      mount('-o', 'loop', image, path);
    },
    protect() {
      execFileSync('umount', [path]);
      run('fsck.ext4', '-p', image);
      mount('-o', 'loop,ro', image, path);
    },
  };
}

function fillable(path: string, unmount: () => void): Disk {
  const ballast = join(path, 'ballast');
  const remove = () => {
    if (mounted.delete(remove)) unmount();
  };
  mounted.add(remove);
  return {
    path,
    fill() {
      const file = openSync(ballast, 'a');
      // Ever smaller pieces, so that no gap is left for a small write.
      for (let bytes = 1024 * 1024; bytes >= 512; bytes /= 2) {
        while (appended(file, bytes));
      }
      closeSync(file);
    },
    empty: () => rmSync(ballast, { force: true }),
    remove,
  };
}

function appended(file: number, bytes: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(bytes)) === bytes;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false;
    throw error;
  }
}

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** fsck ends with 1 where it has corrected something. */
function run(program: string, ...args: string[]): void {
  try {
    execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    if ((error as { status?: number }).status !== 1 || program === 'mkfs.ext4') throw error;
  }
}

/** Why there can be no such disks here; null = there can. */
export function whyNoDisks(): string | null {
  try {
    mountMemoryDisk(1).remove();
    mountBreakableDisk(4).remove();
    return null;
  } catch (error) {
    return `no disks can be mounted here: ${error instanceof Error ? error.message : String(error)}`;
  }
}
