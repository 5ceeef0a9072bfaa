/** Over a limit a human decides: once, on exactly what was asked for, and in time. */
import { hash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { agentPost, invoice, pay, payInvoice } from '../support/pay.ts';
import {
  type Answer,
  asAgent,
  asOperator,
  balanceOf,
  closeVaults,
  fundedAgent,
  openVault,
  pass,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
const LIMITED = { max_transaction_msat: 500, approval_timeout_ms: 10_000 };

beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault, { policy: LIMITED });
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

const resolve = (id: string, how: 'approve' | 'deny', body?: object): Promise<Answer> =>
  asOperator(vault, 'POST', `/operator/approvals/${id}/${how}`, body);
const statusOf = async (id: string) =>
  (await asAgent(vault, agent.token, `/agents/me/payments/${id}`)).body.status;
const withdraw = (body: object, who = agent) =>
  agentPost(vault, who, '/agents/me/withdrawals', body);

describe('a payment over the limit', () => {
  test('waits with its money held; an approver sees what will run', async () => {
    const { status, body } = await pay(vault, agent);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      policy_decision: 'REQUIRE_HUMAN_APPROVAL',
      status: 'PENDING_APPROVAL',
      reason: 'exceeds_max_transaction_requires_approval',
    });
    expect((await balanceOf(vault, agent)).held).toBe(1_000);
    const { approvals } = (await asOperator(vault, 'GET', '/operator/approvals')).body;
    expect(approvals).toMatchObject([
      {
        id: body.approval_id,
        agent_id: agent.id,
        transaction_id: body.transaction_id,
        amount_msat: 1_000,
        destination: 'ann@pay.example',
        rule: 'max_transaction_msat',
        status: 'pending',
      },
    ]);
    const own = await asAgent(vault, agent.token, `/agents/me/approvals/${body.approval_id}`);
    expect(own.body).toEqual(approvals[0]);
  });

  test('runs when it is approved', async () => {
    const { body } = await pay(vault, agent);
    const approved = await resolve(body.approval_id, 'approve', { reason: 'fine' });
    expect(approved.body).toMatchObject({ status: 'approved', payment_status: 'SETTLED' });
    expect(await balanceOf(vault, agent)).toEqual({ available: 999_000, held: 0, spent: 1_000 });
  });

  test('to another agent runs inside the approval', async () => {
    const payee = await fundedAgent(vault, { amount: 0 });
    const inside = { destination_type: 'internal', destination: payee.id };
    const { body } = await pay(vault, agent, inside);
    expect((await resolve(body.approval_id, 'approve')).body.payment_status).toBe('SETTLED');
    expect((await balanceOf(vault, payee)).available).toBe(1_000);
  });

  test('gives the money back when it is denied', async () => {
    const { body } = await pay(vault, agent);
    const denied = await resolve(body.approval_id, 'deny', { reason: 'no' });
    expect(denied.body).toMatchObject({ status: 'denied', payment_status: 'FAILED' });
    expect(await balanceOf(vault, agent)).toEqual({ available: 1_000_000, held: 0, spent: 0 });
  });

  test('gives the money back when nobody comes in time, also across a restart', async () => {
    const { body } = await pay(vault, agent);
    await pass(vault, 9_000);
    expect(await statusOf(body.transaction_id)).toBe('PENDING_APPROVAL');
    vault = await vault.restart();
    await pass(vault, 2_000);
    expect(await statusOf(body.transaction_id)).toBe('FAILED');
    expect((await balanceOf(vault, agent)).available).toBe(1_000_000);
    const late = await resolve(body.approval_id, 'approve');
    expect([late.status, late.body.error.status]).toEqual([409, 'timed_out']);
  });

  test('T12: approve, deny and time-out meet: one wins, and the hold ends once', async () => {
    for (const ms of [0, 10_000]) {
      const { body } = await pay(vault, agent);
      vault.clock.advance(ms);
      const answers = await Promise.all([
        ...Array.from({ length: 20 }, () => resolve(body.approval_id, 'approve')),
        ...Array.from({ length: 20 }, () => resolve(body.approval_id, 'deny')),
        vault.keeper.tick().then(() => null),
      ]);
      const won = answers.filter((answer) => answer?.status === 200);
      expect(won).toHaveLength(ms === 0 ? 1 : 0);
      expect((await balanceOf(vault, agent)).held).toBe(0);
    }
  });

  test('is refused at once where no human is asked, and for want of money before anybody is asked', async () => {
    const strict = await fundedAgent(vault, { policy: { max_transaction_msat: 500 } });
    expect((await pay(vault, strict)).body.policy_decision).toBe('DENY');
    const poor = await fundedAgent(vault, { policy: LIMITED, amount: 900 });
    expect((await pay(vault, poor)).body.reason).toBe('insufficient_balance');
  });
});

describe('of an invoice, while it waits for a human', () => {
  let other: TestAgent;
  let one: string;
  let forged: string;
  beforeEach(async () => {
    other = await fundedAgent(vault, { policy: {} });
    const paymentHash = hash('sha256', 'of the one invoice');
    one = invoice(1_000, { paymentHash });
    forged = invoice(1, { paymentHash });
  });

  test('another agent pays it; an approval then gives the money back', async () => {
    const { body } = await withdraw({ destination: forged });
    expect(body.status).toBe('PENDING_APPROVAL');
    expect((await payInvoice(vault, other, one)).body.status).toBe('SETTLED');
    const approved = await resolve(body.withdrawal_id, 'approve');
    expect(approved.body).toMatchObject({ status: 'approved', payment_status: 'FAILED' });
    const failed = await asAgent(vault, agent.token, `/agents/me/payments/${body.transaction_id}`);
    expect(failed.body.failure).toBe('another payment of this invoice was made meanwhile');
    expect(await balanceOf(vault, agent)).toEqual({ available: 1_000_000, held: 0, spent: 0 });
    expect(await balanceOf(vault, other)).toMatchObject({ held: 0, spent: 1_000 });
  });

  test('two agents may ask; whoever is approved first pays it', async () => {
    const [mine, others] = [
      await withdraw({ destination: one }),
      await withdraw({ destination: one }, other),
    ];
    const both = await Promise.all([
      resolve(mine.body.withdrawal_id, 'approve'),
      resolve(others.body.withdrawal_id, 'approve'),
    ]);
    expect(both.map(({ body }) => body.payment_status).sort()).toEqual(['FAILED', 'SETTLED']);
  });

  test('the same agent is told that it has asked already', async () => {
    const { body } = await withdraw({ destination: one });
    const again = await payInvoice(vault, agent, forged);
    expect([again.status, again.body.error]).toMatchObject([
      409,
      { code: 'already_paid', transaction_id: body.transaction_id, state: 'requested' },
    ]);
    await resolve(body.withdrawal_id, 'deny');
    expect((await withdraw({ destination: one })).status).toBe(200);
  });
});

describe('a withdrawal', () => {
  test('that no human may allow is refused with the rule', async () => {
    const unlimited = await fundedAgent(vault, { policy: null });
    const to = { destination: 'ann@pay.example', amount_msat: 1_000 };
    const none = await withdraw(to, unlimited);
    expect([none.status, none.body.error]).toMatchObject([
      403,
      { code: 'policy_denied', rule: 'no_policy', reason: 'no_policy_configured' },
    ]);
    const bound = await fundedAgent(vault, {
      policy: { allowed_destinations: ['bob@pay.example'] },
    });
    const elsewhere = await withdraw(to, bound);
    expect([elsewhere.status, elsewhere.body.error]).toMatchObject([
      403,
      { rule: 'allowed_destinations', reason: 'destination_not_allowed' },
    ]);
  });

  test('always waits, five minutes by default, and then runs', async () => {
    const free = await fundedAgent(vault, { policy: {} });
    const { status, body } = await withdraw({ destination: invoice(2_000) }, free);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'PENDING_APPROVAL', amount_msat: 2_000 });
    expect(body.expires_at).toBe(vault.clock.ms + 300_000);
    const approved = await resolve(body.withdrawal_id, 'approve');
    expect(approved.body.payment_status).toBe('SETTLED');
    expect((await balanceOf(vault, free)).available).toBe(998_000);
  });

  test('T2: fifty at once of all that there is: one is held, the others get 402', async () => {
    const poor = await fundedAgent(vault, { amount: 1_000 });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        withdraw({ destination: 'ann@pay.example', amount_msat: 1_000 }, poor),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, ...Array.from({ length: 49 }, () => 402)]);
    expect(await balanceOf(vault, poor)).toEqual({ available: 0, held: 1_000, spent: 0 });
  });
});

test('lists are paged and filtered', async () => {
  for (let nth = 0; nth < 3; nth++) await pay(vault, agent);
  const page = (query: string) => asOperator(vault, 'GET', `/operator/approvals${query}`);
  const first = (await page('?limit=2')).body;
  expect([first.approvals.length, first.has_more]).toEqual([2, true]);
  const second = (await page(`?limit=2&cursor=${first.next_cursor}`)).body;
  expect([second.approvals.length, second.has_more]).toEqual([1, false]);
  await resolve(second.approvals[0].id, 'deny');
  expect((await page('')).body.approvals).toHaveLength(2);
  expect((await page('?status=denied')).body.approvals).toHaveLength(1);
  expect((await page(`?status=all&agent_id=${agent.id}`)).body.approvals).toHaveLength(3);
});
