/** What the operator takes back from agents: by amount and with a reason, or all that is left. */
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
  release,
  reserveBody,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault, { amount: 10_000 });
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

const debit = (body: object, headers: Record<string, string> = {}) =>
  asOperator(vault, 'POST', `/agents/${agent.id}/debit`, body, headers);
const disable = (body?: object, headers: Record<string, string> = {}) =>
  asOperator(vault, 'DELETE', `/agents/${agent.id}`, body, headers);
const equity = () => books(vault.path).accounts['operator:equity'];

describe('a debit', () => {
  test('takes what was asked for, and the reason stands in the history', async () => {
    const { status, body } = await debit({ amount_msat: 4_000, reason: 'charged back' });
    expect([status, body]).toEqual([
      200,
      {
        agent_id: agent.id,
        amount_msat: 4_000,
        balance_msat: 6_000,
        transaction_id: expect.stringMatching(/^tx_/),
      },
    ]);
    expect([await balanceOf(vault, agent), equity()]).toMatchObject([{ available: 6_000 }, 4_000]);
    const history = await asAgent(vault, agent.token, '/agents/me/history?action_type=DEBIT');
    expect(history.body.entries).toMatchObject([
      { amount_msat: 4_000, ref_id: body.transaction_id, metadata: { reason: 'charged back' } },
    ]);
  });

  test('never takes what is held, nor more than there is', async () => {
    await held(vault, agent, 9_000);
    const refused = await debit({ amount_msat: 1_001, reason: 'x' });
    expect([refused.status, refused.body.error]).toMatchObject([
      402,
      { code: 'insufficient_balance', current_balance_msats: 1_000, requested_msats: 1_001 },
    ]);
    expect((await debit({ amount_msat: 1_000, reason: 'x' })).body.balance_msat).toBe(0);
  });

  test('under 100 at once takes no more than there is, and races with reserves', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        n % 2 === 0
          ? debit({ amount_msat: 300, reason: 'x' })
          : asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats: 300 })),
      ),
    );
    const done = answers.filter(({ status }) => status === 200);
    expect(done).toHaveLength(33);
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(67);
  });

  test('under a key takes once', async () => {
    const key = { 'idempotency-key': 'debit-1' };
    const first = await debit({ amount_msat: 100, reason: 'x' }, key);
    expect((await debit({ amount_msat: 100, reason: 'x' }, key)).body).toEqual(first.body);
    expect((await debit({ amount_msat: 100, reason: 'y' }, key)).status).toBe(409);
    expect(equity()).toBe(100);
  });

  test.each([
    { amount_msat: 100 },
    { amount_msat: 100, reason: '' },
    { amount_msat: 100, reason: '  ' },
    { amount_msat: 100, reason: 'x'.repeat(201) },
    { amount_msat: 0, reason: 'x' },
    { reason: 'x' },
  ])('of %o is refused', async (body) => {
    expect((await debit(body)).status).toBe(400);
    expect(equity()).toBe(0);
  });

  test('of nobody is not found; of a disabled agent it works', async () => {
    const nobody = '/agents/ag_01JABCDEFGHJKMNPQRSTVWXYZ0/debit';
    const body = { amount_msat: 1, reason: 'x' };
    expect((await asOperator(vault, 'POST', nobody, body)).status).toBe(404);
    await disable();
    expect((await debit(body)).status).toBe(200);
  });
});

describe('a sweep', () => {
  test('disables and takes all that is available; holds stay and still end', async () => {
    const settled = await held(vault, agent, 3_000);
    const released = await held(vault, agent, 2_000);
    const { body } = await disable({ sweep: true });
    expect(body).toEqual({
      agent_id: agent.id,
      disabled: true,
      disabled_at: vault.clock.ms,
      swept_msat: 5_000,
      transaction_id: expect.stringMatching(/^tx_/),
    });
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 0, held: 5_000 });
    await settle(vault, settled, 1_000);
    await release(vault, released);
    // What came back stays with the agent until it is swept again.
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 4_000, held: 0 });
    vault.clock.advance(1_000);
    const again = await disable({ sweep: true });
    expect(again.body).toMatchObject({ swept_msat: 4_000, disabled_at: body.disabled_at });
    expect((await disable({ sweep: true })).body).toMatchObject({
      swept_msat: 0,
      transaction_id: null,
    });
    expect(equity()).toBe(9_000);
  });

  test('is not done unless it is asked for', async () => {
    for (const body of [undefined, {}, { sweep: false }]) {
      expect((await disable(body)).body).not.toHaveProperty('swept_msat');
    }
    expect((await balanceOf(vault, agent)).available).toBe(10_000);
    expect((await disable({ sweep: 'yes' })).status).toBe(400);
  });

  test('under a key sweeps once and answers the same', async () => {
    const key = { 'idempotency-key': 'sweep-1' };
    const first = await disable({ sweep: true }, key);
    expect((await disable({ sweep: true }, key)).body).toEqual(first.body);
    expect((await disable({}, key)).status).toBe(409);
  });
});
