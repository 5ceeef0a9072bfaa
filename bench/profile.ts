/** What of a CPU profile (V8's .cpuprofile) took the time: its functions by their own time. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './machine.ts';

/** Node's options that make it write `folder/name.cpuprofile` when it ends. */
export function profileArgs(folder: string | undefined, name: string): string[] {
  if (folder === undefined) return [];
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`];
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** µs before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
  };
}

const FUNCTIONS_SHOWN = 25;
/** Not work: waiting for something to do, and what the profiler itself could not place. */
const IDLE = new Set(['(idle)', '(program)']);

export function profileTexts(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'));
  return files.sort().map((file) => textOf(join(folder, file)));
}

function textOf(path: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const ownUs = new Map<string, number>();
  for (const [nth, id] of samples.entries()) {
    const place = places.get(id)!;
    ownUs.set(place, (ownUs.get(place) ?? 0) + timeDeltas[nth]!);
  }
  for (const idle of IDLE) ownUs.delete(idle);
  const totalUs = [...ownUs.values()].reduce((sum, us) => sum + us, 0);
  const lines = [...ownUs]
    .sort(([, a], [, b]) => b - a)
    .slice(0, FUNCTIONS_SHOWN)
    .map(([place, us]) => `${((us / totalUs) * 100).toFixed(1).padStart(6)} %  ${place}`);
  return [`${basename(path)}: ${(totalUs / 1e6).toFixed(1)} s of work`, ...lines].join('\n');
}

function placeOf({ functionName, url, lineNumber }: ProfileNode['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.startsWith('file:') ? fileURLToPath(url).replace(ROOT, '') : url;
  return `${name} ${file.replace(/^.*node_modules\//, '')}:${lineNumber + 1}`;
}
