/**
 * kill -9 of the vault at the same points, with core alive: unknown is not failed, nobody is billed
 * twice, and where the vault cannot hold money nobody's prompt leaves the house.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { Agent } from '../support/stack.ts';
import { type Answering, ask } from './support/ask.ts';
import { type Gated, promptCost, restartVault, revive, startGated } from './support/gated.ts';
import { createRandom } from './support/random.ts';
import { callVault, newReservationId, reservationState } from './support/vault-api.ts';
import { type Bill, expectWhole, healthOf } from './support/whole.ts';

let gated: Gated;
let agent: Agent;
let nth = 0;
let id: string;

const PENDING_THRESHOLD = 5;

beforeAll(async () => {
  gated = await startGated({ vaultToml: `pending_threshold = ${PENDING_THRESHOLD}` });
});
afterAll(() => gated?.stop());
beforeEach(async () => {
  await revive(gated);
  agent = await gated.stack.agent();
  gated.behave = () => ({ answer: 'Wide, and never still.' });
  id = `vault-dies-${++nth}`;
});

const asked = (options: { stream?: boolean; id?: string; agent?: Agent } = {}) =>
  ask(gated.stack, { id, agent, ...options });

/** Core has asked the vault who this agent is, so that the reserve is what meets the crash. */
async function known(): Promise<void> {
  const answer = await fetch(`${gated.stack.core.url}/v1/models`, {
    headers: { authorization: `Bearer ${agent.token}` },
  });
  expect(answer.status).toBe(200);
  await answer.arrayBuffer();
}

async function expectUnavailable(client: Answering): Promise<void> {
  expect(await client.ended).toBe('whole');
  expect([client.status, client.errorCode]).toEqual([503, 'vault_unavailable']);
  expect(gated.callsOf(client.id)).toHaveLength(0);
}

async function expectAnswered(client: Answering): Promise<void> {
  expect(await client.ended).toBe('whole');
  expect(client).toMatchObject({ status: 200, complete: true, text: 'Wide, and never still.' });
}

describe('at the reserve', () => {
  it.each([
    ['of an agent that core knows', known],
    ['of an agent that core does not know', async () => {}],
  ])('it is down: 503, and the provider is not called (%s)', async (_what, before) => {
    await before();
    await gated.stack.vault!.kill();
    await expectUnavailable(asked());
    await until(async () => (await healthOf(gated.stack)).vault === 'unavailable');
    expect(await healthOf(gated.stack)).toMatchObject({ status: 'unhealthy' });
    await gated.stack.startVault();
    await expectWhole(gated.stack, [agent], { [id]: 0 });
    const next = asked({ id: `${id}-next` });
    await expectAnswered(next);
    await expectWhole(gated.stack, [agent], { [id]: 0, [next.id]: next.costMsat! });
  });

  it('it dies before it has seen the reserve', async () => {
    const trap = gated.gate.trap('request', '/internal/reserve');
    const client = asked();
    const reserve = await trap.next();
    trap.end();
    await gated.stack.vault!.kill();
    reserve.lose();
    await expectUnavailable(client);
    await gated.stack.startVault();
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('it dies when it holds, and sees the second try in its next life', async () => {
    const answers = gated.gate.trap('answer', '/internal/reserve');
    const client = asked();
    const first = await answers.next();
    answers.end();
    const requests = gated.gate.trap('request', '/internal/reserve');
    first.lose();
    const second = await requests.next();
    requests.end();
    expect(second.sent.reservation_id).toBe(first.sent.reservation_id);
    await restartVault(gated);
    expect(await second.pass()).toBe(200);
    // On a slow machine core may have stopped waiting by now.
    if ((await client.ended) === 'whole' && client.status === 200) await expectAnswered(client);
    else await expectUnavailable(client);
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat ?? 0 });
  });

  it('it dies when it holds, and is not back in time', async () => {
    const trap = gated.gate.trap('answer', '/internal/reserve');
    const client = asked();
    const reserve = await trap.next();
    trap.end();
    await gated.stack.vault!.kill();
    reserve.lose();
    await expectUnavailable(client);
    await gated.stack.startVault();
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('it stands still for longer than core waits, and sees the reserve later', async () => {
    await known();
    process.kill(gated.stack.vault!.pid, 'SIGSTOP');
    await expectUnavailable(asked());
    process.kill(gated.stack.vault!.pid, 'SIGCONT');
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });

  it('the line is cut for longer than core waits', async () => {
    await known();
    gated.gate.pause(true);
    const client = asked();
    await expectUnavailable(client);
    gated.gate.pause(false);
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });
});

describe('while the provider works', () => {
  it.each([
    ['before the first byte', { latencyMs: 4_000 }, 0],
    ['in the middle of the stream', { answer: ' word'.repeat(400), chunkDelayMs: 15 }, 300],
  ])('%s, and comes back', async (_what, behaviour, chars) => {
    gated.behave = () => behaviour;
    const client = asked({ stream: true });
    await until(() => gated.callsOf(id).length === 1 && client.text.length >= chars);
    await restartVault(gated);
    expect(await client.ended).toBe('whole');
    expect(client.complete).toBe(true);
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });
});

describe('at the settle', () => {
  it.each([true, false])(
    'it is down: the caller has the answer, the bill waits in sight (stream: %s)',
    async (stream) => {
      gated.behave = () => ({ latencyMs: 500, answer: 'Wide, and never still.' });
      const client = asked({ stream });
      await gated.dispatched(id);
      await gated.stack.vault!.kill();
      await expectAnswered(client);
      await until(async () => Number((await healthOf(gated.stack)).overdue_settlements) === 1);
      expect(await healthOf(gated.stack)).toMatchObject({ undelivered_settlements: 1 });
      await gated.stack.startVault();
      await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
    },
  );

  it('it dies when it has settled, before core hears of it', async () => {
    const trap = gated.gate.trap('answer', '/internal/settle');
    const client = asked();
    const settle = await trap.next();
    trap.end();
    expect(settle.status).toBe(200);
    await restartVault(gated);
    settle.lose();
    await expectAnswered(client);
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it('the caller leaves a stream while the vault is away', async () => {
    gated.behave = () => ({ answer: ' word'.repeat(2_000), chunkDelayMs: 5 });
    const client = asked({ stream: true });
    await until(() => client.text.length > 200);
    await gated.stack.vault!.kill();
    client.leave();
    expect(await gated.callsOf(id)[0]!.ended).toBe('client_gone');
    await gated.stack.startVault();
    const sent = gated.callsOf(id)[0]!.chunksSent;
    await expectWhole(gated.stack, [agent], {
      [id]: [promptCost() + 40 * 8, (sent + 40) * 8],
    });
  });

  it('core ends in good order while the vault is away, and delivers in its next life', async () => {
    const trap = gated.gate.trap('request', '/internal/settle');
    const client = asked();
    const settle = await trap.next();
    trap.end();
    await gated.stack.vault!.kill();
    settle.lose();
    await expectAnswered(client);
    expect(await gated.stack.core.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await gated.stack.startCore();
    await gated.stack.startVault();
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });
});

it('refuses new work where too many bills wait', async () => {
  gated.behave = () => ({ latencyMs: 1_500, answer: 'Wide, and never still.' });
  const clients = Array.from({ length: PENDING_THRESHOLD }, (_, index) =>
    asked({ id: `${id}-${index}` }),
  );
  await until(() => clients.every((client) => gated.callsOf(client.id).length === 1));
  gated.gate.meddle = (path) => ({
    delayMs: 0,
    lose: path.startsWith('/internal/settle') ? 'request' : null,
  });
  for (const client of clients) await expectAnswered(client);
  await until(async () => (await healthOf(gated.stack)).overdue_settlements === PENDING_THRESHOLD);
  expect(await healthOf(gated.stack)).toMatchObject({ status: 'unhealthy', vault: 'ok' });
  const late = asked({ id: `${id}-late` });
  await expectUnavailable(late);
  gated.gate.meddle = null;
  const bills: Record<string, Bill> = { [late.id]: 0 };
  for (const client of clients) bills[client.id] = client.costMsat!;
  await expectWhole(gated.stack, [agent], bills);
});

describe('holds', () => {
  it('get back the time that the vault was away, and a minute more', async () => {
    const reservation = newReservationId();
    const reserved = await callVault(gated.stack, 'POST', '/reserve', {
      agent_token: agent.token,
      amount_msats: 1_000,
      correlation_id: id,
      model: 'gpt-4o',
      reservation_id: reservation,
      expires_in_secs: 2,
    });
    await gated.stack.vault!.kill();
    const awayMs = 3_000;
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    await gated.stack.startVault();
    expect(await reservationState(gated.stack, reservation)).toBe('held');
    const now = await callVault(gated.stack, 'GET', `/reservations/${reservation}`);
    const more = Number(now!.body.expires_at) - Number(reserved!.body.expires_at);
    expect(more).toBeGreaterThanOrEqual(awayMs + 60_000);
    expect(more).toBeLessThan(awayMs + 60_000 + 20_000);
    await callVault(gated.stack, 'POST', '/release', { reservation_id: reservation });
    await expectWhole(gated.stack, [agent], { [id]: 0 });
  });
});

it('dies again and again under many requests', async () => {
  const random = createRandom();
  gated.behave = () => ({
    answer: ' word'.repeat(random.int(1, 60)),
    latencyMs: random.int(0, 200),
    chunkDelayMs: random.int(0, 5),
  });
  const bills: Record<string, Bill> = {};
  let asking = true;
  const callers = Array.from({ length: 12 }, async (_, caller) => {
    for (let round = 0; asking; round++) {
      const client = asked({ id: `${id}-${caller}-${round}`, stream: random.chance(0.5) });
      expect(await client.ended).toBe('whole');
      bills[client.id] = client.status === 200 ? client.costMsat! : 0;
      if (client.status !== 200) await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  for (let round = 0; round < 4; round++) {
    await new Promise((resolve) => setTimeout(resolve, random.int(300, 1_500)));
    await restartVault(gated);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  asking = false;
  await Promise.all(callers);
  expect(Object.values(bills).filter((bill) => bill !== 0).length).toBeGreaterThan(5);
  await expectWhole(gated.stack, [agent], bills);
});
