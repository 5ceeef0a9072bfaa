/**
 * Core in front of a provider that takes no time, free and billed, beside the provider itself and a
 * bare proxy: what a request waits for it, how many it serves on one core, and what that costs.
 */
import { startCore, untilDelivered } from '../arbstr/core.ts';
import { createAgents, startVault, verifyBooks } from '../arbstr/vault.ts';
import type { Child } from '../child.ts';
import { DISK_MS, diskContender } from '../disk.ts';
import { type Load, measureLoad } from '../load/measure.ts';
import { MEASURED_CORE, OTHER_CORE } from '../machine.ts';
import { profileArgs } from '../profile.ts';
import { type AnswerKind, chatBody, LONG_QUESTION, PROMPT_TOKENS } from '../prompts.ts';
import type { Row } from '../report.ts';
import { type Contender, interleave, type Rounds } from '../rounds.ts';
import { startServer } from '../servers/serve.ts';
import { addedRows, cpuRows, memoryRow, rateRows } from './core-rows.ts';
import type { Plan, Run, Suite } from './suite.ts';

const ALONE = 1;
const LOADED = 64;
const STREAMS = 16;
/** For the compiler, per server and kind of answer. */
const WARM_UP_MS = 1_500;

interface Scene {
  readonly name: string;
  readonly kind: AnswerKind;
  readonly question?: string;
  readonly connections: number;
  readonly plan: Plan;
}

function scenes(quick: boolean): readonly Scene[] {
  const alone = quick ? { rounds: 3, measureMs: 400 } : { rounds: 7, measureMs: 500 };
  const loaded = quick ? { rounds: 3, measureMs: 1_000 } : { rounds: 5, measureMs: 1_500 };
  return [
    { name: 'whole', kind: 'whole', connections: ALONE, plan: alone },
    { name: 'stream', kind: 'stream', connections: ALONE, plan: alone },
    {
      name: '64 KiB prompt',
      kind: 'whole',
      question: LONG_QUESTION,
      connections: ALONE,
      plan: alone,
    },
    { name: 'whole', kind: 'whole', connections: LOADED, plan: loaded },
    { name: 'stream', kind: 'stream', connections: STREAMS, plan: loaded },
    { name: 'packets', kind: 'packets', connections: STREAMS, plan: loaded },
  ];
}

/** Who answers, from the provider itself to all that arbstr does. */
interface Gateway {
  readonly name: 'direct' | 'proxy' | 'free' | 'billed';
  readonly child: Child;
  readonly port: number;
  readonly token: string;
  readonly cpu: Readonly<Record<string, Child>>;
  readonly settled?: () => Promise<void>;
}

export const core: Suite = {
  name: 'core',
  async measure(run) {
    const { quick, say } = run;
    const { gateways, databasePath, stop } = await startAll(run);
    say('core: warming up');
    for (const kind of ['whole', 'stream', 'packets'] as const) {
      const plan = { rounds: 1, measureMs: WARM_UP_MS };
      const scene: Scene = { name: kind, kind, connections: STREAMS, plan };
      await interleave(1, contenders(run, gateways, scene));
    }
    const rows: Row[] = [];
    for (const scene of scenes(quick)) {
      const { name, connections, plan } = scene;
      say(`core: ${name}, c=${connections}`);
      const disk = connections === ALONE ? [diskContender(run.folder, DISK_MS)] : [];
      const all = [...disk, ...contenders(run, gateways, scene)];
      const rounds = await interleave(plan.rounds, all);
      rows.push(...rowsOf(scene, rounds));
    }
    for (const { name, child } of gateways) rows.push(...memoryRow(name, child.rssMib()));
    await stop();
    say('core: verifying the books');
    verifyBooks(databasePath);
    return rows;
  },
};

function rowsOf({ name, connections }: Scene, rounds: Rounds): Row[] {
  if (connections === ALONE) return addedRows(name, rounds);
  return [...rateRows(name, connections, rounds), ...cpuRows(name, connections, rounds)];
}

async function startAll({ folder, profileFolder }: Run) {
  const tokens = [PROMPT_TOKENS.short, PROMPT_TOKENS.long].map(String);
  const provider = await startServer('provider', OTHER_CORE, folder, tokens);
  const proxy = await startServer('proxy', MEASURED_CORE, folder, [String(provider.port)]);
  const vault = await startVault({
    name: 'vault',
    core: OTHER_CORE,
    folder,
    nodeArgs: profileArgs(profileFolder, 'vault'),
  });
  const [agent] = await createAgents(vault, 1);
  const on = { core: MEASURED_CORE, folder, providerPort: provider.port };
  const free = await startCore({
    ...on,
    name: 'free',
    vault: null,
    nodeArgs: profileArgs(profileFolder, 'free'),
  });
  const billed = await startCore({
    ...on,
    name: 'billed',
    vault,
    nodeArgs: profileArgs(profileFolder, 'billed'),
  });

  const gateways: Gateway[] = [
    { name: 'direct', token: 'bench', ...provider, cpu: {} },
    { name: 'proxy', token: 'bench', ...proxy, cpu: { cpuUs: proxy.child } },
    { name: 'free', token: 'bench', ...free, cpu: { cpuUs: free.child } },
    {
      name: 'billed',
      token: agent!.token,
      ...billed,
      cpu: { cpuUs: billed.child, 'vault cpuUs': vault.child },
      settled: () => untilDelivered(billed),
    },
  ];
  return {
    gateways,
    databasePath: vault.databasePath,
    /** Core first: it delivers its last bills to the vault. */
    async stop() {
      for (const { child } of [billed, free, vault, proxy, provider]) await child.stop();
    },
  };
}

function contenders({ generator }: Run, gateways: readonly Gateway[], scene: Scene): Contender[] {
  const body = chatBody(scene.kind, scene.question);
  return gateways.map(({ name, port, token, cpu, settled }) => {
    const headers = { authorization: `Bearer ${token}` };
    const load: Load = {
      port,
      turns: {
        kind: 'same',
        shot: { path: '/v1/chat/completions', headers, body },
        streamed: scene.kind !== 'whole',
      },
      connections: scene.connections,
      measureMs: scene.plan.measureMs,
      cpu,
      ...(settled && { settled }),
    };
    return { name, measure: () => measureLoad(generator, load) };
  });
}
