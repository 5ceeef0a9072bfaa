/**
 * The ledger's engine in one process, without HTTP: reserve and settle, durable, beside bare SQLite
 * that does the least that a ledger must (two balances, a transfer and a sealed row per command) in
 * groups of the same size.
 */
import { messageOf, startChild } from '../child.ts';
import { MEASURED_CORE } from '../machine.ts';
import { profileArgs } from '../profile.ts';
import { type Row, rowAgainst } from '../report.ts';
import { type Contender, interleave } from '../rounds.ts';
import type { LedgerFindings, LedgerJob } from './ledger/job.ts';
import type { Suite } from './suite.ts';

/** Commands under way at once: one caller, as many as core's connections, a full batch. */
const GROUPS = [1, 64, 512];
const PLANS = {
  full: { rounds: 5, measureMs: 700 },
  quick: { rounds: 3, measureMs: 400 },
};
const START_MS = 20_000;
const GRACE_MS = 10_000;

export const ledger: Suite = {
  name: 'ledger',
  async measure({ folder, quick, profileFolder, say }) {
    const { rounds, measureMs } = quick ? PLANS.quick : PLANS.full;
    const child = startChild({
      name: 'ledger',
      script: 'bench/suites/ledger/main.ts',
      args: [folder],
      nodeArgs: profileArgs(profileFolder, 'ledger'),
      core: MEASURED_CORE,
      folder,
    });
    await messageOf(child, START_MS);
    const ask = async (job: LedgerJob): Promise<LedgerFindings> => {
      child.process.send(job);
      return messageOf<LedgerFindings>(child, job.measureMs + GRACE_MS);
    };

    const rows: Row[] = [];
    for (const group of GROUPS) {
      say(`ledger: ${group} under way`);
      const contenders: Contender[] = (['engine', 'sqlite'] as const).map((on) => ({
        name: on,
        measure: async () => ({ ...(await ask({ on, group, measureMs })) }),
      }));
      const measured = await interleave(rounds, contenders);
      for (const [figure, unit] of [
        ['perSecond', 'commands/s'],
        ['cpuUs', 'CPU µs/command'],
        ['p50', 'ms'],
      ] as const) {
        const label = figure === 'p50' ? 'p50' : figure === 'cpuUs' ? 'cpu' : 'rate';
        rows.push(
          rowAgainst(
            `ledger/${label}/${group} under way`,
            unit,
            measured.of('engine', figure),
            { of: 'bare SQLite', value: measured.of('sqlite', figure) },
            measured.derive((value) => value('engine', figure) / value('sqlite', figure)),
          ),
        );
      }
    }
    return rows;
  },
};
