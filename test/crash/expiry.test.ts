/** Expiry is the backstop for a core that never comes back, and never ends what lives. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { Agent } from '../support/stack.ts';
import { ask } from './support/ask.ts';
import { readBooks } from './support/books.ts';
import { type Gated, promptCost, startGated } from './support/gated.ts';
import { callVault, newReservationId, reservationState } from './support/vault-api.ts';
import { type Bill, expectWhole } from './support/whole.ts';

/** A hold returns within this of its expiry. */
const RETURNS_MS = 5_000;
/** What core asks for, and asks for again while its request lives. */
const HOLD_MS = 60_000;

let gated: Gated;

beforeAll(async () => {
  gated = await startGated();
});
afterAll(() => gated?.stop());

async function hold(agent: Agent, id: string, secs: number): Promise<string> {
  const reservation = newReservationId();
  const answer = await callVault(gated.stack, 'POST', '/reserve', {
    agent_token: agent.token,
    amount_msats: 1_000,
    correlation_id: id,
    model: 'gpt-4o',
    reservation_id: reservation,
    expires_in_secs: secs,
  });
  expect(answer?.status).toBe(200);
  return reservation;
}

describe('a hold that nobody ends', () => {
  it.each([1, 2, 3])('returns within 5 s of its expiry (%i s)', async (secs) => {
    const agent = await gated.stack.agent();
    const reservation = await hold(agent, `expiry-${secs}`, secs);
    const expiresMs = Date.now() + secs * 1_000;
    await until(
      async () => (await reservationState(gated.stack, reservation)) === 'expired',
      secs * 1_000 + RETURNS_MS,
    );
    expect(Date.now()).toBeGreaterThanOrEqual(expiresMs - 50);
    await expectWhole(gated.stack, [agent], { [`expiry-${secs}`]: 0 });
  });

  it('is charged all the same where the bill comes late, once', async () => {
    const agent = await gated.stack.agent();
    const reservation = await hold(agent, 'expiry-late', 1);
    await until(async () => (await reservationState(gated.stack, reservation)) === 'expired');
    const settle = { reservation_id: reservation, actual_msats: 400 };
    for (let again = 0; again < 2; again++) {
      expect(await callVault(gated.stack, 'POST', '/settle', settle)).toMatchObject({
        status: 200,
        body: { actual_msats: 400, late: true },
      });
    }
    await expectWhole(gated.stack, [agent], { 'expiry-late': 400 });
  });

  it('lives on where it is extended in time', async () => {
    const agent = await gated.stack.agent();
    const reservation = await hold(agent, 'expiry-extended', 2);
    const extension = { reservation_id: reservation, expires_in_secs: 2 };
    for (let again = 0; again < 6; again++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(await callVault(gated.stack, 'POST', '/extend', extension)).toMatchObject({
        status: 200,
      });
    }
    expect(await reservationState(gated.stack, reservation)).toBe('held');
    await callVault(gated.stack, 'POST', '/release', { reservation_id: reservation });
    await expectWhole(gated.stack, [agent], { 'expiry-extended': 0 });
  });
});

it('ends what a dead core held, and nothing of a stream that lives longer than a hold', {
  timeout: 150_000,
}, async () => {
  const living = gated;
  const dying = await startGated();
  try {
    const rich = await living.stack.agent();
    living.behave = () => ({ answer: ' word'.repeat(700), chunkDelayMs: 105 });
    const stream = ask(living.stack, { id: 'long', agent: rich, stream: true });

    const agent = await dying.stack.agent();
    dying.behave = () => ({ faults: [{ kind: 'hang_after_headers' }] });
    ask(dying.stack, { id: 'orphan', agent, stream: true });
    await dying.dispatched('orphan');
    await dying.stack.core.kill();
    const { held } = await dying.stack.balance(agent);
    expect(held).toBeGreaterThan(0);
    await until(
      async () => (await dying.stack.balance(agent)).held === 0,
      HOLD_MS + RETURNS_MS,
      () => 'the hold of a dead core did not return',
    );
    // Should core come back after all, its bill is late and still right.
    await dying.stack.startCore();
    await expectWhole(dying.stack, [agent], { orphan: promptCost() });

    expect(await stream.ended).toBe('whole');
    expect(stream.complete).toBe(true);
    const durationMs = stream.progress.at(-1)!.atMs - stream.progress[0]!.atMs;
    expect(durationMs).toBeGreaterThan(HOLD_MS + RETURNS_MS);
    const bills: Record<string, Bill> = { long: stream.costMsat! };
    await expectWhole(living.stack, [rich], bills);
    const { reservations } = readBooks(living.stack.vaultDatabase);
    expect(reservations.find(({ correlationId }) => correlationId === 'long')).toMatchObject({
      state: 'settled',
    });
  } finally {
    await dying.stop();
  }
});
