/**
 * Everything at once, by seeded chance: forty callers that leave at any stage, providers that fail,
 * a line that stalls, breaks and loses messages, and kill -9 of core and of the vault. At the end
 * each request is judged by what its caller and its provider have seen.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { countTokens } from '../../packages/core/src/tokens/count.ts';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import type { Agent } from '../support/stack.ts';
import { type Answering, ask, type Ending } from './support/ask.ts';
import { checkpointed } from './support/checkpointed.ts';
import {
  ALPHA_RATE,
  BETA_RATE,
  type Gated,
  promptCost,
  restartCore,
  revive,
  startGated,
} from './support/gated.ts';
import { type Random, seeded } from './support/random.ts';
import { type Bill, expectWhole } from './support/whole.ts';

const CALLERS = 40;
const BLOWS = 14;
/** A slow machine gets fewer. */
const STORM_MS_MAX = 60_000;
const WORDS_MAX = 300;
/** Pauses between two blows. */
const CALM_MS = [500, 2_500] as const;

/** When a caller hangs up. */
type Leaving =
  | { readonly when: 'never' }
  | { readonly when: 'after_ms'; readonly ms: number }
  | { readonly when: 'after_chars'; readonly chars: number }
  | { readonly when: 'at_the_end' };

interface Asked {
  readonly client: Answering;
  readonly ending: Ending;
  /** From the first byte of the question to the end of the answer. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** When core was killed. */
const killsMs: number[] = [];
/** Correlation ids of requests that a provider was told to spoil. */
const spoiled = new Set<string>();
/** Core has journaled the end of a request this long after its caller has gone. */
const ENDED_AFTER_MS = 3_000;
/** For which a core that waits for a busy disk may write no checkpoint, and deliver nothing. */
const STALL_MS = 3_000;

let gated: Gated;

beforeAll(async () => {
  gated = await startGated({ vaultToml: 'pending_threshold = 100000' });
});
afterAll(() => gated?.stop());

it('loses nothing and bills nothing twice', { timeout: 150_000 }, () =>
  seeded(async (random) => {
    const agents = await Promise.all(Array.from({ length: 4 }, () => gated.stack.agent()));
    const behave = (call: MockCall): Partial<MockBehaviour> => {
      const id = String(call.headers['x-request-id']);
      const chosen = behaviour(random.fork(`${id} ${call.headers.authorization}`));
      if (chosen.faults !== undefined) spoiled.add(id);
      return chosen;
    };
    gated.behave = behave;
    gated.behaveInstead = behave;
    const asked: Asked[] = [];
    const storm = { isOver: false };
    await Promise.all([
      rage(random.fork('blows')).finally(() => {
        storm.isOver = true;
      }),
      ...Array.from({ length: CALLERS }, (_, caller) =>
        call(random.fork(`caller ${caller}`), agents, `storm-${caller}`, storm, asked),
      ),
    ]);
    await revive(gated);

    const bills: Record<string, Bill> = {};
    for (const one of asked) bills[one.client.id] = billOf(one);
    const said = asked.map(
      ({ client, ending }) => `${client.status} ${client.errorCode ?? ending}`,
    );
    const unlike = Object.entries(Object.groupBy(said, (text) => text));
    const counts = Object.fromEntries(unlike.map(([text, list]) => [text, list!.length]));
    expect(asked.length, JSON.stringify(counts)).toBeGreaterThan(100);
    expect(asked.filter(({ client }) => client.complete).length).toBeGreaterThan(30);
    await expectWhole(gated.stack, agents, bills);
  }),
);

/** One caller: question after question, each with an id of its own. */
async function call(
  random: Random,
  agents: readonly Agent[],
  name: string,
  storm: { readonly isOver: boolean },
  asked: Asked[],
): Promise<void> {
  for (let nth = 0; !storm.isOver; nth++) {
    const agent = random.pick(agents);
    const client = ask(gated.stack, { id: `${name}-${nth}`, agent, stream: random.chance(0.6) });
    const fromMs = Date.now();
    const ending = await leave(client, leaving(random));
    asked.push({ client, ending, fromMs, toMs: Date.now() });
    if (ending !== 'left' && client.status !== 200) await sleep(random.int(200, 400));
  }
}

function leaving(random: Random): Leaving {
  const roll = random.next();
  if (roll < 0.55) return { when: 'never' };
  if (roll < 0.65) return { when: 'after_ms', ms: random.int(0, 5) };
  if (roll < 0.8) return { when: 'after_ms', ms: random.int(5, 600) };
  if (roll < 0.95) return { when: 'after_chars', chars: random.int(1, 400) };
  return { when: 'at_the_end' };
}

async function leave(client: Answering, plan: Leaving): Promise<Ending> {
  let ended = false;
  void client.ended.then(() => {
    ended = true;
  });
  const startedMs = Date.now();
  const due = (): boolean => {
    switch (plan.when) {
      case 'never':
        return false;
      case 'after_ms':
        return Date.now() - startedMs >= plan.ms;
      case 'after_chars':
        return client.text.length >= plan.chars;
      case 'at_the_end':
        return client.complete;
    }
  };
  while (!ended && !due()) await sleep(plan.when === 'never' ? 20 : 1);
  if (!ended && plan.when !== 'never') client.leave();
  return client.ended;
}

function behaviour(random: Random): Partial<MockBehaviour> {
  const common = {
    answer: ' word'.repeat(random.int(1, WORDS_MAX)),
    latencyMs: random.chance(0.5) ? 0 : random.int(1, 400),
    chunkDelayMs: random.chance(0.5) ? 0 : random.int(1, 4),
  };
  const roll = random.next();
  if (roll < 0.06)
    return { ...common, faults: [{ kind: 'die_mid_stream', afterChunks: random.int(1, 20) }] };
  if (roll < 0.1)
    return {
      ...common,
      faults: [{ kind: 'status', status: 503, retryAfterSecs: null, body: null }],
    };
  if (roll < 0.14) return { ...common, faults: [{ kind: 'reset' }] };
  if (roll < 0.18) return { ...common, faults: [{ kind: 'no_usage' }] };
  return common;
}

/** Blow after blow; a process that is down comes back before the next. */
async function rage(random: Random): Promise<void> {
  const { stack, gate } = gated;
  const loss = random.pick([0, 0.02, 0.1]);
  gate.meddle = () => ({
    delayMs: random.chance(0.2) ? random.int(1, 50) : 0,
    lose: random.chance(loss) ? random.pick(['request', 'answer'] as const) : null,
  });
  const untilMs = Date.now() + STORM_MS_MAX;
  for (let blow = 0; blow < BLOWS && Date.now() < untilMs; blow++) {
    await sleep(random.int(...CALM_MS));
    switch (random.int(0, 7)) {
      case 0:
      case 1:
        killsMs.push(Date.now());
        await restartCore(gated);
        break;
      case 2:
      case 3:
        await stack.vault!.kill();
        await sleep(random.int(0, 1_500));
        await stack.startVault();
        break;
      case 4:
        killsMs.push(Date.now());
        await Promise.all([stack.core.kill(), stack.vault!.kill()]);
        await Promise.all([stack.startCore(), stack.startVault()]);
        break;
      case 5:
        gate.reset();
        break;
      case 6:
        gate.pause(true);
        await sleep(random.int(50, 2_000));
        gate.pause(false);
        break;
      case 7:
        gate.cut(true);
        await sleep(random.int(50, 1_000));
        gate.cut(false);
        break;
    }
  }
  await sleep(random.int(...CALM_MS));
  gate.open();
}

/** What a request must cost, by what its caller and its providers have seen of it. */
function billOf(asked: Asked): Bill {
  const { client, ending } = asked;
  const calls = gated.callsOf(client.id);
  if (ending === 'whole') return client.status === 200 ? billOfAnswer(client) : 0;
  // A crash between the mark of the dispatch and the dispatch itself bills a prompt.
  if (calls.length === 0) return [0, promptCost()];
  const sent = Math.max(...calls.map(({ chunksSent }) => chunksSent));
  const most = (promptTokens + Math.max(sent, WORDS_MAX) + 64) * BETA_RATE;
  const killedMs = killsMs.find((ms) => ms >= asked.fromMs && ms <= asked.toMs + ENDED_AFTER_MS);
  const why = JSON.stringify({
    ending,
    tokens: countTokens(client.text),
    sent: calls.map(({ state, chunksSent }) => `${state} ${chunksSent}`),
    spoiled: spoiled.has(client.id),
    // Before core was killed, ms.
    asked: killedMs && killedMs - asked.fromMs,
    ended: killedMs && killedMs - asked.toMs,
    lastRead: killedMs && killedMs - (client.progress.at(-1)?.atMs ?? 0),
  });
  if (client.text === '') {
    const isSure = killedMs === undefined && !spoiled.has(client.id);
    return [isSure ? promptCost() : 0, most, why];
  }
  const delivered =
    killedMs === undefined ? countTokens(client.text) : checkpointed(client, killedMs, STALL_MS);
  return [promptCost() + delivered * ALPHA_RATE, most, why];
}

/** What it says; a stream that broke with an error event says nothing, and bills what it delivered. */
function billOfAnswer(client: Answering): Bill {
  if (client.costMsat !== null) return client.costMsat;
  const delivered = countTokens(client.text);
  return [promptCost() + delivered * ALPHA_RATE, (promptTokens + delivered + 64) * BETA_RATE];
}

const promptTokens = promptCost() / ALPHA_RATE;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
