/** Money out of an agent's account: denied, waiting, sent, proven, over HTTP. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  asAgent,
  asOperator,
  balanceOf,
  books,
  call,
  closeVaults,
  fundedAgent,
  openVault,
  pass,
  type TestAgent,
  type TestVault,
  temporaryFolder,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
let walletScript: string;
const script = (faults: object[]) => writeFileSync(walletScript, JSON.stringify(faults));

beforeEach(async () => {
  walletScript = join(temporaryFolder(), 'faults.json');
  script([]);
  vault = await openVault({ walletScript });
  agent = await fundedAgent(vault, { amount: 100_000, policy: { max_fee_msat: 1_000 } });
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

const as = (who: TestAgent, url: string, payload: object, headers: Record<string, string> = {}) =>
  call(vault, {
    method: 'POST',
    url: `/agents/me/${url}`,
    headers: { authorization: `Bearer ${who.token}`, ...headers },
    payload: payload as Record<string, unknown>,
  });
const pay = (over: object = {}, headers: Record<string, string> = {}, who = agent) =>
  as(
    who,
    'pay',
    {
      amount_msat: 10_000,
      destination_type: 'lightning_address',
      destination: 'shop@example.com',
      purpose: 'a coffee',
      ...over,
    },
    headers,
  );
const withdraw = (amount_msat: number) =>
  as(agent, 'withdrawals', { destination: 'me@example.com', amount_msat });
const resolve = (id: string, how: 'approve' | 'deny') =>
  asOperator(vault, 'POST', `/operator/approvals/${id}/${how}`, {});
const policy = (change: object) =>
  asOperator(vault, 'PATCH', `/operator/agents/${agent.id}/policy`, change);
const accounts = () => books(vault.path).accounts;

describe('a payment', () => {
  test('is settled, and charges its amount and the fee that it really cost', async () => {
    script([{ match: '', fee_msat: 300 }]);
    const { status, body } = await pay();
    expect([status, body]).toMatchObject([
      200,
      {
        policy_decision: 'ALLOW',
        status: 'SETTLED',
        amount_msat: 10_000,
        fee_msat: 300,
        transaction_id: expect.stringMatching(/^tx_/),
      },
    ]);
    expect(await balanceOf(vault, agent)).toEqual({ available: 89_700, held: 0, spent: 10_300 });
    expect(accounts()).toMatchObject({ 'rail:simulated': -90_000, 'fees:simulated': 300 });
    const url = `/agents/me/payments/${body.transaction_id}`;
    expect((await asAgent(vault, agent.token, url)).body).toMatchObject({ status: 'SETTLED' });
  });

  test('to another agent moves at once, without a wallet', async () => {
    const other = await fundedAgent(vault, { amount: 0 });
    const { body } = await pay({ destination_type: 'internal', destination: other.id });
    expect(body).toMatchObject({ status: 'SETTLED', fee_msat: 0 });
    expect((await balanceOf(vault, agent)).available).toBe(90_000);
    expect((await balanceOf(vault, other)).available).toBe(10_000);
    expect((await pay({ destination_type: 'internal', destination: agent.id })).status).toBe(400);
  });

  test('that is proven to have failed gives everything back', async () => {
    script([{ match: '', fault: 'fail' }]);
    expect((await pay()).body).toMatchObject({ policy_decision: 'ALLOW', status: 'FAILED' });
    expect(await balanceOf(vault, agent)).toEqual({ available: 100_000, held: 0, spent: 0 });
  });

  test('T19: without a proven end keeps its money, however long, and is then charged once', async () => {
    script([{ match: '', fault: 'pending' }]);
    const { body } = await pay();
    expect(body.status).toBe('PENDING');
    await pass(vault, 60_000);
    vault = await vault.restart();
    vault.clock.advance(30 * 24 * 3_600_000);
    await vault.keeper.tick();
    await vault.runner.tick();
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 89_000, held: 11_000 });
    script([]);
    vault.clock.advance(600_000);
    await vault.runner.tick();
    const seen = await asAgent(vault, agent.token, `/agents/me/payments/${body.transaction_id}`);
    expect(seen.body.status).toBe('SETTLED');
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 90_000, held: 0 });
  });

  test('T27: a wallet that takes more than it may is frozen, and the agent pays its limit', async () => {
    script([{ match: '', fault: 'overcharge' }]);
    expect((await pay()).body.status).toBe('SETTLED');
    expect((await balanceOf(vault, agent)).available).toBe(89_000);
    expect(accounts()['operator:loss']).toBeLessThan(0);
    script([]);
    expect((await pay()).body.error.code).toBe('rail_frozen');
    const [rail] = vault.writer.prepare<[], { name: string }>('SELECT name FROM rails').all();
    expect((await asOperator(vault, 'POST', `/operator/rails/${rail!.name}/thaw`)).status).toBe(
      200,
    );
    expect((await pay()).body.status).toBe('SETTLED');
  });

  test('under a key is made once, also by 20 at once', async () => {
    const key = { 'idempotency-key': 'pay-1' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => pay({}, key)));
    expect(new Set(answers.map(({ body }) => body.transaction_id)).size).toBe(1);
    expect((await balanceOf(vault, agent)).available).toBe(90_000);
    expect((await pay({ amount_msat: 1 }, key)).status).toBe(409);
  });
});

describe('a denial by policy is an answer, and holds nothing', () => {
  test.each([
    [{ max_transaction_msat: 9_999 }, 'exceeds_max_transaction'],
    [{ daily_limit_msat: 10_999 }, 'exceeds_daily_limit'],
    [{ allowed_destinations: ['@other.com'] }, 'destination_not_allowed'],
  ])('%o', async (change, reason) => {
    await policy(change);
    const { status, body } = await pay();
    expect([status, body]).toMatchObject([
      200,
      { policy_decision: 'DENY', reason, status: 'FAILED' },
    ]);
    expect(await balanceOf(vault, agent)).toEqual({ available: 100_000, held: 0, spent: 0 });
  });

  test('of more than there is, with the fee that it may cost', async () => {
    expect((await pay({ amount_msat: 99_001 })).body).toMatchObject({
      policy_decision: 'DENY',
      reason: 'insufficient_balance',
    });
    expect((await pay({ amount_msat: 99_000 })).body.status).toBe('SETTLED');
  });

  test('an allowed destination passes by its host', async () => {
    await policy({ allowed_destinations: ['@example.com'] });
    expect((await pay()).body.status).toBe('SETTLED');
  });
});

describe('over a limit with a timeout', () => {
  beforeEach(async () => {
    await policy({ max_transaction_msat: 5_000, approval_timeout_ms: 60_000 });
  });

  async function asked(): Promise<string> {
    const { body } = await pay();
    expect(body).toMatchObject({
      policy_decision: 'REQUIRE_HUMAN_APPROVAL',
      status: 'PENDING_APPROVAL',
    });
    return body.approval_id;
  }

  test('the hold waits; approved it is paid, exactly as it was asked for', async () => {
    const id = await asked();
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 89_000, held: 11_000 });
    const { body } = await asOperator(vault, 'GET', '/operator/approvals');
    expect(body.approvals).toMatchObject([
      { id, type: 'payment', amount_msat: 10_000, destination: 'shop@example.com', model: null },
    ]);
    expect((await resolve(id, 'approve')).body).toMatchObject({
      status: 'approved',
      payment_status: 'SETTLED',
    });
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 90_000, held: 0 });
  });

  test('denied or timed out the money is back, also over a restart', async () => {
    const denied = await asked();
    expect((await resolve(denied, 'deny')).body).toMatchObject({ payment_status: 'FAILED' });
    await asked();
    vault = await vault.restart();
    await pass(vault, 60_000);
    expect(await balanceOf(vault, agent)).toEqual({ available: 100_000, held: 0, spent: 0 });
  });

  test('T12: of approve, deny and another approve at once exactly one wins, once', async () => {
    const id = await asked();
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => resolve(id, n % 2 === 0 ? 'deny' : 'approve')),
    );
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => answer !== won[0])) {
      expect([status, body.error.code]).toEqual([409, 'already_resolved']);
    }
    const paid = won[0]!.body.status === 'approved';
    expect(await balanceOf(vault, agent)).toMatchObject({
      available: paid ? 90_000 : 100_000,
      held: 0,
    });
  });

  test('an approval that came too late is refused', async () => {
    const id = await asked();
    await pass(vault, 60_000);
    expect((await resolve(id, 'approve')).status).toBe(409);
  });

  test('T63: another agent does not see it', async () => {
    const id = await asked();
    const other = await fundedAgent(vault);
    expect((await asAgent(vault, other.token, `/agents/me/approvals/${id}`)).status).toBe(404);
    expect((await asAgent(vault, agent.token, `/agents/me/approvals/${id}`)).status).toBe(200);
  });
});

describe('a withdrawal', () => {
  test('always waits, 300 s by default, and its money with it', async () => {
    const { body } = await withdraw(50_000);
    expect(body).toMatchObject({
      withdrawal_id: expect.stringMatching(/^apr_/),
      status: 'PENDING_APPROVAL',
      amount_msat: 50_000,
      expires_at: vault.clock.ms + 300_000,
    });
    expect((await resolve(body.withdrawal_id, 'approve')).body.payment_status).toBe('SETTLED');
    expect((await balanceOf(vault, agent)).available).toBe(50_000);
  });

  test('T2: of 50 at once over all of the balance exactly one is held', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => withdraw(99_000)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(49);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 0, held: 100_000 });
  });
});

test('the operator cannot pay with its token, and a read token pays nothing', async () => {
  const body = { destination: 'me@example.com', amount_msat: 1 };
  const asked = await asOperator(vault, 'POST', `/agents/${agent.id}/withdrawals`, body);
  expect([asked.status, asked.body.error.code]).toEqual([403, 'insufficient_scope']);
  const made = await asOperator(vault, 'POST', `/agents/${agent.id}/tokens`, { scopes: ['read'] });
  const refused = await pay({}, {}, { id: agent.id, token: made.body.token });
  expect(refused.body.error.code).toBe('insufficient_scope');
});
