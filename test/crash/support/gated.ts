/** A billed stack with a gate between core and vault, and providers that do what a test says. */
import { countPrompt, promptOf } from '../../../packages/core/src/tokens/prompt.ts';
import type {
  MockBehaviour,
  MockCall,
} from '../../../packages/core/src/upstream/mock/behaviour.ts';
import { type Gate, startGate } from '../../support/gate.ts';
import { until } from '../../support/process.ts';
import { type Stack, type StackSetup, startStack } from '../../support/stack.ts';
import { QUESTION } from './ask.ts';

export interface Gated {
  readonly stack: Stack;
  readonly gate: Gate;
  /** What the provider "alpha" does from now on. */
  behave: (call: MockCall) => Partial<MockBehaviour>;
  /** What "beta", the dearer one, does where alpha has failed. */
  behaveInstead: (call: MockCall) => Partial<MockBehaviour>;
  /** Requests with this correlation id that reached a provider. */
  callsOf(id: string): MockCall[];
  /** Waits until so many providers have this request, and core's journal knows it. */
  dispatched(id: string, calls?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Msat per token: what the providers cost. */
export const ALPHA_RATE = 8;
export const BETA_RATE = 12;

/** The mark of a dispatch is not awaited: it goes with the next commit of the journal. */
const MARKED_MS = 200;

export async function startGated(setup: Partial<StackSetup> = {}): Promise<Gated> {
  let gate: Gate | null = null;
  const plain = () => ({ answer: 'Wide, and never still.' });
  const keepCalls = 10_000;
  const stack = await startStack({
    providers: [
      {
        name: 'alpha',
        rate: ALPHA_RATE * 1000,
        mock: { keepCalls, script: (call) => gated.behave(call) },
      },
      {
        name: 'beta',
        rate: BETA_RATE * 1000,
        mock: { keepCalls, script: (call) => gated.behaveInstead(call) },
      },
    ],
    toml: '[breaker]\nfailures = 1000\n[retry]\nbackoff_ms = 0\n',
    async vaultUrl(realUrl) {
      gate = await startGate(realUrl);
      return gate.url;
    },
    ...setup,
  });
  const gated: Gated = {
    stack,
    gate: gate!,
    behave: plain,
    behaveInstead: plain,
    callsOf: (id) =>
      Object.values(stack.providers)
        .flatMap(({ calls }) => calls)
        .filter(({ headers }) => headers['x-request-id'] === id),
    async dispatched(id, calls = 1) {
      await until(() => gated.callsOf(id).length === calls);
      await new Promise((resolve) => setTimeout(resolve, MARKED_MS));
    },
    async stop() {
      await stack.stop();
      await gate?.close();
    },
  };
  return gated;
}

/** Kills the process that this stack's core is, and starts it anew. */
export async function restartCore({ stack }: Gated): Promise<void> {
  await stack.core.kill();
  await stack.startCore();
}

export async function restartVault({ stack }: Gated): Promise<void> {
  await stack.vault!.kill();
  await stack.startVault();
}

/** The least that a request costs once its prompt was sent: core's own count of it; msat. */
export function promptCost(content = QUESTION, rate = ALPHA_RATE): number {
  return countPrompt(promptOf({ messages: [{ role: 'user', content }] })) * rate;
}

/** Between tests: whatever the last one left behind, everything runs and everything passes. */
export async function revive({ stack, gate }: Gated): Promise<void> {
  gate.open();
  if (!runs(stack.vault!.pid)) await stack.startVault();
  if (!runs(stack.core.pid)) await stack.startCore();
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
