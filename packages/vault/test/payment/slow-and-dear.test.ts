/** Wallets that take days, that cannot be asked, and whose fees somebody would like another to pay. */
import { afterEach, expect, test } from 'vitest';
import { agentPost, invoice, pay, payInvoice, walletScript } from '../support/pay.ts';
import {
  asAgent,
  balanceOf,
  books,
  closeVaults,
  fundedAgent,
  openVault,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

const DAY_MS = 24 * 3_600_000;
let vault: TestVault;

afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

async function start(...rules: object[]) {
  const script = walletScript();
  script.misbehave(...rules);
  vault = await openVault({ walletScript: script.path });
  return script;
}

async function pass(days: number): Promise<void> {
  vault.clock.advance(days * DAY_MS);
  await vault.keeper.tick();
  await vault.runner.tick();
}

const statusOf = async (agent: TestAgent, { transaction_id: id }: { transaction_id: string }) =>
  (await asAgent(vault, agent.token, `/agents/me/payments/${id}`)).body.status;

test('T6: however long a payment takes, nothing runs out that would let the invoice be paid again', async () => {
  const script = await start({ match: '', fault: 'pending' });
  const agent = await fundedAgent(vault);
  const other = await fundedAgent(vault);
  const one = invoice(1_000, { expirySecs: 60 * 24 * 3_600 });
  const { body } = await payInvoice(vault, agent, one);
  // Its hold, the wallet's answer, an Idempotency-Key, a lock: longer than any of them lasts.
  for (const days of [0.01, 1, 14]) {
    await pass(days);
    vault = await vault.restart();
    for (const payer of [agent, other]) {
      const again = await payInvoice(vault, payer, one);
      expect([again.status, again.body.error.code]).toEqual([409, 'already_paid']);
    }
  }
  script.misbehave();
  await pass(1);
  expect(await statusOf(agent, body)).toBe('SETTLED');
  expect(await balanceOf(vault, agent)).toMatchObject({ available: 999_000, held: 0 });
  expect(await balanceOf(vault, other)).toMatchObject({ available: 1_000_000, held: 0 });
});

test('T14, T47: a wallet that is at it for days: neither failed nor paid, and the money shows as held', async () => {
  const script = await start({ match: '', fault: 'pending' });
  const agent = await fundedAgent(vault);
  const { body } = await pay(vault, agent, { max_fee_msat: 50 });
  for (const days of [1, 13, 30]) {
    expect(body.status).toBe('PENDING');
    expect(await statusOf(agent, body)).toBe('PENDING');
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 998_950, held: 1_050 });
    await pass(days);
    vault = await vault.restart();
  }
  script.misbehave();
  await pass(1);
  expect(await statusOf(agent, body)).toBe('SETTLED');
});

test('T18: paid, and then the wallet cannot be asked for weeks: that is no failure', async () => {
  const script = await start({ match: '', fault: 'pay_then_error' });
  const agent = await fundedAgent(vault);
  const { body } = await pay(vault, agent);
  script.misbehave({ match: '', fault: 'error' });
  for (const days of [1, 7, 14]) {
    await pass(days);
    expect(await statusOf(agent, body)).toBe('PENDING');
  }
  script.misbehave();
  await pass(1);
  expect(await statusOf(agent, body)).toBe('SETTLED');
  expect(await balanceOf(vault, agent)).toMatchObject({ available: 999_000, held: 0 });
});

test('T28: who pays itself round and round loses the fees itself; the operator and others lose nothing', async () => {
  await start({ match: '', fee_msat: 40 });
  const agent = await fundedAgent(vault, { amount: 10_000 });
  const bystander = await fundedAgent(vault);
  const before = books(vault.path).accounts;
  let paid = 0;
  for (let n = 0; n < 10; n++) {
    const { body } = await payInvoice(vault, agent, invoice(1_000), { max_fee_msat: 40 });
    if (body.status === 'SETTLED') paid++;
  }
  // The tenth has nothing left for its fee.
  expect(paid).toBe(9);
  const after = books(vault.path).accounts;
  for (const account of ['operator:revenue', 'operator:loss', 'operator:equity']) {
    expect([account, after[account]]).toEqual([account, before[account]]);
  }
  expect(await balanceOf(vault, agent)).toMatchObject({ available: 10_000 - 9 * 1_040, held: 0 });
  expect(await balanceOf(vault, bystander)).toMatchObject({ available: 1_000_000, held: 0 });
  expect(after['fees:simulated']).toBe(9 * 40);
});

test('T29: what a wallet takes above its limit is never the money of another agent', async () => {
  await start({ match: '', fault: 'overcharge' });
  const agent = await fundedAgent(vault, { amount: 1_100 });
  const bystander = await fundedAgent(vault);
  const { body } = await pay(vault, agent, { max_fee_msat: 100 });
  expect(body).toMatchObject({ status: 'SETTLED', fee_msat: 100 });
  expect(await balanceOf(vault, agent)).toMatchObject({ available: 0, held: 0 });
  expect(await balanceOf(vault, bystander)).toMatchObject({ available: 1_000_000, held: 0 });
  expect(books(vault.path).accounts['operator:loss']).toBe(-1_000);
});

test('a withdrawal of all there is says that its fees are what is missing', async () => {
  await start({ match: 'nobody', fault: 'fail' });
  const agent = await fundedAgent(vault);
  const { status, body } = await agentPost(vault, agent, '/agents/me/withdrawals', {
    destination: 'ann@pay.example',
    amount_msat: 1_000_000,
    max_fee_msat: 70,
  });
  expect([status, body.error]).toMatchObject([
    402,
    {
      message:
        'the agent has 1000000 msat available and needs 1000000, and 70 that fees may take; the operator can deposit more',
      current_balance_msats: 1_000_000,
      requested_msats: 1_000_000,
    },
  ]);
});
