/** Rows of figures, as a table for people and as JSON for programs. */
import type { Machine } from './machine.ts';
import type { Spread } from './statistics.ts';

export interface Row {
  /** suite/figure/contender */
  readonly name: string;
  readonly value: Spread;
  readonly unit: string;
  /** What it is held against, measured in the same rounds or fixed; same unit. */
  readonly limit?: { readonly of: string; readonly value: number };
  /** value ÷ limit; low and high over the rounds. */
  readonly ratio?: Spread;
  readonly goal?: Goal;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

/** `ratio` is that of the medians; its spread is that of the rounds. */
export function rowAgainst(
  name: string,
  unit: string,
  value: Spread,
  limit: { of: string; value: Spread },
  ratios: Spread,
  goal?: Goal,
): Row {
  const ratio = { ...ratios, median: value.median / limit.value.median };
  return {
    name,
    unit,
    value,
    limit: { of: limit.of, value: limit.value.median },
    ratio,
    ...(goal && { goal }),
  };
}

function isMet(goal: Goal, ratio: number): boolean {
  return 'atLeast' in goal ? ratio >= goal.atLeast : ratio <= goal.atMost;
}

export function jsonOf(rows: readonly Row[]): string {
  const plain = rows.map(({ name, value, unit, limit, ratio, goal }) => ({
    name,
    value: value.median,
    unit,
    limit: limit?.value ?? null,
    ratio: ratio?.median ?? null,
    low: value.low,
    high: value.high,
    limit_of: limit?.of ?? null,
    ratio_low: ratio?.low ?? null,
    ratio_high: ratio?.high ?? null,
    goal: goal ? goalText(goal) : null,
    met: goal && ratio ? isMet(goal, ratio.median) : null,
  }));
  return `${JSON.stringify(plain, null, 2)}\n`;
}

/** Load average of the minute before, below which a machine is taken to have nothing else to do. */
const QUIET_LOAD = 0.5;

export function machineText(machine: Machine): string {
  const { cpu, cores, memoryGib, system, fileSystem, node, commit, date, pinned, loadAverage } =
    machine;
  return [
    `${cores} × ${cpu}, ${memoryGib} GiB, ${system}, ${fileSystem}`,
    `Node ${node}, commit ${commit}, ${date}`,
    pinned
      ? 'what is measured has core 0 for itself; load, provider and vault share core 1'
      : 'processes are not pinned to cores here, so figures depend on the scheduler',
    ...(loadAverage > QUIET_LOAD
      ? [
          `BUSY: load average ${loadAverage.toFixed(1)} before the run; expect worse figures, widely spread`,
        ]
      : []),
  ].join('\n');
}

const HEADINGS = ['', 'median', 'low–high', 'unit', 'limit', 'ratio', 'low–high', 'goal'];

export function tableOf(rows: readonly Row[]): string {
  const cells = [HEADINGS, ...rows.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const isText = (column: number): boolean => column === 0 || column === 3 || column === 7;
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cellsOf({ name, value, unit, limit, ratio, goal }: Row): string[] {
  return [
    name,
    figure(value.median),
    `${figure(value.low)}–${figure(value.high)}`,
    unit,
    limit ? `${figure(limit.value)} ${limit.of}` : '',
    ratio ? ratio.median.toFixed(2) : '',
    ratio ? `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}` : '',
    goal && ratio ? `${goalText(goal)} ${isMet(goal, ratio.median) ? 'met' : 'MISSED'}` : '',
  ];
}

const goalText = (goal: Goal): string =>
  'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;

/** Three digits, so that noise does not look like knowledge. */
function figure(value: number): string {
  if (Math.abs(value) >= 1_000) {
    return Number(value.toPrecision(3)).toLocaleString('en-US', { maximumFractionDigits: 0 });
  }
  return String(Number(value.toPrecision(3)));
}
