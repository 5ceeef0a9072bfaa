/** What the disk under the databases takes for the least durable write: the floor of every commit. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender } from './rounds.ts';
import { quantile } from './statistics.ts';

/** Two pages, which is what a small commit appends to a write-ahead log. */
const BLOCK = Buffer.alloc(8 * 1024, 'bench');
/** Written again from the start, like a log after its checkpoint. */
const FILE_BYTES = 4 * 1024 * 1024;

/** Per round; enough for a median. */
export const DISK_MS = 200;

export function diskContender(folder: string, measureMs: number): Contender {
  return {
    name: 'disk',
    async measure() {
      return { p50: syncP50(join(folder, 'disk.bench'), measureMs) };
    },
  };
}

function syncP50(path: string, measureMs: number): number {
  const file = openSync(path, 'w');
  const latencies: number[] = [];
  const toMs = performance.now() + measureMs;
  let at = 0;
  for (let startMs = performance.now(); startMs < toMs; ) {
    writeSync(file, BLOCK, 0, BLOCK.length, at);
    fdatasyncSync(file);
    const endMs = performance.now();
    latencies.push(endMs - startMs);
    startMs = endMs;
    at = (at + BLOCK.length) % FILE_BYTES;
  }
  closeSync(file);
  return quantile(Float64Array.from(latencies).sort(), 0.5);
}
