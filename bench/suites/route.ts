/**
 * The choice of a route, without parsing, counting and sending: policy, complexity, floor, candidates,
 * rank and ceiling, over a market in which everybody sells everything. Beside it, in the same rounds,
 * a bare scan for the smallest product of tokens and rates.
 */
import { messageOf, startChild } from '../child.ts';
import { MEASURED_CORE } from '../machine.ts';
import { profileArgs } from '../profile.ts';
import { type Row, rowAgainst } from '../report.ts';
import { type Contender, interleave } from '../rounds.ts';
import type { Spread } from '../statistics.ts';
import {
  type AllocationFindings,
  CHOOSERS,
  type RouteJob,
  type SpeedFindings,
} from './route/job.ts';
import { SELLERS, VIRTUAL_MODELS } from './route/market.ts';
import type { Suite } from './suite.ts';

const PLANS = {
  full: { rounds: 5, measureMs: 500, choices: 200_000 },
  quick: { rounds: 3, measureMs: 200, choices: 50_000 },
};
/** A choice must not be what a request waits for. */
const GOAL_US = 100;
/** Of bytes per choice after the traffic, against before it. */
const GROWTH_MAX = 1.1;
const START_MS = 20_000;
const GRACE_MS = 60_000;

export const route: Suite = {
  name: 'route',
  async measure({ folder, quick, profileFolder, say }) {
    const { rounds, measureMs, choices } = quick ? PLANS.quick : PLANS.full;
    const child = startChild({
      name: 'route',
      script: 'bench/suites/route/main.ts',
      nodeArgs: ['--expose-gc', ...profileArgs(profileFolder, 'route')],
      core: MEASURED_CORE,
      folder,
    });
    await messageOf(child, START_MS);
    const ask = async <Findings>(job: RouteJob): Promise<Findings> => {
      child.process.send(job);
      return messageOf<Findings>(child, GRACE_MS);
    };

    say('route: choices');
    const contenders: Contender[] = CHOOSERS.map((on) => ({
      name: on,
      measure: async () => ({ ...(await ask<SpeedFindings>({ on, measureMs })) }),
    }));
    const measured = await interleave(rounds, contenders);
    const rows = CHOOSERS.filter((on) => on !== 'scan').map((on): Row => {
      const candidates = on === 'virtual' ? SELLERS * VIRTUAL_MODELS : SELLERS;
      const name = `route/choice/${on}, ${candidates} candidates`;
      // The goal is for one model; a virtual one is six of them.
      const goal = on === 'virtual' ? undefined : { atMost: 1 };
      const value = measured.of(on, 'cpuUs');
      const limit = { of: 'fixed', value: one(GOAL_US) };
      return rowAgainst(name, 'CPU µs', value, limit, over(value, GOAL_US), goal);
    });
    const scan = measured.of('scan', 'cpuUs');
    const overScan = measured.derive(
      (value) => value('cheapest', 'cpuUs') / value('scan', 'cpuUs'),
    );
    rows.push({
      name: 'route/choice/cheapest against a bare scan',
      unit: 'CPU µs',
      value: measured.of('cheapest', 'cpuUs'),
      limit: { of: 'bare scan', value: scan.median },
      ratio: overScan,
    });

    say('route: allocation');
    const { bytesBefore, bytesAfter, keptBytes } = await ask<AllocationFindings>({
      on: 'allocation',
      choices,
    });
    const after = `after ${choices.toLocaleString('en-US')} choices`;
    rows.push(
      rowAgainst(
        `route/allocated/per choice, ${after}`,
        'B',
        one(bytesAfter),
        { of: 'at first', value: one(bytesBefore) },
        one(bytesAfter / bytesBefore),
        { atMost: GROWTH_MAX },
      ),
      { name: `route/allocated/kept ${after}`, unit: 'B', value: one(keptBytes) },
    );
    return rows;
  },
};

const one = (value: number): Spread => ({ median: value, low: value, high: value });

const over = ({ median, low, high }: Spread, limit: number): Spread => ({
  median: median / limit,
  low: low / limit,
  high: high / limit,
});
