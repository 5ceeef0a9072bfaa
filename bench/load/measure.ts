/** One window of load on one server, and what it cost the processes behind it. */
import type { Child } from '../child.ts';
import type { Figures } from '../rounds.ts';
import type { Generator } from './generator.ts';
import type { Turns } from './job.ts';

export interface Load {
  readonly port: number;
  readonly turns: Turns;
  readonly connections: number;
  readonly measureMs: number;
  /** Whose CPU time is counted, by the name of the figure. */
  readonly cpu?: Readonly<Record<string, Child>>;
  /** What the load leaves undone when it ends, to be awaited before CPU time is read. */
  readonly settled?: () => Promise<void>;
}

/** Until connections are open and every one has been answered. */
const WARM_MS = 150;
/** A bound for a server that answers faster than anything can. */
const TURNS_PER_SECOND_MAX = 100_000;

export async function measureLoad(generator: Generator, load: Load): Promise<Figures> {
  const { port, turns, connections, measureMs, cpu = {}, settled } = load;
  const before = readCpu(cpu);
  const turnsMax = Math.ceil(((WARM_MS + measureMs) / 1000) * TURNS_PER_SECOND_MAX);
  const job = { port, turns, connections, warmMs: WARM_MS, measureMs, turnsMax };
  const found = await generator.run(job);
  await settled?.();
  const after = readCpu(cpu);
  const figures: Record<string, number> = {
    perSecond: found.perSecond,
    p50: found.turn.p50,
    p99: found.turn.p99,
    firstByteP50: found.firstByte.p50,
  };
  for (const [nth, { p50, p99 }] of found.requests.entries()) {
    figures[`p50 of ${nth}`] = p50;
    figures[`p99 of ${nth}`] = p99;
  }
  for (const name of Object.keys(cpu)) {
    const [from, to] = [before[name], after[name]];
    if (from != null && to != null) figures[name] = ((to - from) * 1000) / found.turns;
  }
  return figures;
}

function readCpu(children: Readonly<Record<string, Child>>): Record<string, number | null> {
  return Object.fromEntries(Object.entries(children).map(([name, child]) => [name, child.cpuMs()]));
}
