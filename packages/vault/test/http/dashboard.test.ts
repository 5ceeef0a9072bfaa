/** The operator's page of all agents. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pay } from '../support/pay.ts';
import {
  asOperator,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await openVault();
});
afterEach(closeVaults);

const board = async (query = '') =>
  (await asOperator(vault, 'GET', `/operator/dashboard${query}`)).body;

async function spender(spends: number, name: string): Promise<TestAgent> {
  const policy = { daily_limit_msat: 400, alert_floor_msat: 950, approval_timeout_ms: 60_000 };
  const agent = await fundedAgent(vault, { amount: 1_000, policy, name });
  await settle(vault, await held(vault, agent, spends), spends);
  return agent;
}

test('shows of every agent what it has, spent, may spend and waits for', async () => {
  const agent = await spender(100, 'ann');
  await held(vault, agent, 30);
  expect((await pay(vault, agent, { amount_msat: 300 })).body.status).toBe('PENDING_APPROVAL');
  const { agents, total_agents, total_pending_approvals, has_more } = await board();
  expect(agents).toHaveLength(1);
  expect(agents[0]).toMatchObject({
    agent_id: agent.id,
    name: 'ann',
    daily_spend_msat: 100,
    daily_utilization_pct: 25,
    pending_approvals_count: 1,
    policy: { version: 1, daily_limit_msat: 400 },
    last_payment_at: null,
    balance_below_floor: true,
    disabled_at: null,
  });
  expect(agents[0].balance_msat + agents[0].held_msat).toBe(900);
  expect([total_agents, total_pending_approvals, has_more]).toEqual([1, 1, false]);
});

test('spend leaves after a day, and a payment stays known', async () => {
  const agent = await spender(100, 'ann');
  const { body } = await pay(vault, agent, { amount_msat: 200 });
  expect(body.status).toBe('SETTLED');
  const paidAt = vault.clock.now();
  vault.clock.advance(25 * 60 * 60 * 1_000);
  await vault.keeper.tick();
  const { agents } = await board();
  expect(agents[0]).toMatchObject({ daily_spend_msat: 0, daily_utilization_pct: 0 });
  expect(Math.abs(agents[0].last_payment_at - paidAt)).toBeLessThan(1_000);
});

test.each([
  ['?sort_by=name', ['ann', 'bob', 'bob', 'cid']],
  ['?sort_by=name&sort_order=desc', ['cid', 'bob', 'bob', 'ann']],
  ['?sort_by=balance', ['cid', 'ann', 'bob', 'bob']],
  ['?sort_by=daily_spend&sort_order=desc', ['cid', 'ann', 'bob', 'bob']],
  ['?status=active&sort_by=daily_spend', ['bob', 'bob', 'ann']],
])(
  'sorted by %s, page by page, nobody is missing and nobody is there twice',
  async (query, names) => {
    for (const [spends, name] of [
      [20, 'bob'],
      [30, 'ann'],
      [20, 'bob'],
    ] as const) {
      await spender(spends, name);
    }
    const last = await spender(40, 'cid');
    await asOperator(vault, 'DELETE', `/agents/${last.id}`);
    const seen: { agent_id: string; name: string }[] = [];
    let cursor = '';
    do {
      const page = await board(`${query}&limit=1${cursor}`);
      expect(page.agents).toHaveLength(1);
      seen.push(...page.agents);
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`;
    } while (cursor);
    expect(seen.map(({ name }) => name)).toEqual(names);
    expect(new Set(seen.map(({ agent_id }) => agent_id)).size).toBe(names.length);
  },
);

test('a cursor of another sorting is refused', async () => {
  await spender(1, 'ann');
  await spender(1, 'bob');
  const { next_cursor } = await board('?limit=1');
  const other = await asOperator(
    vault,
    'GET',
    `/operator/dashboard?sort_by=balance&cursor=${next_cursor}`,
  );
  expect([other.status, other.body.error.code]).toEqual([400, 'invalid_cursor']);
});
