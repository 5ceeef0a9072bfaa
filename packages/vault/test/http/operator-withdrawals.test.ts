/** Revenue out: what was earned and taken back leaves through the treasury, as any other payment. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  asOperator,
  books,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  pass,
  settle,
  type TestAgent,
  type TestVault,
  temporaryFolder,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault);
  await settle(vault, await held(vault, agent, 100_000), 100_000);
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

const withdraw = (body: object, headers: Record<string, string> = {}) =>
  asOperator(vault, 'POST', '/operator/withdrawals', body, headers);
const to = (amount_msat: number) => ({ destination: 'me@example.com', amount_msat });
const accounts = () => books(vault.path).accounts;

test('pays out revenue by the rail', async () => {
  const { status, body } = await withdraw(to(60_000));
  expect([status, body]).toMatchObject([
    200,
    { status: 'SETTLED', amount_msat: 60_000, fee_msat: 0, destination: 'me@example.com' },
  ]);
  expect(accounts()['operator:revenue']).toBe(40_000);
  expect(accounts()['rail:simulated']).toBe(-940_000);
  expect((await withdraw(to(40_000))).body.status).toBe('SETTLED');
  expect(accounts()['operator:revenue']).toBe(0);
});

test('takes what was taken back from agents where revenue is not enough', async () => {
  await asOperator(vault, 'POST', `/agents/${agent.id}/debit`, {
    amount_msat: 50_000,
    reason: 'x',
  });
  expect((await withdraw(to(120_000))).body.status).toBe('SETTLED');
  expect(accounts()).toMatchObject({ 'operator:revenue': 0, 'operator:equity': 30_000 });
});

test('never more than there is, and never what belongs to agents', async () => {
  const refused = await withdraw(to(100_001));
  expect([refused.status, refused.body.error]).toMatchObject([
    402,
    { code: 'insufficient_balance', current_balance_msats: 100_000, requested_msats: 100_001 },
  ]);
  expect(accounts()[`agent:${agent.id}:available`]).toBe(900_000);
  expect((await asOperator(vault, 'GET', '/agents')).body.agents).toHaveLength(1);
});

describe('what was lost comes off first', () => {
  /** Two holds of the same money: the first expires, the second takes it, the first is billed. */
  async function lateBill(amount: number): Promise<void> {
    const late = await held(vault, agent, amount, { expires_in_secs: 1 });
    await pass(vault, 1_000);
    await settle(vault, await held(vault, agent, amount), amount);
    await settle(vault, late, amount);
  }

  test('bills that came late and that nobody could pay are in revenue, and never leave', async () => {
    await fundedAgent(vault);
    await lateBill(900_000);
    expect(accounts()).toMatchObject({ 'operator:revenue': 1_900_000, 'operator:loss': -900_000 });
    const refused = await withdraw(to(1_000_001));
    expect([refused.status, refused.body.error]).toMatchObject([
      402,
      { code: 'insufficient_balance', current_balance_msats: 1_000_000 },
    ]);
    expect((await withdraw(to(1_000_000))).body.status).toBe('SETTLED');
    expect((await withdraw(to(1))).status).toBe(402);
    expect((await asOperator(vault, 'GET', '/operator/solvency')).body).toMatchObject({
      solvent: true,
      liabilities_msat: 1_000_000,
      rails_backing_msat: 1_000_000,
    });
  });
});

test('T2: 50 at once take out what there is, once', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => withdraw(to(30_000))));
  const done = answers.filter(({ status }) => status === 200);
  expect(done).toHaveLength(3);
  expect(accounts()['rail:simulated']).toBe(-910_000);
});

test('under a key it pays once, also over a restart', async () => {
  const key = { 'idempotency-key': 'out-1' };
  const first = await withdraw(to(10_000), key);
  vault = await vault.restart();
  const second = await withdraw(to(10_000), key);
  expect(second.headers['x-arbstr-replayed']).toBe('true');
  expect(second.body).toEqual(first.body);
  expect((await withdraw(to(10_001), key)).status).toBe(409);
  expect(accounts()['rail:simulated']).toBe(-990_000);
});

describe('where the wallet does not pay', () => {
  const to = (user: string, amount_msat: number) => ({
    destination: `${user}@example.com`,
    amount_msat,
  });
  beforeEach(async () => {
    const walletScript = join(temporaryFolder(), 'faults.json');
    const faults = [
      { match: 'fails@', fault: 'fail', fee_msat: 700 },
      { match: 'hangs@', fault: 'pending' },
      { match: '', fee_msat: 700 },
    ];
    writeFileSync(walletScript, JSON.stringify(faults));
    await vault.close();
    vault = await openVault({ walletScript });
    agent = await fundedAgent(vault);
    await settle(vault, await held(vault, agent, 100_000), 100_000);
  });

  test('what a failed one gives back stays in the treasury, and goes out with the next', async () => {
    expect((await withdraw(to('fails', 60_000))).body).toMatchObject({ status: 'FAILED' });
    expect(accounts()['operator:revenue']).toBe(35_000);
    const { body } = await withdraw(to('me', 60_000));
    expect(body).toMatchObject({ status: 'SETTLED', fee_msat: 700, max_fee_msat: 5_000 });
    expect(accounts()['operator:revenue']).toBe(35_000);
    // 4,300 of the fee limit were not needed; they count for the next one.
    expect((await withdraw(to('me', 34_300))).body.status).toBe('SETTLED');
    expect(accounts()['operator:revenue']).toBe(0);
  });

  test('one without a proven end keeps its money held, also over a restart', async () => {
    expect((await withdraw(to('hangs', 60_000))).body.status).toBe('PENDING');
    vault = await vault.restart();
    expect((await withdraw(to('me', 60_000))).status).toBe(402);
    const held = Object.entries(accounts()).filter(
      ([name, balance]) => name.endsWith(':held') && balance > 0,
    );
    expect(held.map(([, balance]) => balance)).toEqual([65_000]);
  });
});

test.each([
  { destination: 'me@example.com' },
  { destination: 'me@example.com', amount_msat: 0 },
  { destination: 'nobody', amount_msat: 1 },
  { destination: 'lnbc1nonsense', amount_msat: 1 },
  { destination: '', amount_msat: 1 },
])('%o is refused, and nothing moves', async (body) => {
  const before = accounts();
  expect((await withdraw(body)).status).toBe(400);
  expect(accounts()).toEqual(before);
});

describe('the treasury', () => {
  async function treasury(): Promise<string> {
    await withdraw(to(1_000));
    const { agents } = (await asOperator(vault, 'GET', '/agents')).body;
    return agents.find(({ name }: { name: string }) => name === "operator's treasury").id;
  }

  test('has no token that could spend past what losses leave to withdraw', async () => {
    const url = `/agents/${await treasury()}/tokens`;
    const refused = await asOperator(vault, 'POST', url, { scopes: ['spend'] });
    expect([refused.status, refused.body.error.code]).toEqual([400, 'invalid_request']);
    expect((await asOperator(vault, 'GET', url)).body.tokens).toEqual([]);
  });

  test('still pays out after it was disabled and swept', async () => {
    const url = `/agents/${await treasury()}`;
    await asOperator(vault, 'POST', `${url}/deposit`, { amount_msat: 5_000 });
    const swept = await asOperator(vault, 'DELETE', url, { sweep: true });
    expect(swept.body.swept_msat).toBe(5_000);
    expect((await withdraw(to(104_000))).body.status).toBe('SETTLED');
  });
});
