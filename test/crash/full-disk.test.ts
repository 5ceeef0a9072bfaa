/**
 * A real disk without a byte left, under the vault's books and under core's journal: new work is
 * refused with the reason, what is under way comes to its end, and what was acknowledged stays.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { Agent } from '../support/stack.ts';
import { ask } from './support/ask.ts';
import { commandStorm, expectKept, FUNDS_MSAT } from './support/commands.ts';
import { type Disk, mountMemoryDisk, whyNoDisks } from './support/disk.ts';
import { type Gated, restartVault, revive, startGated } from './support/gated.ts';
import { type Random, seeded } from './support/random.ts';
import { callVault, newReservationId, reservationState } from './support/vault-api.ts';
import { type Bill, expectWhole, healthOf } from './support/whole.ts';

const noDisks = whyNoDisks();
/** Several times the write-ahead log that the vault lets grow, which must not be what fills it. */
const DISK_MEBIBYTES = 64;
/** An answer that waits for nothing is with its caller by then. */
const PROMPT_MS = 3_000;

let gated: Gated;
let disk: Disk;
let agent: Agent;
let nth = 0;
let id: string;

beforeEach(async () => {
  if (noDisks !== null) return;
  disk.empty();
  await revive(gated);
  await until(async () => (await healthOf(gated.stack)).status === 'ok');
  agent = await gated.stack.agent();
  gated.behave = () => ({ answer: 'Wide, and never still.' });
  id = `full-disk-${++nth}`;
});

const asked = (options: { stream?: boolean; id?: string } = {}) =>
  ask(gated.stack, { id, agent, ...options });

describe.skipIf(noDisks !== null)(`under the vault ${noDisks ?? ''}`, () => {
  beforeAll(async () => {
    disk = mountMemoryDisk(DISK_MEBIBYTES);
    gated = await startGated({ folders: { vault: disk.path } });
  });
  afterAll(async () => {
    await gated?.stop();
    disk.remove();
  });

  const vaultHealth = async () => {
    const answer = await fetch(`${gated.stack.vault!.url}/health`);
    const { database } = (await answer.json()) as {
      database: { readable: boolean; writable: boolean; reason: string | null };
    };
    return { status: answer.status, ...database };
  };
  const isFull = async () => (await vaultHealth()).writable === false;
  const reserve = () =>
    callVault(gated.stack, 'POST', '/reserve', {
      agent_token: agent.token,
      amount_msats: 1,
      correlation_id: `${id}-direct`,
      model: 'gpt-4o',
      reservation_id: newReservationId(),
    });

  it('refuses new work, and books later what is under way', async () => {
    gated.behave = () => ({ answer: ' word'.repeat(150), chunkDelayMs: 15 });
    const under = [asked({ id: `${id}-a`, stream: true }), asked({ id: `${id}-b`, stream: true })];
    await until(() => under.every(({ text }) => text !== ''));
    disk.fill();
    await until(isFull);
    expect(await vaultHealth()).toMatchObject({ status: 503, readable: true });
    expect((await vaultHealth()).reason).toMatch(/full/);
    expect(await reserve()).toMatchObject({
      status: 503,
      body: { error: { code: 'storage_unavailable', message: expect.stringMatching(/full/) } },
    });
    const refused = asked({ id: `${id}-refused` });
    expect(await refused.ended).toBe('whole');
    expect([refused.status, refused.errorCode]).toEqual([503, 'vault_unavailable']);
    expect(gated.callsOf(refused.id)).toHaveLength(0);
    const bills: Record<string, Bill> = { [refused.id]: 0 };
    for (const client of under) {
      expect(await client.ended).toBe('whole');
      expect(client.complete).toBe(true);
      bills[client.id] = client.costMsat!;
    }
    expect((await healthOf(gated.stack)).undelivered_settlements).toBeGreaterThanOrEqual(2);
    expect((await gated.stack.balance(agent)).held).toBeGreaterThan(0);
    disk.empty();
    await expectWhole(gated.stack, [agent], bills);
  });

  it('starts on a full disk, says so, and goes on when there is room', async () => {
    const trap = gated.gate.trap('request', '/internal/settle');
    const client = asked();
    const settle = await trap.next();
    expect(await client.ended).toBe('whole');
    disk.fill();
    await restartVault(gated);
    await until(isFull);
    expect(await settle.pass()).toBe(503);
    trap.end();
    expect((await gated.stack.balance(agent)).held).toBeGreaterThan(0);
    disk.empty();
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it(
    'keeps what it has answered, however often the disk fills and the vault is killed',
    {
      timeout: 120_000,
    },
    () =>
      seeded(async (random) => {
        const { stack } = gated;
        const agents = await Promise.all(
          Array.from({ length: 3 }, () => stack.agent({ fundMsat: FUNDS_MSAT })),
        );
        const blows = fillAndEmpty(random.fork('blows'));
        const promised = await commandStorm(stack, random, agents, 16, blows);
        expect(promised.length).toBeGreaterThan(20);
        await expectKept(stack, promised, agents);
      }),
  );

  async function fillAndEmpty(random: Random): Promise<void> {
    for (let round = 0; round < 8; round++) {
      await new Promise((resolve) => setTimeout(resolve, random.int(100, 800)));
      disk.fill();
      await new Promise((resolve) => setTimeout(resolve, random.int(50, 1_000)));
      if (random.chance(0.4)) await restartVault(gated);
      disk.empty();
      await until(async () => !(await isFull()));
    }
  }
});

describe.skipIf(noDisks !== null)(`under core ${noDisks ?? ''}`, () => {
  beforeAll(async () => {
    disk = mountMemoryDisk(DISK_MEBIBYTES);
    gated = await startGated({ folders: { core: disk.path } });
  });
  afterAll(async () => {
    await gated?.stop();
    disk.remove();
  });

  /** The first write that meets a full disk is that of this request's intent, and finds it. */
  async function expectRefused(one: string): Promise<void> {
    const refused = asked({ id: one });
    expect(await refused.ended).toBe('whole');
    expect([refused.status, refused.errorCode]).toEqual([503, 'storage_unavailable']);
    expect(gated.callsOf(one)).toHaveLength(0);
  }

  it('refuses new work; answers under way are delivered and billed at once', async () => {
    gated.behave = () => ({ answer: ' word'.repeat(100), chunkDelayMs: 30 });
    const streams = [
      asked({ id: `${id}-a`, stream: true }),
      asked({ id: `${id}-b`, stream: true }),
    ];
    await until(() => streams.every(({ text }) => text !== ''));
    disk.fill();
    await expectRefused(`${id}-refused`);
    await until(async () => (await healthOf(gated.stack)).journal !== 'ok');
    expect(await healthOf(gated.stack)).toMatchObject({
      status: 'unhealthy',
      journal: expect.stringMatching(/full/),
    });
    const bills: Record<string, Bill> = { [`${id}-refused`]: 0 };
    for (const client of streams) {
      expect(await client.ended).toBe('whole');
      expect(client.complete).toBe(true);
      bills[client.id] = client.costMsat!;
    }
    await until(async () => (await gated.stack.balance(agent)).held === 0);
    disk.empty();
    await until(async () => (await healthOf(gated.stack)).journal === 'ok');
    const next = asked({ id: `${id}-next` });
    expect(await next.ended).toBe('whole');
    bills[next.id] = next.costMsat!;
    await expectWhole(gated.stack, [agent], bills);
  });

  it.each([true, false])(
    'keeps no answer from its caller where its end is what finds the disk full (stream: %s)',
    async (stream) => {
      gated.behave = () => ({ latencyMs: 1_000, answer: 'Wide, and never still.' });
      const client = asked({ stream });
      await gated.dispatched(id);
      disk.fill();
      const late = new Promise((resolve) => setTimeout(resolve, 1_000 + PROMPT_MS, 'late'));
      expect(await Promise.race([client.ended, late])).toBe('whole');
      expect(client.complete).toBe(true);
      await until(async () => (await gated.stack.balance(agent)).held === 0);
      disk.empty();
      await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
    },
  );

  it('dies before it could write down what it has settled: billed once, as it was told', async () => {
    gated.behave = () => ({ latencyMs: 1_000, answer: 'Wide, and never still.' });
    const client = asked();
    await gated.dispatched(id);
    disk.fill();
    expect(await client.ended).toBe('whole');
    await until(async () => (await gated.stack.balance(agent)).held === 0);
    await gated.stack.core.kill();
    disk.empty();
    await gated.stack.startCore();
    // What the journal remembers is older than what the vault has booked, and the books stand.
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it('dies before it could give back a hold: the next core does', async () => {
    const trap = gated.gate.trap('answer', '/internal/reserve');
    disk.fill();
    const client = asked();
    const reserve = await trap.next();
    trap.end();
    await gated.stack.core.kill();
    reserve.lose();
    expect(await reservationState(gated.stack, String(reserve.sent.reservation_id))).toBe('held');
    disk.empty();
    await gated.stack.startCore();
    expect(await client.ended).toBe('broken');
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });
});
