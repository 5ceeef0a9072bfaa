/** Money out: what is held, what is charged, and what a lying, silent or forgetful wallet can do. */
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BOUND_MS } from '../../src/ledger/daily-bound.ts';
import { DENIALS_KEPT_MAX } from '../../src/ledger/pay.ts';
import { invoice, pay, payInvoice, walletScript } from '../support/pay.ts';
import {
  type Answer,
  asAgent,
  asOperator,
  balanceOf,
  books,
  call,
  closeVaults,
  fundedAgent,
  openVault,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let script: ReturnType<typeof walletScript>;
/** Of callers and of the runner; short only where a wallet hangs, so that a slow machine fails nothing. */
const PATIENT = { answerMs: 10_000, callMs: 10_000 };
const IMPATIENT = { answerMs: 30, callMs: 60 };
let patience = { ...PATIENT };

beforeEach(async () => {
  script = walletScript();
  vault = await openVault();
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

async function scripted(...rules: object[]): Promise<void> {
  script.misbehave(...rules);
  const hangs = JSON.stringify(rules).includes('hang');
  patience = { ...(hangs ? IMPATIENT : PATIENT) };
  vault = await openVault({ walletScript: script.path, timing: patience });
}
const paymentOf = async (agent: { token: string }, id: string) =>
  (await asAgent(vault, agent.token, `/agents/me/payments/${id}`)).body;

const railState = async () =>
  (await call(vault, { method: 'GET', url: '/health' })).body.rails.simulated;

const stuckPayments = async () =>
  (await asOperator(vault, 'GET', '/operator/dashboard')).body.stuck_payments;

/** Lets time pass, after what runs has been given up, until the runner asks the wallet again. */
async function askAgain(): Promise<void> {
  await vault.runner.tick();
  Object.assign(patience, PATIENT);
  vault.clock.advance(301_000);
  await vault.keeper.tick();
  await vault.runner.tick();
}

describe('a payment', () => {
  test('to an invoice is charged exactly, with its proof', async () => {
    const agent = await fundedAgent(vault);
    const { status, body } = await payInvoice(vault, agent, invoice(25_000));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      policy_decision: 'ALLOW',
      status: 'SETTLED',
      amount_msat: 25_000,
      fee_msat: 0,
      rail_used: 'simulated',
      payment_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      preimage: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await balanceOf(vault, agent)).toEqual({ available: 975_000, held: 0, spent: 25_000 });
    expect(await paymentOf(agent, body.transaction_id)).toEqual(body);
    expect(books(vault.path).accounts['rail:simulated']).toBe(-975_000);
  });

  test('for ecash gives the token to the agent, and to nobody else', async () => {
    const agent = await fundedAgent(vault);
    const ecash = { destination_type: 'cashu_token', destination: 'for ann' };
    const { body } = await pay(vault, agent, ecash);
    expect(body.cashu_token).toMatch(/^cashuA/);
    const url = `/agents/${agent.id}/payments/${body.transaction_id}`;
    expect((await asOperator(vault, 'GET', url)).body.cashu_token).toBeUndefined();
    const history = await asOperator(vault, 'GET', `/agents/${agent.id}/history`);
    expect(JSON.stringify(history.body)).not.toContain(body.cashu_token);
  });

  test('to another agent moves at once and whole', async () => {
    const [payer, payee] = [await fundedAgent(vault), await fundedAgent(vault, { amount: 0 })];
    const inside = { destination_type: 'internal', destination: payee.id, amount_msat: 400 };
    expect((await pay(vault, payer, inside)).body).toMatchObject({
      status: 'SETTLED',
      mode: 'internal',
    });
    expect(await balanceOf(vault, payer)).toEqual({ available: 999_600, held: 0, spent: 400 });
    expect(await balanceOf(vault, payee)).toEqual({ available: 400, held: 0, spent: 0 });
    expect((await pay(vault, payer, { ...inside, destination: payer.id })).status).toBe(400);
  });

  test('T1: of another amount than the invoice asks for is refused before anything happens', async () => {
    const agent = await fundedAgent(vault);
    const wrong = await payInvoice(vault, agent, invoice(25_000), { amount_msat: 1 });
    expect([wrong.status, wrong.body.error.param]).toEqual([400, 'amount_msat']);
    expect((await payInvoice(vault, agent, invoice(null))).status).toBe(400);
    const open = await payInvoice(vault, agent, invoice(null), { amount_msat: 70 });
    expect(open.body).toMatchObject({ status: 'SETTLED', amount_msat: 70 });
    const list = await asAgent(vault, agent.token, '/agents/me/payments');
    expect(list.body.payments).toHaveLength(1);
  });

  test('T2: fifty at once of all that there is: one is paid', async () => {
    const agent = await fundedAgent(vault, { amount: 1_000 });
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => payInvoice(vault, agent, invoice(1_000))),
    );
    const statuses = answers.map(({ body }) => body.status);
    expect(statuses.filter((status) => status === 'SETTLED')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'FAILED')).toHaveLength(49);
    expect(await balanceOf(vault, agent)).toEqual({ available: 0, held: 0, spent: 1_000 });
  });

  test('to what is no invoice is refused with the reason, and nothing of the decoder beside it', async () => {
    const agent = await fundedAgent(vault);
    const { status, body } = await payInvoice(vault, agent, 'lnbcrt1nonsense');
    expect([status, body.error]).toEqual([
      400,
      {
        code: 'invalid_request',
        message: 'the invoice is not bech32 text',
        param: 'destination',
        reason: 'not_bech32',
      },
    ]);
  });

  test('to an invoice of another network than LND_NETWORK is refused', async () => {
    vault = await openVault({ network: 'mainnet' });
    const agent = await fundedAgent(vault);
    const { status, body } = await payInvoice(vault, agent, invoice(1_000));
    expect([status, body.error.reason]).toEqual([400, 'wrong_network']);
    const out = await asOperator(vault, 'POST', '/operator/withdrawals', {
      destination: invoice(1_000),
    });
    expect([out.status, out.body.error.reason]).toEqual([400, 'wrong_network']);
  });

  test('T3, T38: of an invoice that is paid or being paid is a conflict, also for another agent', async () => {
    const [agent, other] = [await fundedAgent(vault), await fundedAgent(vault)];
    const one = invoice(1_000);
    const both = await Promise.all([payInvoice(vault, agent, one), payInvoice(vault, agent, one)]);
    const paid = both.find(({ status }) => status === 200)!;
    const refused = both.find(({ status }) => status === 409)!;
    expect(refused.body.error).toMatchObject({
      code: 'already_paid',
      transaction_id: paid.body.transaction_id,
    });
    const others = await payInvoice(vault, other, one.toUpperCase());
    expect(others.status).toBe(409);
    expect(others.body.error.transaction_id).toBeUndefined();
  });

  test('T41: of an invoice of the vault itself is refused', async () => {
    const [agent, other] = [await fundedAgent(vault), await fundedAgent(vault)];
    const deposit = await asOperator(vault, 'POST', `/agents/${other.id}/deposits`, {
      amount_msat: 1_000,
      rail: 'lightning',
    });
    const answer = await payInvoice(vault, agent, deposit.body.payment_request);
    expect([answer.status, answer.body.error.param]).toEqual([400, 'destination']);
    expect((await balanceOf(vault, agent)).available).toBe(1_000_000);
  });

  test('with an idempotency key happens once', async () => {
    const agent = await fundedAgent(vault);
    const key = { 'idempotency-key': 'pay-1' };
    const first = await pay(vault, agent, {}, key);
    expect((await pay(vault, agent, {}, key)).body).toEqual(first.body);
    expect((await pay(vault, agent, { amount_msat: 2 }, key)).status).toBe(409);
    expect((await balanceOf(vault, agent)).available).toBe(999_000);
  });

  test('with an idempotency key, asked for again while it is under way, calls no wallet', async () => {
    await scripted({ match: 'ann', fault: 'pending' });
    const agent = await fundedAgent(vault);
    const key = { 'idempotency-key': 'pay-1' };
    const first = await pay(vault, agent, {}, key);
    const calls = [vi.spyOn(vault.wallet, 'pay'), vi.spyOn(vault.wallet, 'lookup')];
    const identity = vi.spyOn(vault.wallet, 'identity');
    for (let i = 0; i < 3; i++) {
      const again = await pay(vault, agent, {}, key);
      expect([again.status, again.body]).toEqual([200, first.body]);
    }
    for (const call of [...calls, identity]) expect(call).not.toHaveBeenCalled();
    await askAgain();
    expect(calls[1]).toHaveBeenCalledOnce();
  });

  test("of one agent is not another's to see", async () => {
    const [agent, other] = [await fundedAgent(vault), await fundedAgent(vault)];
    const { body } = await pay(vault, agent);
    const url = `/agents/me/payments/${body.transaction_id}`;
    expect((await asAgent(vault, other.token, url)).status).toBe(404);
  });

  test('T10: of no amount, of a broken one, or to nowhere is refused', async () => {
    const agent = await fundedAgent(vault);
    for (const amount_msat of [0, -1, 1.5, '1e3', 1e21, null]) {
      expect((await pay(vault, agent, { amount_msat })).status).toBe(400);
    }
    for (const destination of [
      '',
      'ann',
      'ann@',
      'ann@127.0.0.1',
      'a b@c.example',
      'ann@-a.example',
    ]) {
      expect((await pay(vault, agent, { destination })).status).toBe(400);
    }
    expect((await payInvoice(vault, agent, 'lnbc1nonsense')).status).toBe(400);
    const long = { destination_type: 'cashu_token', destination: 'x'.repeat(201) };
    expect((await pay(vault, agent, long)).status).toBe(400);
  });
});

describe('the spend policy', () => {
  const denied = async (policy: object | null, over: object = {}, amount = 1_000_000) => {
    const agent = await fundedAgent(vault, { policy, amount });
    const { status, body } = await pay(vault, agent, over);
    expect([status, body.policy_decision, body.status]).toEqual([200, 'DENY', 'FAILED']);
    expect(await balanceOf(vault, agent)).toEqual({ available: amount, held: 0, spent: 0 });
    expect(await paymentOf(agent, body.transaction_id)).toEqual(body);
    const { entries } = (await asAgent(vault, agent.token, '/agents/me/history?limit=1')).body;
    expect(entries[0]).toMatchObject({
      action: 'PAYMENT_DENIED',
      policy_decision: 'DENY',
      policy_reason: body.reason,
      ref_id: body.transaction_id,
    });
    return body.reason;
  };

  test('denies with a reason and holds nothing', async () => {
    expect(await denied(null)).toBe('no_policy_configured');
    expect(await denied({ max_transaction_msat: 999 })).toBe('exceeds_max_transaction');
    expect(await denied({ daily_limit_msat: 999 })).toBe('exceeds_daily_limit');
    expect(await denied({ allowed_destinations: ['bob@pay.example'] })).toBe(
      'destination_not_allowed',
    );
    expect(await denied({}, { amount_msat: 1_001 }, 1_000)).toBe('insufficient_balance');
  });

  test('keeps a bounded number of denials of an agent in a day, and answers the others all the same', async () => {
    vault = await openVault({ agentRateLimitRps: 10_000 });
    const agent = await fundedAgent(vault, { policy: null });
    const sizes = () =>
      ['payments', 'audit', 'idempotency_keys', 'pragma_page_count'].map((table) =>
        table.startsWith('pragma')
          ? vault.writer.pragma('page_count', { simple: true })
          : vault.writer.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
      );
    const asked = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, nth) =>
          pay(vault, agent, {}, { 'idempotency-key': `denied-${from + nth}` }),
        ),
      );
    const [kept] = await asked(0, DENIALS_KEPT_MAX);
    const before = sizes();
    const [unkept] = await asked(DENIALS_KEPT_MAX, DENIALS_KEPT_MAX + 50);
    expect(sizes()).toEqual(before);
    expect(Object.keys(unkept!.body)).toEqual(Object.keys(kept!.body));
    expect(unkept!.body).toMatchObject({
      policy_decision: 'DENY',
      status: 'FAILED',
      reason: 'no_policy_configured',
    });
    const url = (answer: Answer) => `/agents/me/payments/${answer.body.transaction_id}`;
    expect((await asAgent(vault, agent.token, url(kept!))).status).toBe(200);
    expect((await asAgent(vault, agent.token, url(unkept!))).status).toBe(404);
    // Another agent has a measure of its own, and the next day is a new one.
    const other = await fundedAgent(vault, { policy: null });
    const first = await pay(vault, other);
    expect((await asAgent(vault, other.token, url(first))).status).toBe(200);
    vault.clock.advance(BOUND_MS);
    const next = await pay(vault, agent);
    expect((await asAgent(vault, agent.token, url(next))).status).toBe(200);
  });

  test('lets an address, its host or a kind of destination be allowed', async () => {
    for (const name of ['ann@pay.example', '@pay.example', 'lightning_address']) {
      const agent = await fundedAgent(vault, { policy: { allowed_destinations: [name] } });
      expect((await pay(vault, agent)).body.status).toBe('SETTLED');
    }
  });

  test('T5, T33: counts what is held and paid already, also twenty at once', async () => {
    const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 10_000 } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => pay(vault, agent)));
    expect(answers.filter(({ body }) => body.status === 'SETTLED')).toHaveLength(10);
    expect((await balanceOf(vault, agent)).spent).toBe(10_000);
  });
});

describe('a wallet that', () => {
  test('T27: costs fees: the limit is held, what they were is charged, the rest goes back', async () => {
    await scripted({ match: '', fee_msat: 30 });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent, { max_fee_msat: 100 });
    expect(body).toMatchObject({ status: 'SETTLED', fee_msat: 30, max_fee_msat: 100 });
    expect(await balanceOf(vault, agent)).toEqual({ available: 998_970, held: 0, spent: 1_030 });
    expect(books(vault.path).accounts['fees:simulated']).toBe(30);
  });

  test('T27: takes more than allowed: the agent pays the limit, the rail is frozen and can be thawed', async () => {
    await scripted({ match: 'ann', fault: 'overcharge' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent, { max_fee_msat: 100 });
    expect(body).toMatchObject({ status: 'SETTLED', fee_msat: 100 });
    expect(books(vault.path).accounts).toMatchObject({
      'operator:loss': -1_000,
      'fees:simulated': 1_100,
    });
    expect(await railState()).toMatchObject({
      status: 'degraded',
      reason: expect.stringContaining('frozen'),
    });
    const next = await pay(vault, agent, { destination: 'bob@pay.example' });
    expect([next.status, next.body.error.code]).toEqual([503, 'rail_frozen']);
    expect((await asOperator(vault, 'POST', '/operator/rails/simulated/thaw')).status).toBe(200);
    const after = await pay(vault, agent, { destination: 'bob@pay.example' });
    expect(after.body.status).toBe('SETTLED');
  });

  test('fails: the money goes back, and the same invoice may be paid again (T4)', async () => {
    await scripted({ match: '', fault: 'fail' });
    const agent = await fundedAgent(vault);
    const one = invoice(1_000);
    const failed = await payInvoice(vault, agent, one);
    expect(failed.body).toMatchObject({ status: 'FAILED', failure: expect.any(String) });
    expect(await balanceOf(vault, agent)).toEqual({ available: 1_000_000, held: 0, spent: 0 });
    script.misbehave();
    expect((await payInvoice(vault, agent, one)).body.status).toBe('SETTLED');
    expect((await paymentOf(agent, failed.body.transaction_id)).status).toBe('FAILED');
  });

  test.each(['error', 'pay_then_error', 'hang', 'pay_then_hang'])(
    'T13, T15: answers nothing usable (%s): the money stays held, and is charged once when it is known',
    async (fault) => {
      await scripted({ match: '', fault });
      const agent = await fundedAgent(vault);
      const { body } = await pay(vault, agent);
      expect(body.status).toBe('PENDING');
      expect((await balanceOf(vault, agent)).held).toBeGreaterThanOrEqual(1_000);
      script.misbehave();
      await askAgain();
      expect(await paymentOf(agent, body.transaction_id)).toMatchObject({ status: 'SETTLED' });
      expect(await balanceOf(vault, agent)).toEqual({ available: 999_000, held: 0, spent: 1_000 });
    },
  );

  test('T65: never had it is not told again in recovery mode, nor on a frozen rail; it is asked', async () => {
    await scripted({ match: 'ann', fault: 'error' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    vault = await vault.restore();
    script.misbehave();
    await askAgain();
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('PENDING');
    await asOperator(vault, 'POST', '/operator/recovery/finish');
    script.misbehave({ match: 'bob', fault: 'overcharge' });
    await pay(vault, agent, { destination: 'bob@pay.example' });
    await askAgain();
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('PENDING');
    await asOperator(vault, 'POST', '/operator/rails/simulated/thaw');
    await askAgain();
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('SETTLED');
  });

  test('T65: had it at the time of the backup is believed in recovery mode and on a frozen rail', async () => {
    await scripted({ match: 'ann', fault: 'pay_then_error' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    vault = await vault.restore();
    script.misbehave();
    await askAgain();
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('SETTLED');
  });

  test('T19: is at it for months: it is still asked, across restarts', async () => {
    await scripted({ match: '', fault: 'pending' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    for (let month = 0; month < 3; month++) {
      vault.clock.advance(30 * 24 * 3_600_000);
      await vault.keeper.tick();
      await vault.runner.tick();
      vault = await vault.restart();
    }
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('PENDING');
    script.misbehave();
    await askAgain();
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('SETTLED');
  });

  test('T50: had it and forgot it: the money stays held, and it is not sent again', async () => {
    await scripted({ match: '', fault: 'pending' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    await askAgain();
    script.misbehave({ match: '', fault: 'forget' });
    await askAgain();
    expect(await stuckPayments()).toEqual([body.transaction_id]);
    expect(await railState()).toMatchObject({ status: 'degraded' });
    // From its row, before anybody asks the wallet again.
    vault = await vault.restart();
    expect(await stuckPayments()).toEqual([body.transaction_id]);
    expect(await railState()).toMatchObject({
      status: 'degraded',
      reason: expect.stringContaining('1 payments'),
    });
    expect((await balanceOf(vault, agent)).held).toBeGreaterThanOrEqual(1_000);
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('PENDING');
  });

  test('T49: is another one than it was sent by: nothing is concluded from what it says', async () => {
    await scripted({ match: '', fault: 'hang' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    await vault.close();
    for (const part of ['', '-wal', '-shm']) rmSync(`${vault.path}.wallet${part}`, { force: true });
    script.misbehave();
    vault = await vault.restart();
    await askAgain();
    expect(await stuckPayments()).toEqual([body.transaction_id]);
    expect((await paymentOf(agent, body.transaction_id)).status).toBe('PENDING');
  });

  test('T4, T26: says failed and pays all the same: the failed payment is never flipped', async () => {
    await scripted({ match: '', fault: 'fail_then_pay' });
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    expect(body.status).toBe('FAILED');
    const late = await vault.engine.execute({
      kind: 'end_payment',
      paymentId: body.transaction_id,
      result: { state: 'succeeded', preimage: null, feeMsat: 0 as never, token: null },
    });
    expect(late).toMatchObject({ state: 'failed', applied: false, contradicted: true });
    expect((await balanceOf(vault, agent)).available).toBe(1_000_000);
    const change = "UPDATE payments SET state = 'succeeded', fee = 0, failure = NULL WHERE id = ?";
    expect(() => vault.writer.prepare(change).run(body.transaction_id)).toThrow(/does not change/);
  });

  test('T48: proves the same end twice is charged once', async () => {
    const agent = await fundedAgent(vault);
    const { body } = await pay(vault, agent);
    const again = await vault.engine.execute({
      kind: 'end_payment',
      paymentId: body.transaction_id,
      result: { state: 'succeeded', preimage: null, feeMsat: 0 as never, token: null },
    });
    expect(again).toMatchObject({ applied: false, contradicted: false });
    expect((await balanceOf(vault, agent)).available).toBe(999_000);
  });
});
