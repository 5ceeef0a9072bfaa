/** Money that leaves an agent below its floor is said once per cooldown. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { pay } from '../support/pay.ts';
import {
  asOperator,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  pass,
  settle,
  type TestAgent,
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

const spend = async (agent: TestAgent, amount: number) =>
  settle(vault, await held(vault, agent, amount), amount);

async function alerts(agent: TestAgent): Promise<unknown[]> {
  const url = `/agents/${agent.id}/history?action_type=BALANCE_ALERT&order=asc`;
  const { body } = await asOperator(vault, 'GET', url);
  return body.entries.map(({ metadata }: { metadata: { balance: number } }) => metadata.balance);
}

test('an agent above its floor, or without one, is quiet', async () => {
  const floored = await fundedAgent(vault, { amount: 1_000, policy: { alert_floor_msat: 500 } });
  await spend(floored, 500);
  expect(await alerts(floored)).toEqual([]);
  const plain = await fundedAgent(vault, { amount: 1_000 });
  await spend(plain, 1_000);
  expect(await alerts(plain)).toEqual([]);
});

test('below it says so, then not again before the cooldown is over, restarts or not', async () => {
  const agent = await fundedAgent(vault, {
    amount: 1_000,
    policy: { alert_floor_msat: 500, alert_cooldown_ms: 10_000 },
  });
  await spend(agent, 501);
  await spend(agent, 1);
  await pass(vault, 9_999);
  vault = await vault.restart();
  await spend(agent, 1);
  expect(await alerts(agent)).toEqual([499]);
  await pass(vault, 1);
  await spend(agent, 1);
  expect(await alerts(agent)).toEqual([499, 496]);
});

test('without a cooldown of its own it waits an hour', async () => {
  const agent = await fundedAgent(vault, { amount: 1_000, policy: { alert_floor_msat: 900 } });
  await spend(agent, 200);
  vault.clock.advance(3_599_999);
  await spend(agent, 1);
  expect(await alerts(agent)).toHaveLength(1);
  vault.clock.advance(1);
  await spend(agent, 1);
  expect(await alerts(agent)).toHaveLength(2);
});

test('a late bill counts as well', async () => {
  const agent = await fundedAgent(vault, { amount: 1_000, policy: { alert_floor_msat: 500 } });
  const late = await held(vault, agent, 600, { expires_in_secs: 1 });
  await pass(vault, 1_000);
  await settle(vault, late, 600);
  expect(await alerts(agent)).toEqual([400]);
});

describe('money that leaves otherwise counts as well', () => {
  let agent: TestAgent;
  beforeEach(async () => {
    const policy = {
      alert_floor_msat: 500,
      max_transaction_msat: 900,
      approval_timeout_ms: 60_000,
    };
    agent = await fundedAgent(vault, { amount: 1_000, policy });
  });

  test('a payment', async () => {
    await pay(vault, agent, { amount_msat: 500 });
    expect(await alerts(agent)).toEqual([]);
    await pay(vault, agent, { amount_msat: 1 });
    expect(await alerts(agent)).toEqual([499]);
  });

  test('one that a human let pass, and not while it waited', async () => {
    const { body } = await pay(vault, agent, { amount_msat: 950, max_fee_msat: 0 });
    expect(await alerts(agent)).toEqual([]);
    await asOperator(vault, 'POST', `/operator/approvals/${body.approval_id}/approve`);
    expect(await alerts(agent)).toEqual([50]);
  });

  test('a payment to another agent, who is not told of what it got', async () => {
    const payee = await fundedAgent(vault, { amount: 10, policy: { alert_floor_msat: 5_000 } });
    const internal = { destination_type: 'internal', destination: payee.id };
    await pay(vault, agent, { amount_msat: 600, ...internal }, { 'idempotency-key': 'once' });
    expect(await alerts(agent)).toEqual([400]);
    expect(await alerts(payee)).toEqual([]);
  });

  test('a debit', async () => {
    const debit = { amount_msat: 501, reason: 'x' };
    await asOperator(vault, 'POST', `/agents/${agent.id}/debit`, debit);
    expect(await alerts(agent)).toEqual([499]);
  });

  test('but what only waits for its bill, or was refused, does not', async () => {
    await held(vault, agent, 900);
    expect((await pay(vault, agent, { amount_msat: 800 })).body.status).toBe('FAILED');
    expect(await alerts(agent)).toEqual([]);
  });
});
