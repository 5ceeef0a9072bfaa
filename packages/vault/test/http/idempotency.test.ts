/** The same key, and everything is done once; on every route that changes something. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeApi } from '../../src/http/describe-api.ts';
import { AGENT_KEYS_MAX, OPERATOR_KEYS_MAX } from '../../src/ledger/replay-key.ts';
import { pay } from '../support/pay.ts';
import {
  asOperator,
  balanceOf,
  closeVaults,
  fundedAgent,
  openVault,
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

describe('an idempotency key', () => {
  const key = (value: string) => ({ 'idempotency-key': value });

  test('makes an agent once; its token is shown once', async () => {
    const first = await asOperator(vault, 'POST', '/agents', { name: 'a' }, key('k1'));
    const second = await asOperator(vault, 'POST', '/agents', { name: 'a' }, key('k1'));
    expect(second.status).toBe(201);
    expect(second.body).toEqual({ ...first.body, token: null });
    expect((await asOperator(vault, 'GET', '/agents')).body.agents).toHaveLength(1);
  });

  test('credits once, also when both arrive together and after a restart', async () => {
    const agent = await fundedAgent(vault, { amount: 0 });
    const deposit = () =>
      asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat: 70 }, key('k2'));
    const answers = await Promise.all([deposit(), deposit()]);
    vault = await vault.restart();
    answers.push(await deposit());
    for (const { body } of answers) expect(body).toEqual(answers[0]!.body);
    expect((await balanceOf(vault, agent)).available).toBe(70);
  });

  test('with another request is a conflict and changes nothing', async () => {
    const agent = await fundedAgent(vault, { amount: 0 });
    const deposit = (amount_msat: number) =>
      asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat }, key('k3'));
    await deposit(70);
    const answer = await deposit(71);
    expect([answer.status, answer.body.error.code]).toEqual([409, 'idempotency_conflict']);
    expect((await balanceOf(vault, agent)).available).toBe(70);
  });

  test('sets a policy once', async () => {
    const agent = await fundedAgent(vault);
    const url = `/agents/${agent.id}/policy`;
    const first = await asOperator(vault, 'PUT', url, { daily_limit_msat: 5 }, key('k4'));
    const second = await asOperator(vault, 'PUT', url, { daily_limit_msat: 5 }, key('k4'));
    expect(second.body).toEqual(first.body);
  });

  test('of a refused request is free', async () => {
    const agent = await fundedAgent(vault, { amount: 0 });
    const url = `/agents/ag_01JABCDEFGHJKMNPQRSTVWXYZ0/deposit`;
    expect((await asOperator(vault, 'POST', url, { amount_msat: 1 }, key('k5'))).status).toBe(404);
    const right = `/agents/${agent.id}/deposit`;
    expect((await asOperator(vault, 'POST', right, { amount_msat: 1 }, key('k5'))).status).toBe(
      200,
    );
  });

  test('is forgotten after a day, and not before', async () => {
    const agent = await fundedAgent(vault, { amount: 0 });
    const deposit = () =>
      asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat: 70 }, key('k6'));
    await deposit();
    vault.clock.advance(24 * 3_600_000);
    await vault.keeper.tick();
    await deposit();
    expect((await balanceOf(vault, agent)).available).toBe(70);
    vault.clock.advance(61_000);
    await vault.keeper.tick();
    expect(vault.verify().findings).toEqual([]);
    await deposit();
    expect((await balanceOf(vault, agent)).available).toBe(140);
  });
});

test('a replay says that it is one', async () => {
  const ask = () => asOperator(vault, 'POST', '/agents', { name: 'a' }, { 'idempotency-key': 'k' });
  expect((await ask()).headers['x-arbstr-replayed']).toBeUndefined();
  expect((await ask()).headers['x-arbstr-replayed']).toBe('true');
});

test('a replay of a payment says so, however it has ended meanwhile', async () => {
  const agent = await fundedAgent(vault);
  const ask = () => pay(vault, agent, {}, { 'idempotency-key': 'k' });
  expect((await ask()).headers['x-arbstr-replayed']).toBeUndefined();
  const again = await ask();
  expect([again.headers['x-arbstr-replayed'], again.body.status]).toEqual(['true', 'SETTLED']);
});

test('on another route the same key is another key', async () => {
  const headers = { 'idempotency-key': 'everywhere' };
  const { id } = await fundedAgent(vault, { amount: 0 });
  const asked = [
    () => asOperator(vault, 'POST', `/agents/${id}/deposit`, { amount_msat: 70 }, headers),
    () => asOperator(vault, 'PUT', `/agents/${id}/policy`, {}, headers),
    () => asOperator(vault, 'PATCH', `/operator/agents/${id}/policy`, {}, headers),
    () => asOperator(vault, 'POST', '/agents', { name: 'x' }, headers),
  ];
  for (const ask of asked) {
    const first = await ask();
    const second = await ask();
    expect(first.headers['x-arbstr-replayed']).toBeUndefined();
    expect(second.headers['x-arbstr-replayed']).toBe('true');
    expect({ ...second.body, token: null }).toEqual({ ...first.body, token: null });
  }
});

test('a command that changes nothing takes its key as well', async () => {
  const headers = { 'idempotency-key': 'off' };
  const one = await fundedAgent(vault, { amount: 0 });
  const two = await fundedAgent(vault, { amount: 0 });
  const disable = (id: string, key = {}) =>
    asOperator(vault, 'DELETE', `/agents/${id}`, undefined, key);
  await disable(one.id);
  const first = await disable(one.id, headers);
  expect((await disable(one.id, headers)).body).toEqual(first.body);
  expect((await disable(two.id, headers)).status).toBe(409);
  expect((await asOperator(vault, 'GET', `/agents/${two.id}`)).body.disabled_at).toBeNull();
});

test('keys are bounded by refusing more, never by forgetting one early', async () => {
  const { id } = await fundedAgent(vault, { amount: 0 });
  const deposit = (key: string) =>
    asOperator(
      vault,
      'POST',
      `/agents/${id}/deposit`,
      { amount_msat: 1 },
      { 'idempotency-key': key },
    );
  await deposit('first');
  expect(AGENT_KEYS_MAX).toBeLessThan(OPERATOR_KEYS_MAX);
  // As many as if they had been used; written behind the ledger's back, and taken out again.
  const fill = vault.writer.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO idempotency_keys SELECT 'fill ' || i, 'f', '{}', ?, 'operator' FROM n`,
  );
  fill.run(OPERATOR_KEYS_MAX - 1, vault.clock.now());
  vault = await vault.restart();
  const refused = await deposit('one-too-many');
  expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
  expect(refused.headers['retry-after']).toBe('60');
  expect((await deposit('first')).headers['x-arbstr-replayed']).toBe('true');
  vault.writer.exec("DELETE FROM idempotency_keys WHERE key LIKE 'fill %'");
  vault = await vault.restart();
  expect((await deposit('one-too-many')).status).toBe(200);
  const { body } = await asOperator(vault, 'GET', `/agents/${id}/balance`);
  expect(body.balance_msat).toBe(2);
});

describe('the API', () => {
  interface Operation {
    readonly parameters?: { readonly in: string; readonly name: string }[];
  }

  test('takes it on every route that changes something, but core’s own', async () => {
    const { paths } = (await describeApi()) as { paths: Record<string, Record<string, Operation>> };
    const without = Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([method]) => method !== 'get')
        .filter(([, { parameters = [] }]) =>
          parameters.every(({ name }) => name !== 'idempotency-key'),
        )
        .map(([method]) => `${method} ${path}`),
    );
    expect(without.sort()).toEqual([
      'post /internal/authenticate',
      'post /internal/extend',
      'post /internal/release',
      'post /internal/reserve',
      'post /internal/settle',
    ]);
  });
});
