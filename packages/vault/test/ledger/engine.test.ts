import { statSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { isRefusal } from '../../src/errors.ts';
import type { Command } from '../../src/ledger/command.ts';
import { QUEUE_MAX } from '../../src/ledger/engine.ts';
import {
  asCore,
  balanceOf,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  reserveBody,
  settle,
  type TestVault,
} from '../support/vault.ts';

afterEach(closeVaults);

const stranger: Command = {
  kind: 'settle',
  reservationId: 'rsv_01JABCDEFGHJKMNPQRSTVWXYZ0',
  asked: 0 as never,
  usage: {},
  agentId: null,
  correlationId: null,
  model: null,
};

const FRAME_BYTES = 4_096 + 24;

/** Pages in the write-ahead log: every commit adds the pages that it changed. */
const walPages = (vault: TestVault): number =>
  Math.floor(statSync(`${vault.path}-wal`).size / FRAME_BYTES);

describe('the queue', () => {
  test('is bounded: what does not fit is refused at once, what fits is answered', async () => {
    const vault = await openVault();
    const outcomes = await Promise.all(
      Array.from({ length: QUEUE_MAX + 5 }, () => vault.engine.execute(stranger)),
    );
    const codes = outcomes.map((outcome) => isRefusal(outcome) && outcome.refused);
    expect(codes.filter((code) => code === 'not_found')).toHaveLength(QUEUE_MAX);
    expect(codes.slice(QUEUE_MAX)).toEqual(Array(5).fill('overloaded'));
    const agent = await fundedAgent(vault);
    expect((await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent))).status).toBe(200);
  });

  test('is finished before the vault is closed; what comes later is refused', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const id = await held(vault, agent, 1_000);
    const inTime = vault.engine.execute({ kind: 'release', reservationId: id, reason: null });
    const closing = vault.engine.close();
    const tooLate = await vault.engine.execute({
      kind: 'release',
      reservationId: id,
      reason: null,
    });
    expect(isRefusal(tooLate) && tooLate.refused).toBe('draining');
    expect(await inTime).toEqual({ released: true, refunded_msats: 1_000 });
    await closing;
  });
});

test('commands that arrive together share one commit', async () => {
  const vault = await openVault();
  const agent = await fundedAgent(vault);
  const before = walPages(vault);
  await held(vault, agent);
  const alone = walPages(vault) - before;
  await Promise.all(Array.from({ length: 64 }, () => held(vault, agent)));
  expect(walPages(vault) - before - alone).toBeLessThan(64 * alone * 0.25);
});

test('commands that follow each other closely share one commit', async () => {
  const vault = await openVault();
  const agent = await fundedAgent(vault);
  const ids = [await held(vault, agent), await held(vault, agent), await held(vault, agent)];
  const before = walPages(vault);
  await settle(vault, await held(vault, agent), 1);
  const two = walPages(vault) - before;
  const releases: Promise<unknown>[] = [];
  for (const reservationId of ids) {
    releases.push(vault.engine.execute({ kind: 'release', reservationId, reason: null }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(releases);
  expect(walPages(vault) - before - two).toBeLessThan(two);
});

test('a refused reserve writes nothing at all', async () => {
  const vault = await openVault();
  const agent = await fundedAgent(vault, { amount: 10 });
  const before = walPages(vault);
  const bodies = [
    reserveBody(vault, agent, { agent_token: 'vtk_wrong' }),
    reserveBody(vault, agent, { amount_msats: 11 }),
  ];
  for (const body of bodies) await asCore(vault, 'POST', '/reserve', body);
  expect(walPages(vault)).toBe(before);
});

test('a restart changes nothing: balances, holds, limits, replays', async () => {
  let vault = await openVault();
  const agent = await fundedAgent(vault, { amount: 10_000, policy: { daily_limit_msat: 5_000 } });
  const first = reserveBody(vault, agent, { amount_msats: 2_000 });
  const reserved = await asCore(vault, 'POST', '/reserve', first);
  const billed = await held(vault, agent, 1_000);
  const bill = await settle(vault, billed, 700);
  const balance = await balanceOf(vault, agent);
  vault = await vault.restart();
  expect(await balanceOf(vault, agent)).toEqual(balance);
  const { expires_at, ...same } = reserved.body;
  const replayed = (await asCore(vault, 'POST', '/reserve', first)).body;
  expect(replayed).toMatchObject(same);
  expect(replayed.expires_at).toBeGreaterThan(expires_at);
  expect((await settle(vault, billed, 700)).body).toEqual(bill.body);
  const over = reserveBody(vault, agent, { amount_msats: 2_301 });
  expect((await asCore(vault, 'POST', '/reserve', over)).body.error.rule).toBe('daily_limit_msat');
  const within = reserveBody(vault, agent, { amount_msats: 2_300 });
  expect((await asCore(vault, 'POST', '/reserve', within)).status).toBe(200);
  expect(vault.verify().findings).toEqual([]);
});
