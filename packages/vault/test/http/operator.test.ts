import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  asAgent,
  asCore,
  asOperator,
  balanceOf,
  books,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  pass,
  release,
  reserveBody,
  settle,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await openVault();
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

describe('a new agent', () => {
  test('may spend nothing until it has a policy, however much it has', async () => {
    const agent = await fundedAgent(vault, { policy: null });
    const answer = await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent));
    expect([answer.status, answer.body.error.rule]).toEqual([403, 'no_policy']);
    const free = reserveBody(vault, agent, { amount_msats: 0 });
    expect((await asCore(vault, 'POST', '/reserve', free)).status).toBe(403);
    await asOperator(vault, 'PUT', `/agents/${agent.id}/policy`, {});
    expect((await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent))).status).toBe(200);
  });

  test('has a token that nobody can read back', async () => {
    const agent = await fundedAgent(vault);
    const rows = JSON.stringify(vault.writer.prepare('SELECT * FROM agent_tokens').all());
    expect(rows).not.toContain(agent.token.slice(4));
  });
});

describe('a disabled agent', () => {
  test('can neither reserve nor be credited nor be given a policy; its holds still end', async () => {
    const agent = await fundedAgent(vault, { amount: 5_000 });
    const [settled, released, expiring] = [
      await held(vault, agent),
      await held(vault, agent),
      await held(vault, agent, 1_000, { expires_in_secs: 1 }),
    ];
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    const refused = [
      await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent)),
      await asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat: 1 }),
      await asOperator(vault, 'PUT', `/agents/${agent.id}/policy`, {}),
      await asOperator(vault, 'PATCH', `/operator/agents/${agent.id}/policy`, {}),
    ];
    for (const { status, body } of refused) {
      expect([status, body.error.code]).toEqual([403, 'agent_disabled']);
    }
    expect((await settle(vault, settled, 400)).status).toBe(200);
    expect((await release(vault, released)).status).toBe(200);
    await pass(vault, 1_000);
    expect((await settle(vault, expiring, 100)).body.late).toBe(true);
    expect(await balanceOf(vault, agent)).toEqual({ available: 4_500, held: 0, spent: 500 });
  });

  test('gets the stored answer of a reserve that it made before', async () => {
    const agent = await fundedAgent(vault);
    const body = reserveBody(vault, agent);
    const first = await asCore(vault, 'POST', '/reserve', body);
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    expect((await asCore(vault, 'POST', '/reserve', body)).body).toEqual(first.body);
  });
});

describe('a policy', () => {
  test('changes by merge: what is not named stays, null lifts', async () => {
    const agent = await fundedAgent(vault, {
      policy: { max_transaction_msat: 10, daily_limit_msat: 20 },
    });
    const url = `/operator/agents/${agent.id}/policy`;
    const first = await asOperator(vault, 'PATCH', url, { daily_limit_msat: 30 });
    expect(first.body.policy).toMatchObject({
      version: 2,
      max_transaction_msat: 10,
      daily_limit_msat: 30,
    });
    const second = await asOperator(vault, 'PATCH', url, { max_transaction_msat: null });
    expect(second.body.policy).toMatchObject({
      version: 3,
      max_transaction_msat: null,
      daily_limit_msat: 30,
    });
  });

  test('is replaced as a whole: what is not named is lifted', async () => {
    const agent = await fundedAgent(vault, {
      policy: { max_transaction_msat: 10, daily_limit_msat: 20 },
    });
    const answer = await asOperator(vault, 'PUT', `/agents/${agent.id}/policy`, {
      daily_limit_msat: 5,
    });
    expect(answer.body.policy).toMatchObject({
      version: 2,
      max_transaction_msat: null,
      daily_limit_msat: 5,
    });
  });

  test('keeps its versions, newest first, page by page', async () => {
    const agent = await fundedAgent(vault);
    for (let n = 1; n <= 4; n++) {
      await asOperator(vault, 'PUT', `/agents/${agent.id}/policy`, { daily_limit_msat: n });
    }
    const url = `/agents/${agent.id}/policy/versions?limit=2`;
    const seen: number[] = [];
    let cursor = '';
    do {
      const { body } = await asOperator(vault, 'GET', url + cursor);
      seen.push(...body.versions.map(({ version }: { version: number }) => version));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  test('is checked after the balance, largest amount before the day', async () => {
    const agent = await fundedAgent(vault, {
      amount: 1_000,
      policy: { max_transaction_msat: 500, daily_limit_msat: 600 },
    });
    const reserve = (amount_msats: number) =>
      asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats }));
    expect((await reserve(1_001)).body.error).toMatchObject({
      code: 'insufficient_balance',
      current_balance_msats: 1_000,
      requested_msats: 1_001,
    });
    expect((await reserve(501)).body.error).toMatchObject({
      code: 'policy_denied',
      rule: 'max_transaction_msat',
    });
    expect((await reserve(500)).status).toBe(200);
    expect((await reserve(101)).body.error).toMatchObject({
      code: 'policy_denied',
      rule: 'daily_limit_msat',
    });
    expect((await reserve(100)).status).toBe(200);
  });

  test('of zero lets nothing but nothing pass', async () => {
    const agent = await fundedAgent(vault, { policy: { max_transaction_msat: 0 } });
    const reserve = (amount_msats: number) =>
      asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats }));
    expect((await reserve(1)).status).toBe(403);
    expect((await reserve(0)).status).toBe(200);
  });
});

describe('lists', () => {
  test('of agents are complete and ascending, page by page, while agents are made', async () => {
    const made: string[] = [];
    for (let n = 0; n < 7; n++) made.push((await fundedAgent(vault, { amount: 0 })).id);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await asOperator(vault, 'GET', `/agents?limit=3${cursor}`);
      seen.push(...body.agents.map(({ id }: { id: string }) => id));
      expect(body.has_more).toBe(body.next_cursor !== null);
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
      if (seen.length === 3) made.push((await fundedAgent(vault, { amount: 0 })).id);
    } while (cursor);
    expect(seen).toEqual(made);
  });

  test('of open holds show one core’s own', async () => {
    const agent = await fundedAgent(vault);
    const mine = [
      await held(vault, agent, 1, { core_id: 'core-a' }),
      await held(vault, agent, 1, { core_id: 'core-a' }),
      await held(vault, agent, 1, { core_id: 'core-a' }),
    ];
    await held(vault, agent, 1, { core_id: 'core-b' });
    await settle(vault, await held(vault, agent, 1, { core_id: 'core-a' }), 1);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await asCore(
        vault,
        'GET',
        `/reservations?core_id=core-a&state=held&limit=2${cursor}`,
      );
      seen.push(...body.reservations.map((r: { reservation_id: string }) => r.reservation_id));
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    expect(seen).toEqual(mine);
    expect((await asCore(vault, 'GET', '/reservations')).body.reservations).toHaveLength(4);
  });
});

test('the operator may read any agent, an agent only itself', async () => {
  const one = await fundedAgent(vault);
  const two = await fundedAgent(vault);
  for (const what of ['balance', 'history']) {
    expect((await asOperator(vault, 'GET', `/agents/${one.id}/${what}`)).status).toBe(200);
    expect((await asAgent(vault, one.token, `/agents/${one.id}/${what}`)).status).toBe(200);
    expect((await asAgent(vault, one.token, `/agents/${two.id}/${what}`)).status).toBe(404);
  }
  expect((await asAgent(vault, one.token, '/agents')).status).toBe(401);
});

test('money is on nobody’s account but where it was put', async () => {
  const agent = await fundedAgent(vault, { amount: 900 });
  await settle(vault, await held(vault, agent, 500), 120);
  expect(books(vault.path).accounts).toEqual({
    'rail:simulated': -900,
    'operator:revenue': 120,
    'operator:loss': 0,
    'operator:equity': 0,
    'fees:simulated': 0,
    'transit:internal': 0,
    [`agent:${agent.id}:available`]: 780,
    [`agent:${agent.id}:held`]: 0,
  });
});
