/**
 * kill -9 of core at every point where money is between two states. The next core finds what is left
 * in the journal and at the vault, and brings each reservation to its one end.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { Agent } from '../support/stack.ts';
import { ask, QUESTION } from './support/ask.ts';
import { checkpointed } from './support/checkpointed.ts';
import {
  ALPHA_RATE,
  BETA_RATE,
  type Gated,
  promptCost,
  restartCore,
  restartVault,
  revive,
  startGated,
} from './support/gated.ts';
import { createRandom } from './support/random.ts';
import { callVault, newReservationId, reservationState } from './support/vault-api.ts';
import { expectWhole, healthOf } from './support/whole.ts';

let gated: Gated;
let agent: Agent;
let nth = 0;
let id: string;

beforeAll(async () => {
  gated = await startGated({ server: 'drain_secs = 10' });
});
afterAll(() => gated?.stop());
beforeEach(async () => {
  await revive(gated);
  agent = await gated.stack.agent();
  gated.behave = () => ({ answer: 'Wide, and never still.' });
  gated.behaveInstead = gated.behave;
  id = `core-dies-${++nth}`;
});

const asked = (options: { stream?: boolean; id?: string; asResponses?: boolean } = {}) =>
  ask(gated.stack, { id, agent, ...options });

describe('before the money is with core', () => {
  it('the reserve never reached the vault', async () => {
    const trap = gated.gate.trap('request', '/internal/reserve');
    const client = asked();
    const reserve = await trap.next();
    trap.end();
    await gated.stack.core.kill();
    reserve.lose();
    await gated.stack.startCore();
    expect(await client.ended).toBe('broken');
    expect(gated.callsOf(id)).toHaveLength(0);
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('the reserve reaches the vault when core is dead', async () => {
    const trap = gated.gate.trap('request', '/internal/reserve');
    asked();
    const reserve = await trap.next();
    trap.end();
    await gated.stack.core.kill();
    expect(await reserve.pass()).toBe(200);
    expect((await gated.stack.balance(agent)).held).toBeGreaterThan(0);
    await gated.stack.startCore();
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('the reserve reaches the vault when the next core has released it already', async () => {
    const trap = gated.gate.trap('request', '/internal/reserve');
    asked();
    const reserve = await trap.next();
    trap.end();
    await restartCore(gated);
    const reservationId = String(reserve.sent.reservation_id);
    await until(async () => (await reservationState(gated.stack, reservationId)) === 'released');
    expect(await reserve.pass()).toBe(409);
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('the vault holds, and core does not know yet', async () => {
    const trap = gated.gate.trap('answer', '/internal/reserve');
    asked();
    const reserve = await trap.next();
    trap.end();
    expect(reserve.status).toBe(200);
    expect((await gated.stack.balance(agent)).held).toBeGreaterThan(0);
    await gated.stack.core.kill();
    reserve.lose();
    await gated.stack.startCore();
    expect(gated.callsOf(id)).toHaveLength(0);
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('the vault holds under the name of core what its journal has never heard of', async () => {
    const trap = gated.gate.trap('answer', '/internal/reserve');
    asked();
    const reserve = await trap.next();
    trap.end();
    await gated.stack.core.kill();
    const orphan = await callVault(gated.stack, 'POST', '/reserve', {
      ...reserve.sent,
      reservation_id: newReservationId(),
      correlation_id: `${id}-orphan`,
    });
    expect(orphan?.status).toBe(200);
    await gated.stack.startCore();
    await expectWhole(gated.stack, [agent], { [id]: 0, [`${id}-orphan`]: 0 });
  });
});

describe('T61: while the provider works', () => {
  it('somewhere between the answer of the vault and the dispatch', async () => {
    const random = createRandom();
    gated.behave = () => ({ faults: [{ kind: 'hang_before_headers' }] });
    const bills: Record<string, readonly [number, number]> = {};
    for (let round = 0; round < 5; round++) {
      const trap = gated.gate.trap('answer', '/internal/reserve');
      const one = `${id}-${round}`;
      asked({ id: one });
      const reserve = await trap.next();
      trap.end();
      void reserve.pass();
      const untilMs = performance.now() + random.next() * 4;
      while (performance.now() < untilMs) await new Promise((resolve) => setImmediate(resolve));
      await restartCore(gated);
      // Never more than a prompt that may have been on its way.
      bills[one] = [0, promptCost()];
    }
    await expectWhole(gated.stack, [agent], bills);
  });

  it.each([true, false])('before the first byte (stream: %s)', async (stream) => {
    gated.behave = () => ({ faults: [{ kind: 'hang_before_headers' }] });
    const client = asked({ stream });
    await gated.dispatched(id);
    await restartCore(gated);
    expect(await client.ended).toBe('broken');
    await expectWhole(gated.stack, [agent], { [id]: promptCost() });
  });

  it('with the second provider, whose rates bill then', async () => {
    gated.behave = () => ({
      faults: [{ kind: 'status', status: 500, retryAfterSecs: null, body: null }],
    });
    gated.behaveInstead = () => ({ faults: [{ kind: 'hang_after_headers' }] });
    asked({ stream: true });
    await gated.dispatched(id, 2);
    await restartCore(gated);
    await expectWhole(gated.stack, [agent], { [id]: promptCost(QUESTION, BETA_RATE) });
  });

  it.each([
    ['a fast stream', 2, 1_500, false],
    ['a slow stream', 100, 2_500, false],
    ['a stream that is translated', 2, 1_500, true],
  ])('in the middle of %s', async (_what, chunkDelayMs, afterMs, asResponses) => {
    gated.behave = () => ({ answer: ' word'.repeat(3_000), chunkDelayMs });
    const client = asked({ stream: true, asResponses });
    await until(() => client.text !== '');
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const killedAtMs = Date.now();
    await restartCore(gated);
    expect(await client.ended).toBe('broken');
    const sent = gated.callsOf(id)[0]!.chunksSent;
    await expectWhole(gated.stack, [agent], {
      [id]: [
        promptCost() + checkpointed(client, killedAtMs) * ALPHA_RATE,
        promptCost() + sent * ALPHA_RATE,
      ],
    });
  });

  it('during the drain, in the middle of a stream', async () => {
    gated.behave = () => ({ answer: ' word'.repeat(3_000), chunkDelayMs: 5 });
    const client = asked({ stream: true });
    await until(() => client.text !== '');
    process.kill(gated.stack.core.pid, 'SIGTERM');
    await until(async () => (await healthOf(gated.stack)).draining === true);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const killedAtMs = Date.now();
    await restartCore(gated);
    const sent = gated.callsOf(id)[0]!.chunksSent;
    await expectWhole(gated.stack, [agent], {
      [id]: [
        promptCost() + checkpointed(client, killedAtMs) * ALPHA_RATE,
        promptCost() + sent * ALPHA_RATE,
      ],
    });
  });
});

describe('after the answer', () => {
  it.each([true, false])('the settle never reached the vault (stream: %s)', async (stream) => {
    const trap = gated.gate.trap('request', '/internal/settle');
    const client = asked({ stream });
    const settle = await trap.next();
    trap.end();
    expect(await client.ended).toBe('whole');
    await gated.stack.core.kill();
    settle.lose();
    await gated.stack.startCore();
    expect(client.complete).toBe(true);
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it('the settle reaches the vault when the next core has sent its own', async () => {
    const trap = gated.gate.trap('request', '/internal/settle');
    const client = asked();
    const settle = await trap.next();
    trap.end();
    await restartCore(gated);
    const reservationId = String(settle.sent.reservation_id);
    await until(async () => (await reservationState(gated.stack, reservationId)) === 'settled');
    expect(await settle.pass()).toBe(200);
    expect(await client.ended).toBe('whole');
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it.each([true, false])(
    'the vault settled, and core did not hear of it (stream: %s)',
    async (stream) => {
      const trap = gated.gate.trap('answer', '/internal/settle');
      const client = asked({ stream });
      const settle = await trap.next();
      trap.end();
      expect(settle.status).toBe(200);
      expect(await client.ended).toBe('whole');
      await gated.stack.core.kill();
      settle.lose();
      await gated.stack.startCore();
      await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
    },
  );

  it('the answer to the settle is lost while core lives', async () => {
    const trap = gated.gate.trap('answer', '/internal/settle');
    const client = asked();
    const settle = await trap.next();
    trap.end();
    settle.lose();
    expect(await client.ended).toBe('whole');
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it.each(['request', 'answer'] as const)(
    'the release was not done with (%s lost)',
    async (side) => {
      const fails = () => ({
        faults: [{ kind: 'status', status: 500, retryAfterSecs: null, body: null } as const],
      });
      gated.behave = fails;
      gated.behaveInstead = fails;
      const trap = gated.gate.trap(side, '/internal/release');
      const client = asked();
      const release = await trap.next();
      trap.end();
      expect(await client.ended).toBe('whole');
      expect(client.status).toBe(502);
      await gated.stack.core.kill();
      release.lose();
      await gated.stack.startCore();
      await expectWhole(gated.stack, [agent], { [id]: 0 });
    },
  );
});

describe('while the vault is away too', () => {
  it.each([
    ['the vault first', restoreVaultFirst],
    ['core first', restoreCoreFirst],
  ])('both come back, %s', async (_what, restore) => {
    gated.behave = ({ headers }) =>
      headers['x-request-id'] === `${id}-streamed`
        ? { answer: ' word'.repeat(3_000), chunkDelayMs: 5 }
        : { answer: 'Wide, and never still.' };
    const streamed = asked({ stream: true, id: `${id}-streamed` });
    await until(() => streamed.text !== '');
    const trap = gated.gate.trap('request', '/internal/settle');
    const answered = asked({ id: `${id}-answered` });
    const settle = await trap.next();
    trap.end();
    await gated.stack.vault!.kill();
    settle.lose();
    expect(await answered.ended).toBe('whole');
    const refused = asked({ id: `${id}-refused` });
    expect(await refused.ended).toBe('whole');
    expect([refused.status, refused.errorCode]).toEqual([503, 'vault_unavailable']);
    const killedAtMs = Date.now();
    await gated.stack.core.kill();
    await restore();
    const sent = gated.callsOf(streamed.id)[0]!.chunksSent;
    expect(gated.callsOf(refused.id)).toHaveLength(0);
    await expectWhole(gated.stack, [agent], {
      [streamed.id]: [
        promptCost() + checkpointed(streamed, killedAtMs) * ALPHA_RATE,
        promptCost() + sent * ALPHA_RATE,
      ],
      [answered.id]: answered.costMsat!,
      [refused.id]: 0,
    });
  });

  async function restoreVaultFirst(): Promise<void> {
    await gated.stack.startVault();
    await gated.stack.startCore();
  }

  async function restoreCoreFirst(): Promise<void> {
    await gated.stack.startCore();
    await until(async () => Number((await healthOf(gated.stack)).overdue_settlements) >= 2);
    await gated.stack.startVault();
  }

  it('the vault comes back while core is dead', async () => {
    gated.behave = () => ({ faults: [{ kind: 'hang_after_headers' }] });
    asked({ stream: true });
    await gated.dispatched(id);
    await gated.stack.core.kill();
    await restartVault(gated);
    expect((await gated.stack.balance(agent)).held).toBeGreaterThan(0);
    await gated.stack.startCore();
    await expectWhole(gated.stack, [agent], { [id]: promptCost() });
  });
});
