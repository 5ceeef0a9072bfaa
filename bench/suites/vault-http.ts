/**
 * Reserve and settle over HTTP on a real, durable vault process, new and with a long history,
 * beside an echo that takes and gives the same bodies and does nothing.
 */
import { randomBytes } from 'node:crypto';
import { createIdSource } from '../../packages/shared/src/index.ts';
import { AGENTS, prepareHistory } from '../arbstr/history.ts';
import { createAgents, startVault, verifyBooks } from '../arbstr/vault.ts';
import type { Child } from '../child.ts';
import { DISK_MS, diskContender } from '../disk.ts';
import type { Payer, Turns } from '../load/job.ts';
import { type Load, measureLoad } from '../load/measure.ts';
import { MEASURED_CORE } from '../machine.ts';
import { profileArgs } from '../profile.ts';
import { type Row, rowAgainst } from '../report.ts';
import { type Contender, interleave, type Rounds } from '../rounds.ts';
import { startServer } from '../servers/serve.ts';
import type { Plan, Run, Suite } from './suite.ts';

/** Past reservations at the start. */
const HISTORIES = { full: [0, 100_000, 1_000_000], quick: [0, 100_000] };
const PLANS: Record<'full' | 'quick', { loaded: Plan; alone: Plan }> = {
  full: { loaded: { rounds: 5, measureMs: 1_500 }, alone: { rounds: 5, measureMs: 500 } },
  quick: { loaded: { rounds: 3, measureMs: 1_000 }, alone: { rounds: 3, measureMs: 400 } },
};
const LOADED = 64;
/** Before the first round: for the compiler. */
const WARM_UP_MS = 1_500;

/** Verifying a larger history after each run would take longer than the run; it was when written. */
const VERIFIED_MAX = 100_000;

const PAIRS_GOAL = { atLeast: 0.5 };
const FLAT_GOAL = { atLeast: 0.9 };

interface Target {
  readonly name: string;
  readonly child: Child;
  readonly port: number;
  readonly turns: Turns;
}

export const vaultHttp: Suite = {
  name: 'vault-http',
  async measure(run) {
    const { folder, quick, say } = run;
    const histories = quick ? HISTORIES.quick : HISTORIES.full;
    const echo = await startEcho(folder);
    const vaults: (Target & { databasePath: string })[] = [];
    for (const reservations of histories) vaults.push(await startAged(reservations, run));
    const targets = [echo, ...vaults];
    const { loaded, alone } = quick ? PLANS.quick : PLANS.full;

    say('vault-http: warming up');
    for (const target of targets)
      await measureLoad(run.generator, load(target, LOADED, WARM_UP_MS));
    say(`vault-http: ${LOADED} connections, then one`);
    const c64 = await interleave(loaded.rounds, contenders(run, targets, LOADED, loaded));
    const disk = diskContender(folder, DISK_MS);
    const c1 = await interleave(alone.rounds, [disk, ...contenders(run, targets, 1, alone)]);

    const names = vaults.map(({ name }) => name);
    for (const { child } of targets) await child.stop();
    say('vault-http: verifying the books');
    for (const [nth, { databasePath }] of vaults.entries()) {
      if (histories[nth]! <= VERIFIED_MAX) verifyBooks(databasePath);
    }
    return [
      ...throughputRows(c64, names),
      ...latencyRows(c64, names, 'c64'),
      { name: 'vault-http/c1/one durable write', value: c1.of('disk', 'p50'), unit: 'ms' },
      ...latencyRows(c1, names, 'c1'),
    ];
  },
};

async function startEcho(folder: string): Promise<Target> {
  const { child, port } = await startServer('echo', MEASURED_CORE, folder);
  const newId = createIdSource(Date.now, randomBytes);
  const token = (): string => `vtk_${randomBytes(32).toString('base64url')}`;
  const agents = Array.from({ length: AGENTS }, () => ({ id: newId('agent'), token: token() }));
  const internalToken = randomBytes(32).toString('base64url');
  return { name: 'echo', child, port, turns: { kind: 'pairs', internalToken, agents } };
}

async function startAged(reservations: number, { folder, say, profileFolder }: Run) {
  const name = `vault@${reservations === 0 ? 0 : reservations.toExponential(0).replace('+', '')}`;
  const history = reservations === 0 ? null : await prepareHistory(reservations, folder, say);
  const vault = await startVault({
    name,
    core: MEASURED_CORE,
    folder,
    nodeArgs: profileArgs(profileFolder, name),
    ...(history && { databasePath: history.databasePath }),
  });
  const agents: readonly Payer[] = history?.agents ?? (await createAgents(vault, AGENTS));
  const { child, port, internalToken, databasePath } = vault;
  const turns: Turns = { kind: 'pairs', internalToken, agents };
  return { name, child, port, turns, databasePath };
}

function load({ child, port, turns }: Target, connections: number, measureMs: number): Load {
  return { port, turns, connections, measureMs, cpu: { cpuUs: child } };
}

function contenders(
  run: Run,
  targets: readonly Target[],
  connections: number,
  { measureMs }: Plan,
): Contender[] {
  return targets.map((target) => ({
    name: target.name,
    measure: () => measureLoad(run.generator, load(target, connections, measureMs)),
  }));
}

function throughputRows(c64: Rounds, vaults: readonly string[]): Row[] {
  const echo = c64.of('echo', 'perSecond');
  const rows: Row[] = [{ name: 'vault-http/c64/echo', value: echo, unit: 'pairs/s' }];
  for (const name of vaults) {
    const pairs = c64.of(name, 'perSecond');
    rows.push(
      // A turn of the echo is two requests too: pairs ÷ turns = 2 × pairs ÷ requests.
      rowAgainst(
        `vault-http/c64/${name}`,
        'pairs/s',
        pairs,
        { of: 'echo', value: echo },
        c64.derive((value) => value(name, 'perSecond') / value('echo', 'perSecond')),
        PAIRS_GOAL,
      ),
    );
  }
  const [young, ...old] = vaults as [string, ...string[]];
  for (const name of old) {
    rows.push(
      rowAgainst(
        `vault-http/c64-flat/${name}`,
        'pairs/s',
        c64.of(name, 'perSecond'),
        { of: young, value: c64.of(young, 'perSecond') },
        c64.derive((value) => value(name, 'perSecond') / value(young, 'perSecond')),
        FLAT_GOAL,
      ),
    );
  }
  for (const name of vaults) {
    if (!c64.has(name, 'cpuUs')) continue;
    rows.push(
      rowAgainst(
        `vault-http/c64-cpu/${name}`,
        'µs/pair',
        c64.of(name, 'cpuUs'),
        { of: 'echo', value: c64.of('echo', 'cpuUs') },
        c64.derive((value) => value(name, 'cpuUs') / value('echo', 'cpuUs')),
      ),
    );
  }
  return rows;
}

const FIGURES = [
  ['reserve p50', 'p50 of 0'],
  ['reserve p99', 'p99 of 0'],
  ['settle p50', 'p50 of 1'],
  ['settle p99', 'p99 of 1'],
] as const;

function latencyRows(rounds: Rounds, vaults: readonly string[], connections: string): Row[] {
  return vaults.flatMap((name) =>
    FIGURES.map(([label, figure]) =>
      rowAgainst(
        `vault-http/${connections} ${label}/${name}`,
        'ms',
        rounds.of(name, figure),
        { of: 'echo', value: rounds.of('echo', figure) },
        rounds.derive((value) => value(name, figure) / value('echo', figure)),
      ),
    ),
  );
}
