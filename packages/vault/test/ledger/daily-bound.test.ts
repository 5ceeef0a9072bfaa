/** What costs an agent nothing is written a bounded number of times a day. */
import { hash, randomBytes } from 'node:crypto';
import { msat } from '@arbstr/shared';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tokenHash } from '../../src/agent/token.ts';
import { isRefusal } from '../../src/errors.ts';
import {
  BOUND_MS,
  PAYMENTS_MAX,
  UNMET_APPROVALS_MAX,
  UNPAID_DEPOSITS_MAX,
  UNPAID_PAYMENTS_MAX,
} from '../../src/ledger/daily-bound.ts';
import { agentPost, pay } from '../support/pay.ts';
import {
  asCore,
  balanceOf,
  closeVaults,
  fundedAgent,
  openVault,
  reserveBody,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

const DEAR = { max_transaction_msat: 999, approval_timeout_ms: 1_000 };
let vault: TestVault;
/** There are rows that no command has written. */
let forged: boolean;
beforeEach(async () => {
  forged = false;
  vault = await openVault();
});
afterEach(async () => {
  if (!forged) expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

const asked = () => ({ correlationId: 'c', replayKey: undefined });

/** As the route asks for it, which only so many may do in a second. */
function pays(agent: TestAgent, count: number) {
  const one = () =>
    vault.engine.execute({
      ...asked(),
      kind: 'pay',
      mode: 'payment',
      tokenHash: tokenHash(agent.token),
      transactionId: vault.newId('transfer'),
      approvalId: vault.newId('approval'),
      destination: {
        type: 'lightning_address',
        text: 'ann@pay.example',
        paymentHash: null,
        invoiceExpiresAt: null,
      },
      destinationNames: [],
      amount: msat(1_000),
      maxFeeAsked: msat(0),
      feeBound: null,
      purpose: 'x',
      rail: 'simulated',
    });
  return Promise.all(Array.from({ length: count }, one));
}

/** Rows that a payment, deposit or question adds to. */
const rows = () =>
  ['payments', 'approvals', 'deposits', 'audit'].map((table) =>
    vault.writer.prepare(`SELECT count(*) FROM ${table}`).pluck().get(),
  );

test('payments that wait for a human and time out', async () => {
  const agent = await fundedAgent(vault, { policy: DEAR });
  for (let made = 0; made < UNPAID_PAYMENTS_MAX; made += 500) {
    expect((await pays(agent, 500)).some(isRefusal)).toBe(false);
    vault.clock.advance(1_000);
    await vault.keeper.tick();
  }
  const before = rows();
  const refused = await pay(vault, agent);
  expect([refused.status, refused.body.error.code]).toEqual([429, 'rate_limited']);
  expect(Number(refused.headers['retry-after'])).toBe(BOUND_MS / 1_000 - 2);
  const url = '/agents/me/withdrawals';
  const out = { destination: 'ann@pay.example', amount_msat: 1 };
  expect((await agentPost(vault, agent, url, out)).status).toBe(429);
  expect(rows()).toEqual(before);
  expect(await balanceOf(vault, agent)).toMatchObject({ available: 1_000_000, held: 0 });
  // What comes to its end at once still goes, and others have a measure of their own.
  const other = await fundedAgent(vault);
  const inside = { destination_type: 'internal', destination: other.id, amount_msat: 10 };
  expect((await pay(vault, agent, inside)).body.status).toBe('SETTLED');
  expect((await pay(vault, other)).body.status).toBe('SETTLED');
  vault.clock.advance(BOUND_MS);
  expect((await pay(vault, agent)).body.status).toBe('PENDING_APPROVAL');
});

test('payments that go to and fro inside', async () => {
  const agent = await fundedAgent(vault);
  const friend = await fundedAgent(vault);
  const inside = { destination_type: 'internal', destination: friend.id, amount_msat: 10 };
  await pay(vault, agent, inside);
  // The others as rows alone: ten thousand real ones would take seconds.
  const columns = vault.writer.pragma('table_info(payments)') as { name: string }[];
  const others = columns.map(({ name }) => name).filter((name) => name !== 'id');
  vault.writer.exec(`INSERT INTO payments (id, ${others.join(', ')})
    WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < ${PAYMENTS_MAX})
    SELECT 'forged ' || n, ${others.join(', ')} FROM payments, n`);
  forged = true;
  const before = rows();
  const refused = await pay(vault, agent, inside);
  expect([refused.status, refused.body.error?.code]).toEqual([429, 'rate_limited']);
  expect(rows()).toEqual(before);
  const back = await pay(vault, friend, { ...inside, destination: agent.id });
  expect(back.body.status).toBe('SETTLED');
});

test('payments that fail, and those under way; not those that are paid', async () => {
  const agent = await fundedAgent(vault, { amount: 10_000_000 });
  const [first, ...others] = await pays(agent, UNPAID_PAYMENTS_MAX);
  expect([first!, ...others].some(isRefusal)).toBe(false);
  expect((await pay(vault, agent)).status).toBe(429);
  if (isRefusal(first!)) throw new Error(first.message);
  await vault.runner.sendNow(first!.transactionId);
  expect((await pay(vault, agent)).body.status).toBe('SETTLED');
});

test('deposits that nobody pays', async () => {
  const agent = await fundedAgent(vault);
  const open = () =>
    vault.engine.execute({
      ...asked(),
      kind: 'open_deposit',
      depositId: vault.newId('deposit'),
      agentId: agent.id,
      rail: 'simulated',
      amount: msat(1),
      source: {
        type: 'invoice',
        paymentRequest: 'x',
        paymentHash: hash('sha256', randomBytes(32)),
        expiresAt: vault.clock.ms + 60_000,
      },
    });
  for (let made = 0; made < UNPAID_DEPOSITS_MAX; made += 100) {
    expect((await Promise.all(Array.from({ length: 100 }, open))).some(isRefusal)).toBe(false);
    vault.clock.advance(60_000);
    await vault.depositWatcher.tick();
  }
  const before = rows();
  let invoices = 0;
  const { createInvoice } = vault.receiver;
  vault.receiver.createInvoice = (...order) => {
    invoices++;
    return createInvoice.apply(vault.receiver, order);
  };
  const url = '/agents/me/deposits';
  const refused = await agentPost(vault, agent, url, { amount_msat: 1 });
  expect([refused.status, refused.body.error.code, invoices]).toEqual([429, 'rate_limited', 0]);
  expect(await open()).toMatchObject({ refused: 'rate_limited' });
  expect(rows()).toEqual(before);
  vault.clock.advance(BOUND_MS);
  expect((await agentPost(vault, agent, url, { amount_msat: 1 })).status).toBe(200);
});

test('questions about inference that nobody answers', async () => {
  const agent = await fundedAgent(vault, { policy: DEAR });
  const ask = (nth: number) =>
    asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { model: `model-${nth}` }));
  for (let made = 0; made < UNMET_APPROVALS_MAX; made += 100) {
    const answers = await Promise.all(Array.from({ length: 100 }, (_, nth) => ask(made + nth)));
    expect(answers.every(({ body }) => body.error.code === 'approval_required')).toBe(true);
    vault.clock.advance(1_000);
    await vault.keeper.tick();
  }
  const before = rows();
  expect((await ask(UNMET_APPROVALS_MAX)).body.error).toMatchObject({ code: 'policy_denied' });
  expect(rows()).toEqual(before);
  vault.clock.advance(BOUND_MS);
  expect((await ask(0)).body.error.code).toBe('approval_required');
});
