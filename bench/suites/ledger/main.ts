/** The ledger's process: engine and bare SQLite side by side, one job after the other. */
import { join } from 'node:path';
import { quantile } from '../../statistics.ts';
import { openBareSqlite } from './bare-sqlite.ts';
import { openEngine } from './engine.ts';
import type { LedgerFindings, LedgerJob } from './job.ts';

const WARM_MS = 150;

const [folder] = process.argv.slice(2) as [string];
const callers = {
  engine: await openEngine(join(folder, 'ledger.db')),
  sqlite: openBareSqlite(join(folder, 'bare.db')),
};

async function run({ on, group, measureMs }: LedgerJob): Promise<LedgerFindings> {
  const latencies: number[] = [];
  const fromMs = performance.now() + WARM_MS;
  const toMs = fromMs + measureMs;
  let commands = 0;
  const cpuBefore = process.cpuUsage();
  await Promise.all(
    Array.from({ length: group }, async () => {
      const next = callers[on]();
      // The last command of a pair may come after the end, so that no hold is left open.
      for (let nth = 0; nth % 2 === 1 || performance.now() < toMs; nth++) {
        const startMs = performance.now();
        await next();
        const endMs = performance.now();
        commands++;
        if (endMs >= fromMs && endMs <= toMs) latencies.push(endMs - startMs);
      }
    }),
  );
  const cpu = process.cpuUsage(cpuBefore);
  return {
    perSecond: latencies.length / (measureMs / 1000),
    cpuUs: (cpu.user + cpu.system) / commands,
    p50: quantile(Float64Array.from(latencies).sort(), 0.5),
  };
}

// An end that writes the CPU profile, where one was asked for.
process.on('SIGTERM', () => process.exit(0));
process.channel!.ref();
process.on('message', async (job: LedgerJob) => process.send!(await run(job)));
process.send!('ready');
