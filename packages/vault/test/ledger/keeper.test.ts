import { afterEach, describe, expect, test } from 'vitest';
import { openReader, openWriter } from '../../src/db/open.ts';
import { OPERATOR_KEYS_MAX, REPLAY_KEYS_KEPT_MS } from '../../src/ledger/replay-key.ts';
import { FORGET_ROUND_MAX } from '../../src/worker/keeper.ts';
import {
  asCore,
  asOperator,
  balanceOf,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  pass,
  START_MS,
  type TestVault,
} from '../support/vault.ts';

afterEach(async () => {
  await closeVaults();
});

const reservation = async (vault: TestVault, id: string) =>
  (await asCore(vault, 'GET', `/reservations/${id}`)).body;

describe('expiry', () => {
  test('returns a hold at its time and not before', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault, { amount: 5_000 });
    const id = await held(vault, agent, 1_000, { expires_in_secs: 3 });
    await pass(vault, 2_999);
    expect((await reservation(vault, id)).state).toBe('held');
    await pass(vault, 1);
    expect(await reservation(vault, id)).toMatchObject({ state: 'expired', refunded_msats: 1_000 });
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 5_000, held: 0 });
  });

  test('returns any number of holds in one round', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const ids = Array.from({ length: 600 }, () => held(vault, agent, 10, { expires_in_secs: 1 }));
    await Promise.all(ids);
    await pass(vault, 1_000);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 1_000_000, held: 0 });
    expect(vault.verify().findings).toEqual([]);
  });

  test('runs by itself while the vault serves', async () => {
    const vault = await openVault({ start: false });
    const agent = await fundedAgent(vault);
    await vault.keeper.start();
    const id = await held(vault, agent, 10, { expires_in_secs: 1 });
    vault.clock.advance(1_000);
    await expect
      .poll(async () => (await reservation(vault, id)).state, { timeout: 5_000 })
      .toBe('expired');
  });
});

describe('the vault’s own absence', () => {
  test('while it was stopped gives open holds that time and a minute more', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const id = await held(vault, agent, 1_000, { expires_in_secs: 60 });
    await vault.close();
    vault.clock.advance(600_000);
    const next = await openVault({ path: vault.path, clock: vault.clock });
    expect(await reservation(next, id)).toMatchObject({
      state: 'held',
      expires_at: START_MS + 60_000 + 600_000 + 60_000,
    });
    await pass(next, 119_000);
    expect((await reservation(next, id)).state).toBe('held');
    await pass(next, 1_000);
    expect((await reservation(next, id)).state).toBe('expired');
    expect(next.verify().findings).toEqual([]);
  });

  test('while it was paused does the same', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const id = await held(vault, agent, 1_000, { expires_in_secs: 10 });
    vault.clock.advance(30_000);
    await vault.keeper.tick();
    expect(await reservation(vault, id)).toMatchObject({
      state: 'held',
      expires_at: START_MS + 10_000 + 90_000,
    });
  });

  test('of a few seconds is no absence', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const id = await held(vault, agent, 1_000, { expires_in_secs: 1 });
    vault.clock.advance(9_900);
    await vault.keeper.tick();
    expect((await reservation(vault, id)).state).toBe('expired');
  });

  test('is known to a second, whatever happened before', async () => {
    const vault = await openVault();
    await pass(vault, 300_000);
    expect(vault.clock.ms - vault.engine.ledgerMs).toBeLessThanOrEqual(1_000);
  });
});

describe('idempotency keys past their time', () => {
  /** As they are after a day in which so many were used. */
  function usedADayAgo(vault: TestVault, keys: number): void {
    const db = openWriter(vault.path);
    db.prepare(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO idempotency_keys SELECT 'key ' || i, 'f', 'a', ?, 'operator' FROM n`,
    ).run(keys, START_MS - REPLAY_KEYS_KEPT_MS - 1);
    db.close();
  }
  function keysOf(vault: TestVault): number {
    const db = openReader(vault.path);
    const count = db.prepare('SELECT count(*) FROM idempotency_keys').pluck().get() as number;
    db.close();
    return count;
  }

  test('are all forgotten in one round, with others served in between', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    usedADayAgo(vault, 3_500);
    vault.clock.advance(60_000);
    const round = vault.keeper.tick();
    const served = await Promise.race([round, held(vault, agent)]);
    expect(served).toMatch(/^rsv_/);
    await round;
    expect(keysOf(vault)).toBe(0);
  });

  test('are so many at most in one round; the next goes on', async () => {
    const vault = await openVault();
    usedADayAgo(vault, FORGET_ROUND_MAX + 500);
    vault.clock.advance(60_000);
    await vault.keeper.tick();
    expect(keysOf(vault)).toBe(500);
    vault.clock.advance(500);
    await vault.keeper.tick();
    expect(keysOf(vault)).toBe(0);
  });

  test('make room for their principal, whose others still count', async () => {
    const vault = await openVault();
    usedADayAgo(vault, OPERATOR_KEYS_MAX - 1);
    const create = (key: string) =>
      asOperator(vault, 'POST', '/agents', { name: 'a' }, { 'idempotency-key': key });
    expect((await create('one')).status).toBe(201);
    expect((await create('two')).status).toBe(429);
    vault.clock.advance(60_000);
    await vault.keeper.tick();
    expect((await create('two')).status).toBe(201);
    expect(keysOf(vault)).toBe(OPERATOR_KEYS_MAX - FORGET_ROUND_MAX + 1);
  });
});

describe('a clock that is set back', () => {
  test('takes the ledger nowhere: its time goes on from where it was', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    vault.clock.set(START_MS - 3_600_000);
    const id = await held(vault, agent, 1_000, { expires_in_secs: 3 });
    expect(await reservation(vault, id)).toMatchObject({
      created_at: START_MS,
      expires_at: START_MS + 3_000,
    });
    await pass(vault, 2_999);
    expect((await reservation(vault, id)).state).toBe('held');
    await pass(vault, 1);
    expect((await reservation(vault, id)).state).toBe('expired');
  });

  test('does so also across a restart', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    vault.clock.set(START_MS - 3_600_000);
    const next = await vault.restart();
    const id = await held(next, agent, 1_000, { expires_in_secs: 1 });
    expect((await reservation(next, id)).created_at).toBeGreaterThanOrEqual(START_MS);
    await pass(next, 1_000);
    expect((await reservation(next, id)).state).toBe('expired');
    expect(next.verify().findings).toEqual([]);
  });
});
