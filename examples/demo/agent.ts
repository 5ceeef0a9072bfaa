/** The operator's three calls to the vault, and the agent's one. Amounts are integer msat. */
import { setTimeout as wait } from 'node:timers/promises';
import { DemoError } from './demo-error.ts';
import type { Setup } from './setup.ts';

export interface Agent {
  readonly id: string;
  readonly token: string;
}

export interface Balance {
  readonly availableMsat: number;
  readonly heldMsat: number;
}

export const DEPOSIT_MSAT = 10_000_000;
export const POLICY = { max_transaction_msat: 1_000_000, daily_limit_msat: 5_000_000 } as const;

const SETTLED_MS = 10_000;
const POLL_MS = 10;

export async function createFundedAgent(setup: Setup): Promise<Agent> {
  const { adminToken, vaultUrl } = setup;
  const made = await call(`${vaultUrl}/agents`, adminToken, { name: 'demo', policy: POLICY });
  const agent = { id: String(made.agent_id), token: String(made.token) };
  await call(`${vaultUrl}/agents/${agent.id}/deposit`, adminToken, { amount_msat: DEPOSIT_MSAT });
  return agent;
}

export async function balanceOf({ vaultUrl }: Setup, agent: Agent): Promise<Balance> {
  const body = await call(`${vaultUrl}/agents/me/balance`, agent.token);
  return { availableMsat: Number(body.balance_msat), heldMsat: Number(body.held_msat) };
}

/** Core answers the caller first and settles at once after: the balance when nothing is held. */
export async function settledBalance(setup: Setup, agent: Agent): Promise<Balance> {
  const untilMs = Date.now() + SETTLED_MS;
  for (;;) {
    const balance = await balanceOf(setup, agent);
    if (balance.heldMsat === 0) return balance;
    if (Date.now() > untilMs) {
      throw new DemoError(
        `${balance.heldMsat} msat are still held after ${SETTLED_MS / 1000} s: see GET ${setup.coreUrl}/health`,
      );
    }
    await wait(POLL_MS);
  }
}

async function call(url: string, token: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(url, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new DemoError(`the vault answers ${answer.status} to ${url}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}
