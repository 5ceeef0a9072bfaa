/** Over a limit, a human is asked; what they grant lets one such request pass. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GRANT_WINDOW_MS } from '../../src/approval/grant.ts';
import {
  asAgent,
  asCore,
  asOperator,
  balanceOf,
  closeVaults,
  fundedAgent,
  openVault,
  pass,
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
  agent = await fundedAgent(vault, {
    policy: { max_transaction_msat: 1_000, approval_timeout_ms: 60_000 },
  });
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

const reserve = (amount: number, over: object = {}, of = agent) =>
  asCore(vault, 'POST', '/reserve', reserveBody(vault, of, { amount_msats: amount, ...over }));
const approve = (id: string) => asOperator(vault, 'POST', `/operator/approvals/${id}/approve`, {});
const deny = (id: string) => asOperator(vault, 'POST', `/operator/approvals/${id}/deny`, {});

/** Reserves over the limit, and returns the id of the question that came of it. */
async function asked(amount: number, over: object = {}): Promise<string> {
  const { status, body } = await reserve(amount, over);
  expect([status, body.error?.code]).toEqual([403, 'approval_required']);
  return body.error.approval_id;
}
async function granted(amount: number, over: object = {}): Promise<string> {
  const id = await asked(amount, over);
  expect((await approve(id)).status).toBe(200);
  return id;
}
const pending = async () =>
  (await asOperator(vault, 'GET', '/operator/approvals?status=pending')).body.approvals;

describe('over a limit', () => {
  test('a human is asked, nothing is held, and the agent sees what it waits for', async () => {
    const { status, body } = await reserve(5_000, { requested_model: 'auto' });
    expect([status, body.error]).toEqual([
      403,
      {
        code: 'approval_required',
        message: expect.stringContaining('max_transaction_msat'),
        approval_id: expect.stringMatching(/^apr_/),
        expires_at: vault.clock.ms + 60_000,
        rule: 'max_transaction_msat',
        limit_msats: 1_000,
        requested_msats: 5_000,
      },
    ]);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 1_000_000, held: 0 });
    const url = `/agents/me/approvals/${body.error.approval_id}`;
    const seen = await asAgent(vault, agent.token, url);
    expect(seen.body).toMatchObject({
      id: body.error.approval_id,
      type: 'inference',
      transaction_id: null,
      amount_msat: 5_000,
      destination: null,
      model: 'auto',
      rule: 'max_transaction_msat',
      status: 'pending',
    });
    const list = await asAgent(vault, agent.token, '/agents/me/approvals');
    expect(list.body.approvals).toEqual([seen.body]);
    expect(await pending()).toMatchObject([seen.body]);
  });

  test('is asked once per model and rule, however often the agent tries', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => reserve(5_000)));
    const ids = new Set(answers.map(({ body }) => body.error.approval_id));
    expect(ids.size).toBe(1);
    expect(await asked(9_000, { requested_model: 'other' })).not.toBe([...ids][0]);
    expect(await pending()).toHaveLength(2);
  });

  test('without a timeout it is refused at once, and nobody is asked', async () => {
    const plain = await fundedAgent(vault, { policy: { max_transaction_msat: 1_000 } });
    const { body } = await reserve(5_000, {}, plain);
    expect(body.error).toMatchObject({ code: 'policy_denied', rule: 'max_transaction_msat' });
    expect(await pending()).toHaveLength(0);
  });

  test('the balance is checked first, and what is forbidden cannot be asked for', async () => {
    expect((await reserve(1_000_001)).body.error.code).toBe('insufficient_balance');
    const listed = await fundedAgent(vault, {
      policy: { allowed_models: ['a'], max_transaction_msat: 1, approval_timeout_ms: 60_000 },
    });
    expect((await reserve(5_000, { model: 'b' }, listed)).body.error.rule).toBe('allowed_models');
    expect(await pending()).toHaveLength(0);
  });

  test('nobody came in time: the next try asks anew', async () => {
    const first = await asked(5_000);
    await pass(vault, 60_000);
    expect((await approve(first)).status).toBe(409);
    expect(await asked(5_000)).not.toBe(first);
  });

  test('denied is not held against the next try, which asks anew', async () => {
    const first = await asked(5_000);
    expect((await deny(first)).body).toMatchObject({ status: 'denied' });
    expect(await asked(5_000)).not.toBe(first);
    expect((await approve(first)).status).toBe(409);
  });
});

describe('a grant', () => {
  test('lets one such request pass, and is consumed by its settle', async () => {
    const id = await granted(5_000);
    const { status, body } = await reserve(5_000);
    expect(status).toBe(200);
    await settle(vault, body.reservation_id, 100);
    expect(await asked(5_000)).not.toBe(id);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 999_900, spent: 100 });
  });

  test('T62: passes one of 300 reserves that arrive together', async () => {
    await granted(5_000);
    const answers = await Promise.all(Array.from({ length: 300 }, () => reserve(5_000)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(new Set(refused.map(({ body }) => body.error.approval_id)).size).toBe(1);
    expect(await balanceOf(vault, agent)).toMatchObject({ held: 5_000 });
  });

  test('reaches to the approved amount and a tenth, and no further', async () => {
    const id = await granted(5_000);
    expect(await asked(5_501)).not.toBe(id);
    expect((await reserve(5_500)).status).toBe(200);
  });

  test('is of one model', async () => {
    await granted(5_000, { requested_model: 'auto' });
    await asked(5_000, { requested_model: 'other' });
    await asked(5_000);
    expect((await reserve(5_000, { requested_model: 'auto' })).status).toBe(200);
  });

  test('is of one agent', async () => {
    await granted(5_000);
    const other = await fundedAgent(vault, {
      policy: { max_transaction_msat: 1_000, approval_timeout_ms: 60_000 },
    });
    expect((await reserve(5_000, {}, other)).body.error.code).toBe('approval_required');
  });

  test('lifts only its own rule', async () => {
    const url = `/operator/agents/${agent.id}/policy`;
    await asOperator(vault, 'PATCH', url, { daily_limit_msat: 2_000 });
    await granted(5_000);
    const second = await reserve(5_000);
    expect(second.body.error).toMatchObject({
      code: 'approval_required',
      rule: 'daily_limit_msat',
    });
    await approve(second.body.error.approval_id);
    const { status, body } = await reserve(5_000);
    expect(status).toBe(200);
    await settle(vault, body.reservation_id, 5_000);
    expect((await reserve(5_000)).body.error.rule).toBe('max_transaction_msat');
  });

  test('does not lift the balance, nor a disabled agent', async () => {
    await granted(900_000);
    await asOperator(vault, 'POST', `/agents/${agent.id}/debit`, {
      amount_msat: 500_000,
      reason: 'x',
    });
    expect((await reserve(900_000)).body.error.code).toBe('insufficient_balance');
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    expect((await reserve(900_000)).body.error.code).toBe('agent_disabled');
  });

  test('is open for ten minutes after the approval, however old the question is', async () => {
    const id = await asked(5_000);
    await pass(vault, 50_000);
    await approve(id);
    await pass(vault, GRANT_WINDOW_MS - 1);
    const inTime = await reserve(5_000);
    expect(inTime.status).toBe(200);
    await release(vault, inTime.body.reservation_id);
    await pass(vault, 1);
    expect((await reserve(5_000)).body.error.code).toBe('approval_required');
  });

  test('comes back by a release and by an expiry, and by nothing else', async () => {
    await granted(5_000);
    const released = await reserve(5_000);
    await release(vault, released.body.reservation_id);
    const expiring = await reserve(5_000, { expires_in_secs: 1 });
    expect(expiring.status).toBe(200);
    await pass(vault, 1_000);
    const settled = await reserve(5_000);
    expect(settled.status).toBe(200);
    await settle(vault, settled.body.reservation_id, 0);
    await asked(5_000);
  });

  test('that came back by an expiry is consumed by the late bill', async () => {
    await granted(5_000);
    const { body } = await reserve(5_000, { expires_in_secs: 1 });
    await pass(vault, 1_000);
    await settle(vault, body.reservation_id, 700);
    await asked(5_000);
  });

  test('that another request has taken meanwhile stays with that one', async () => {
    await granted(5_000);
    const first = await reserve(5_000, { expires_in_secs: 1 });
    await pass(vault, 1_000);
    const second = await reserve(5_000);
    expect(second.status).toBe(200);
    await settle(vault, first.body.reservation_id, 700);
    expect((await settle(vault, second.body.reservation_id, 800)).body.actual_msats).toBe(800);
    await asked(5_000);
  });

  test('is the same after a restart: pending, free, taken and consumed', async () => {
    const id = await asked(5_000);
    vault = await vault.restart();
    expect(await asked(5_000)).toBe(id);
    await approve(id);
    vault = await vault.restart();
    const { status, body } = await reserve(5_000);
    expect(status).toBe(200);
    vault = await vault.restart();
    await asked(5_000);
    await settle(vault, body.reservation_id, 1);
    vault = await vault.restart();
    await asked(5_000);
  });

  test('a replay of the reserve that took it takes nothing more', async () => {
    await granted(5_000);
    const request = reserveBody(vault, agent, { amount_msats: 5_000 });
    const first = await asCore(vault, 'POST', '/reserve', request);
    expect((await asCore(vault, 'POST', '/reserve', request)).body).toEqual(first.body);
    await release(vault, first.body.reservation_id);
    expect((await reserve(5_000)).status).toBe(200);
  });

  test('within the limits it is not touched', async () => {
    await granted(5_000);
    const small = await reserve(900);
    await settle(vault, small.body.reservation_id, 900);
    expect((await reserve(5_000)).status).toBe(200);
  });
});

test('an agent cannot fill the operator’s list with questions about many models', async () => {
  const answers = await Promise.all(
    Array.from({ length: 130 }, (_, n) => reserve(5_000, { requested_model: `m${n}` })),
  );
  const codes = answers.map(({ body }) => body.error.code);
  expect(codes.filter((code) => code === 'approval_required')).toHaveLength(100);
  expect(codes.filter((code) => code === 'policy_denied')).toHaveLength(30);
});
