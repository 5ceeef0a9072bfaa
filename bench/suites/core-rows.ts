/** The rows of the core suite from its measured rounds. */
import { type Row, rowAgainst } from '../report.ts';
import type { Rounds } from '../rounds.ts';
import type { Spread } from '../statistics.ts';

const GATEWAYS = ['proxy', 'free', 'billed'] as const;
const CORES = ['free', 'billed'] as const;

/** Of the bare proxy's requests per second. */
const RATE_GOAL = { atLeast: 0.5 };
/** What a billed request may wait for core in the median, ms. */
const ADDED_MS_MAX = 1;

const WHOLE_FIGURES = [
  ['p50', 'p50'],
  ['p99', 'p99'],
] as const;
const STREAM_FIGURES = [...WHOLE_FIGURES, ['first byte p50', 'firstByteP50']] as const;

/** One request at a time: how much later than from the provider itself, and than through the proxy. */
export function addedRows(scene: string, rounds: Rounds): Row[] {
  const rows: Row[] = [
    {
      name: `core/c1 p50/${scene}/one durable write`,
      value: rounds.of('disk', 'p50'),
      unit: 'ms',
    },
  ];
  for (const [label, figure] of scene === 'stream' ? STREAM_FIGURES : WHOLE_FIGURES) {
    rows.push({
      name: `core/c1 ${label}/${scene}/direct`,
      value: rounds.of('direct', figure),
      unit: 'ms',
    });
    for (const name of GATEWAYS) {
      const added = rounds.derive((value) => value(name, figure) - value('direct', figure));
      rows.push(addedRow(`core/c1 added ${label}/${scene}/${name}`, added, figure, name));
    }
    if (figure === 'p99') continue;
    for (const name of CORES) {
      const added = rounds.derive((value) => value(name, figure) - value('proxy', figure));
      rows.push(
        addedRow(`core/c1 added ${label}/${scene}/${name} over proxy`, added, figure, name),
      );
    }
  }
  return rows;
}

function addedRow(name: string, added: Spread, figure: string, gateway: string): Row {
  if (figure === 'p99' || gateway !== 'billed') return { name, value: added, unit: 'ms' };
  const goal = { median: ADDED_MS_MAX, low: ADDED_MS_MAX, high: ADDED_MS_MAX };
  return rowAgainst(name, 'ms', added, { of: 'goal', value: goal }, added, { atMost: 1 });
}

/** Many at once, the gateway on one core. */
export function rateRows(scene: string, connections: number, rounds: Rounds): Row[] {
  const unit = scene === 'whole' ? 'requests/s' : 'streams/s';
  const title = `core/c${connections} rate/${scene}`;
  const proxy = rounds.of('proxy', 'perSecond');
  return [
    { name: `${title}/direct`, value: rounds.of('direct', 'perSecond'), unit },
    { name: `${title}/proxy`, value: proxy, unit },
    ...CORES.map((name) =>
      rowAgainst(
        `${title}/${name}`,
        unit,
        rounds.of(name, 'perSecond'),
        { of: 'proxy', value: proxy },
        rounds.derive((value) => value(name, 'perSecond') / value('proxy', 'perSecond')),
        RATE_GOAL,
      ),
    ),
  ];
}

/** CPU time per request, all threads of the process. */
export function cpuRows(scene: string, connections: number, rounds: Rounds): Row[] {
  if (!rounds.has('proxy', 'cpuUs')) return [];
  const title = `core/c${connections} cpu/${scene}`;
  const proxy = rounds.of('proxy', 'cpuUs');
  const against = (name: string, gateway: string, figure: string): Row =>
    rowAgainst(
      `${title}/${name}`,
      'µs',
      rounds.of(gateway, figure),
      { of: 'proxy', value: proxy },
      rounds.derive((value) => value(gateway, figure) / value('proxy', 'cpuUs')),
    );
  return [
    { name: `${title}/proxy`, value: proxy, unit: 'µs' },
    ...CORES.map((name) => against(name, name, 'cpuUs')),
    against('vault for billed', 'billed', 'vault cpuUs'),
  ];
}

/** Resident memory after all of it. */
export function memoryRow(name: string, mib: number | null): Row[] {
  if (mib === null) return [];
  return [
    { name: `core/memory/${name}`, value: { median: mib, low: mib, high: mib }, unit: 'MiB' },
  ];
}
