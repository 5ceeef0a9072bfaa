/**
 * A caller of the vault that does as a core would: the same command under the same id until there is
 * an answer that is final. What was answered, and nothing else, is what the books must say.
 */
import { expect } from 'vitest';
import type { Agent, Stack } from '../../support/stack.ts';
import { readBooks } from './books.ts';
import type { Random } from './random.ts';
import { callVault, newReservationId, type VaultAnswer } from './vault-api.ts';

/** Little enough that some reserves find nothing left. */
export const FUNDS_MSAT = 60_000;
const HOLD_MSAT_MAX = 10_000;
const RETRY_MS = 20;

/** What the vault has said of one reservation. */
export interface Promised {
  readonly id: string;
  readonly agentId: string;
  readonly state: 'absent' | 'settled' | 'released';
  readonly charged: number | null;
}

/** Caller beside caller until the storm is over; resolves with what was promised to them. */
export async function commandStorm(
  stack: Stack,
  random: Random,
  agents: readonly Agent[],
  callers: number,
  storm: Promise<void>,
): Promise<Promised[]> {
  const promised: Promised[] = [];
  let isOver = false;
  const call = async (own: Random): Promise<void> => {
    while (!isOver) promised.push(await reserveAndEnd(stack, own, own.pick(agents)));
  };
  await Promise.all([
    storm.finally(() => {
      isOver = true;
    }),
    ...Array.from({ length: callers }, (_, nth) => call(random.fork(`caller ${nth}`))),
  ]);
  return promised;
}

/** One reservation from its reserve to its end, with some commands out of turn. */
async function reserveAndEnd(stack: Stack, random: Random, agent: Agent): Promise<Promised> {
  const id = newReservationId();
  const amount = random.int(1, HOLD_MSAT_MAX);
  const ended = { id, agentId: agent.id };
  const reserve = () =>
    command(stack, '/reserve', {
      agent_token: agent.token,
      amount_msats: amount,
      correlation_id: id,
      model: 'gpt-4o',
      reservation_id: id,
    });
  const release = () => command(stack, '/release', { reservation_id: id, reason: 'storm' });
  const settle = (actual: number) =>
    command(stack, '/settle', { reservation_id: id, actual_msats: actual });

  if (random.chance(0.1)) {
    expect(await release()).toMatchObject({ status: 200, body: { refunded_msats: 0 } });
    expect(await reserve()).toMatchObject({ status: 409 });
    return { ...ended, state: 'released', charged: null };
  }
  const held = await reserve();
  if (held.status === 402) return { ...ended, state: 'absent', charged: null };
  expect(held).toMatchObject({ status: 200, body: { state: 'held', agent_id: agent.id } });
  if (random.chance(0.1)) {
    await command(stack, '/extend', { reservation_id: id, expires_in_secs: random.int(60, 600) });
  }
  if (random.chance(0.2)) {
    expect(await release()).toMatchObject({ status: 200, body: { refunded_msats: amount } });
    expect(await settle(1)).toMatchObject({ status: 409 });
    return { ...ended, state: 'released', charged: null };
  }
  const asked = random.chance(0.1) ? amount + 7 : random.int(0, amount);
  const charged = Math.min(asked, amount);
  const settled = { actual_msats: charged, refunded_msats: amount - charged };
  expect(await settle(asked)).toMatchObject({ status: 200, body: settled });
  if (random.chance(0.2)) {
    expect(await settle(asked)).toMatchObject({ status: 200, body: settled });
    expect(await settle(asked + 1)).toMatchObject({ status: 409 });
    expect(await release()).toMatchObject({ status: 409 });
  }
  return { ...ended, state: 'settled', charged };
}

/** Until the vault has said something final: no answer and 503 say nothing of what has happened. */
async function command(stack: Stack, path: string, body: object): Promise<VaultAnswer> {
  for (;;) {
    const answer = await callVault(stack, 'POST', path, body);
    if (answer !== null && answer.status < 500) return answer;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

export async function expectKept(
  stack: Stack,
  promised: readonly Promised[],
  agents: readonly Agent[],
): Promise<void> {
  const books = readBooks(stack.vaultDatabase);
  const verified = await stack.verify();
  expect(verified, verified.output).toMatchObject({ code: 0 });
  expect(books).toMatchObject({ sum: 0, wrong: [], loss: 0 });
  // Tombstones have no agent, so what is not of this storm is told by its id: they sort by time.
  const first = promised.map(({ id }) => id).sort()[0] ?? '';
  const booked = Object.fromEntries(
    books.reservations
      .filter(({ id }) => id >= first)
      .map(({ id, state, charged }) => [id, { state, charged }]),
  );
  const kept = promised.filter(({ state }) => state !== 'absent');
  expect(booked).toEqual(
    Object.fromEntries(kept.map(({ id, state, charged }) => [id, { state, charged }])),
  );
  for (const agent of agents) {
    const charges = kept.filter(({ agentId }) => agentId === agent.id);
    const spent = charges.reduce((sum, { charged }) => sum + (charged ?? 0), 0);
    expect(await stack.balance(agent)).toEqual({ available: FUNDS_MSAT - spent, held: 0, spent });
  }
}
