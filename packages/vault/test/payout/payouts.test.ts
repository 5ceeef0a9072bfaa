/** Sellers are paid what they are owed: once, after the operator's word, within the cap. */

import { hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { msat } from '@arbstr/shared';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { openReader } from '../../src/db/open.ts';
import { RETRY_AFTER_MS } from '../../src/payout/payout.ts';
import { payoutOrders } from '../../src/payout/payout-orders.ts';
import { createPayoutQueries } from '../../src/payout/payout-queries.ts';
import { directTarget, type TargetAnswer, type TargetOf } from '../../src/payout/target.ts';
import type { LookupOutcome, PayOrder, PayOutcome, Wallet } from '../../src/wallet/wallet.ts';
import { Runner } from '../../src/worker/runner.ts';
import { pay, walletScript } from '../support/pay.ts';
import {
  type Answer,
  asAgent,
  asOperator,
  books,
  call,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  settle,
  type TestAgent,
  type TestVault,
  type TestVaultOptions,
  temporaryFolder,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
async function start(options: TestVaultOptions = {}): Promise<void> {
  vault = await openVault(options);
  agent = await fundedAgent(vault, { amount: 100_000_000 });
}
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

const ADDRESS = 'alpha@pay.example';
const sell = (body: object, name = 'alpha') =>
  asOperator(vault, 'PUT', `/operator/providers/${name}`, body);
const seller = async (name = 'alpha') =>
  (await asOperator(vault, 'GET', `/operator/providers/${name}`)).body;
const payouts = async (query = ''): Promise<Answer['body'][]> =>
  (await asOperator(vault, 'GET', `/operator/payouts${query}`)).body.payouts;
const judge = (id: string, verdict: 'approve' | 'deny') =>
  asOperator(vault, 'POST', `/operator/approvals/${id}/${verdict}`);
const refused = ({ status, body }: Answer) => [status, body.error?.code];
const rail = () => books(vault.path).accounts['rail:simulated'];

async function charge(actual: number, over: object = {}): Promise<Answer> {
  const id = await held(vault, agent, actual);
  return settle(vault, id, actual, { provider: 'alpha', ...over });
}

/** A seller whose destination the operator has approved, with nothing owed. */
async function approvedSeller(): Promise<void> {
  await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
  await charge(1_000);
  await vault.payoutRunner.tick();
  const [payout] = await payouts();
  await judge(payout.payout_id, 'approve');
  await vault.payoutRunner.tick();
  await vault.payoutRunner.tick();
  expect((await payouts())[0].status).toBe('succeeded');
}

describe('what a seller is owed', () => {
  test('is its own cost of each settle, and the rest is the operator’s', async () => {
    await start();
    await sell({ payout_destination: ADDRESS });
    await charge(5_000, { provider_cost_msats: 4_000 });
    expect(await seller()).toMatchObject({
      payout_destination: ADDRESS,
      payout_threshold_msat: 1_000_000,
      payable_msat: 4_000,
      held_msat: 0,
      destination_standing: 'new',
    });
    expect(books(vault.path).accounts['operator:revenue']).toBe(1_000);
  });

  test('is the whole charge where core names no cost', async () => {
    await start();
    await sell({ payout_destination: ADDRESS });
    await charge(5_000);
    expect((await seller()).payable_msat).toBe(5_000);
  });

  test('is never above what was charged, whatever was held or claimed', async () => {
    await start();
    await sell({ payout_destination: ADDRESS });
    const over = await charge(5_000, { provider_cost_msats: 5_001 });
    expect(refused(over)).toEqual([400, 'invalid_request']);
    // The bill is above the hold: charged is what was held, and no more is owed.
    const id = await held(vault, agent, 1_000);
    await settle(vault, id, 9_000, { provider: 'alpha', provider_cost_msats: 9_000 });
    expect((await seller()).payable_msat).toBe(1_000);
  });

  test('is nothing without a destination, or for somebody else, or for a replay', async () => {
    await start();
    await charge(5_000);
    await sell({ payout_destination: ADDRESS });
    await charge(5_000, { provider: 'beta' });
    const id = await held(vault, agent, 700);
    const bill = () => settle(vault, id, 700, { provider: 'alpha' });
    await Promise.all([bill(), bill(), bill()]);
    expect((await seller()).payable_msat).toBe(700);
    await sell({ payout_destination: null });
    await charge(5_000);
    expect((await seller()).payable_msat).toBe(700);
    expect(refused(await asOperator(vault, 'GET', '/operator/providers/gamma'))).toEqual([
      404,
      'not_found',
    ]);
  });

  test('comes from late settles too, but not of what was lost', async () => {
    await start();
    await sell({ payout_destination: ADDRESS });
    const late = { agent_id: agent.id, provider: 'alpha', provider_cost_msats: 150_000_000 };
    await settle(vault, vault.newReservationId(), 150_000_000, late);
    expect((await seller()).payable_msat).toBe(100_000_000);
    expect(books(vault.path).accounts['operator:loss']).toBe(-50_000_000);
  });

  test('T34: and what the operator earns are together what was charged, whatever the bills', async () => {
    await start();
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000_000_000 });
    const bills = fc.record({
      hold: fc.nat({ max: 5_000 }),
      actual: fc.nat({ max: 10_000 }),
      costOf: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      provider: fc.constantFrom('alpha', 'beta', undefined),
    });
    let charged = 0;
    await fc.assert(
      fc.asyncProperty(bills, async ({ hold, actual, costOf, provider }) => {
        const before = (await seller()).payable_msat;
        const cost = costOf === null ? undefined : Math.floor(actual * costOf);
        const id = await held(vault, agent, hold);
        const { body } = await settle(vault, id, actual, { provider, provider_cost_msats: cost });
        charged += body.actual_msats;
        const earned = (await seller()).payable_msat - before;
        const { accounts } = books(vault.path);
        expect(accounts['operator:revenue']! + accounts['provider:alpha:payable']!).toBe(charged);
        expect(earned).toBe(
          provider === 'alpha' ? Math.min(cost ?? body.actual_msats, body.actual_msats) : 0,
        );
      }),
      { seed: 17, numRuns: 60 },
    );
  });

  test('does not show in the history of who was charged', async () => {
    await start();
    await sell({ payout_destination: ADDRESS });
    await charge(5_000, { provider_cost_msats: 4_000 });
    const { entries } = (await asAgent(vault, agent.token, '/agents/me/history')).body;
    expect(entries[0].metadata).not.toHaveProperty('earned');
  });

  test.each([
    { payout_destination: 'nobody' },
    { payout_destination: 'a@localhost' },
    { payout_destination: 'https://pay.example' },
    { payout_destination: 'lnurl1qqqq' },
    { payout_threshold_msat: 5 },
    { payout_destination: ADDRESS, payout_threshold_msat: 0 },
    { payout_destination: ADDRESS, payout_threshold_msat: 1_000_000_001 },
  ])('%j is refused', async (body) => {
    await start();
    expect(refused(await sell(body))).toEqual([400, 'invalid_request']);
  });
});

describe('a payout', () => {
  test('waits for the operator the first time, and goes by itself afterwards', async () => {
    await start();
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(999);
    await vault.payoutRunner.tick();
    expect(await payouts()).toEqual([]);
    await charge(1);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    const [waiting] = await payouts();
    expect(waiting).toMatchObject({
      provider: 'alpha',
      payout_destination: ADDRESS,
      status: 'waiting',
      amount_msat: 1_000,
      max_fee_msat: 0,
    });
    expect(await seller()).toMatchObject({ payable_msat: 1_000, held_msat: 1_000 });

    const before = rail();
    expect((await judge(waiting.payout_id, 'approve')).status).toBe(200);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    const [paid] = await payouts();
    expect(paid).toMatchObject({ status: 'succeeded', fee_msat: 0, failure: null });
    expect(paid.preimage).toMatch(/^[0-9a-f]{64}$/);
    expect(rail()! - before!).toBe(1_000);

    await charge(2_000);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    expect((await payouts()).map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
    expect(await seller()).toMatchObject({ payable_msat: 0, held_msat: 0 });
  });

  test('waits among the approvals, in their shape, and is judged there: what is seen is what runs', async () => {
    await start();
    const poor = await fundedAgent(vault, {
      policy: { max_transaction_msat: 1, approval_timeout_ms: 60_000 },
    });
    const asked = [(await pay(vault, poor)).body.approval_id];
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(1_000);
    vault.clock.advance(1_000);
    await vault.payoutRunner.tick();
    asked.unshift((await payouts())[0].payout_id);
    vault.clock.advance(1_000);
    asked.unshift((await pay(vault, poor)).body.approval_id);
    const list = async (query = '') =>
      (await asOperator(vault, 'GET', `/operator/approvals${query}`)).body;
    const { approvals } = await list();
    expect(approvals.map(({ id }: { id: string }) => id)).toEqual(asked);
    expect(approvals[1]).toEqual({
      id: asked[1],
      agent_id: null,
      provider: 'alpha',
      type: 'payout',
      transaction_id: null,
      amount_msat: 1_000,
      max_fee_msat: 0,
      destination_type: 'lightning_address',
      destination: ADDRESS,
      model: null,
      rule: 'new_destination',
      status: 'pending',
      reason: null,
      expires_at: null,
      resolved_at: null,
      created_at: expect.any(Number),
    });
    expect(Object.keys(approvals[0])).toEqual(Object.keys(approvals[1]));
    const [one, two] = [await list('?limit=1'), await list('?limit=2')];
    const rest = (await list(`?limit=2&cursor=${one.next_cursor}`)).approvals;
    expect([...one.approvals, ...rest]).toEqual(approvals);
    expect((await list(`?cursor=${two.next_cursor}`)).approvals).toEqual([approvals[2]]);
    expect((await list(`?agent_id=${poor.id}`)).approvals).toHaveLength(2);
    expect((await list('?status=denied')).approvals).toEqual([]);

    // Later earnings are no part of what was seen.
    await charge(9_000);
    const approved = await judge(asked[1], 'approve');
    expect(approved.body).toEqual({
      approval_id: asked[1],
      status: 'approved',
      transaction_id: null,
      agent_id: null,
      amount_msat: 1_000,
      payment_status: 'SETTLED',
    });
    const [paid] = await payouts('?status=succeeded');
    expect(paid).toMatchObject({ payout_destination: ADDRESS, amount_msat: 1_000 });
    expect((await list()).approvals).toHaveLength(2);
  });

  test('T12: is judged once, whoever presses at the same moment', async () => {
    await start();
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(1_000);
    await vault.payoutRunner.tick();
    const [{ payout_id }] = await payouts();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => judge(payout_id, n % 2 ? 'approve' : 'deny')),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(refused(answers.at(-1)!)).toEqual([409, 'already_resolved']);
  });

  test('that is denied gives the money back, and none follows until the destination changes', async () => {
    await start();
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(1_000);
    await vault.payoutRunner.tick();
    const [{ payout_id }] = await payouts();
    await judge(payout_id, 'deny');
    await vault.payoutRunner.tick();
    expect(await payouts()).toHaveLength(1);
    expect(await seller()).toMatchObject({ payable_msat: 1_000, destination_standing: 'denied' });
    await sell({ payout_destination: 'new@pay.example', payout_threshold_msat: 1_000 });
    await vault.payoutRunner.tick();
    expect((await payouts())[0]).toMatchObject({
      status: 'waiting',
      payout_destination: 'new@pay.example',
    });
  });

  test('that waits ends when the destination changes: what was seen is what runs', async () => {
    await start();
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(1_000);
    await vault.payoutRunner.tick();
    const [{ payout_id }] = await payouts();
    await sell({ payout_destination: 'thief@pay.example', payout_threshold_msat: 1_000 });
    expect(refused(await judge(payout_id, 'approve'))).toEqual([409, 'already_resolved']);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    const [next, old] = await payouts();
    expect([next.status, old.status]).toEqual(['waiting', 'failed']);
  });

  test('stays within the daily cap of all sellers together', async () => {
    await start({ payoutDailyCapMsat: 5_000 });
    await approvedSeller();
    await charge(6_000);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    // 1,000 of the 5,000 are gone; what is left is paid, and the rest waits for tomorrow.
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded', amount_msat: 4_000 });
    await vault.payoutRunner.tick();
    expect(await payouts()).toHaveLength(2);
    vault.clock.advance(24 * 3_600_000 + 1);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded', amount_msat: 2_000 });
  });

  test('counts on the day on which it was paid, however long it waited before', async () => {
    await start({ payoutDailyCapMsat: 5_000 });
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(4_000);
    await vault.payoutRunner.tick();
    vault.clock.advance(25 * 3_600_000);
    const [{ payout_id }] = await payouts();
    await asOperator(vault, 'POST', `/operator/approvals/${payout_id}/approve`);
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded', amount_msat: 4_000 });
    await charge(4_000);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded', amount_msat: 1_000 });
    vault.clock.advance(24 * 3_600_000 + 1);
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded', amount_msat: 3_000 });
  });

  test('is listed newest first, by seller and by state, page by page', async () => {
    await start();
    await approvedSeller();
    await charge(1_000);
    await vault.payoutRunner.tick();
    const all = await payouts();
    const page = (await asOperator(vault, 'GET', '/operator/payouts?limit=1')).body;
    const rest = await payouts(`?limit=1&cursor=${page.next_cursor}`);
    expect([...page.payouts, ...rest]).toEqual(all);
    expect(await payouts('?status=waiting')).toEqual([]);
    expect(await payouts('?provider=beta')).toEqual([]);
    expect(await payouts('?provider=alpha')).toEqual(all);
  });
});

describe('T65: after a restore', () => {
  const finish = () => asOperator(vault, 'POST', '/operator/recovery/finish');
  const debit = (body: object, key?: string) =>
    asOperator(
      vault,
      'POST',
      '/operator/providers/alpha/debit',
      body,
      key === undefined ? {} : { 'idempotency-key': key },
    );

  test('every seller is new again: the first payout waits for the operator', async () => {
    await start();
    await approvedSeller();
    await charge(5_000);
    vault.clock.advance(1_000);
    vault = await vault.restore();
    expect(await seller()).toMatchObject({ destination_standing: 'new', payable_msat: 5_000 });
    await finish();
    await vault.payoutRunner.tick();
    await vault.payoutRunner.tick();
    expect((await payouts())[0]).toMatchObject({ status: 'waiting', amount_msat: 5_000 });
    const { entries } = (await asOperator(vault, 'GET', '/operator/audit?limit=100')).body;
    const restored = entries.findIndex(
      ({ action }: { action: string }) => action === 'LEDGER_RESTORED',
    );
    expect(entries[restored - 1]).toMatchObject({
      action: 'SELLER_SET',
      facts: { seller: 'alpha', standing: 'new' },
    });
  });

  test('a payout that was about to be sent waits for the operator again, a denied one stays denied', async () => {
    const { path, misbehave } = walletScript();
    misbehave({ match: 'ann', fault: 'overcharge' });
    await start({ walletScript: path });
    for (const name of ['alpha', 'beta']) {
      await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 }, name);
      await charge(10_000, { provider: name });
    }
    await vault.payoutRunner.tick();
    await pay(vault, agent);
    await judge((await payouts('?provider=alpha'))[0].payout_id, 'approve');
    await judge((await payouts('?provider=beta'))[0].payout_id, 'deny');
    expect((await payouts('?provider=alpha'))[0].status).toBe('held');
    vault = await vault.restore();
    expect((await payouts('?provider=alpha'))[0].status).toBe('waiting');
    expect((await seller('beta')).destination_standing).toBe('denied');
  });

  test('the operator books what was paid out since the backup, once, and no more than is owed', async () => {
    await start();
    await approvedSeller();
    await charge(5_000);
    vault = await vault.restore();
    const before = rail()!;
    const paid = { amount_msat: 3_000, reason: 'paid on Tuesday, payment hash 00ff' };
    const first = await debit(paid, 'booked-1');
    expect(first).toMatchObject({
      status: 200,
      body: { name: 'alpha', amount_msat: 3_000, payable_msat: 2_000 },
    });
    const again = await debit(paid, 'booked-1');
    expect([again.body, again.headers['x-arbstr-replayed']]).toEqual([first.body, 'true']);
    expect(rail()! - before).toBe(3_000);
    expect(refused(await debit({ amount_msat: 2_001, reason: 'x' }))).toEqual([
      402,
      'insufficient_balance',
    ]);
    expect(refused(await debit({ amount_msat: 1 }))).toEqual([400, 'invalid_request']);
    expect((await seller()).payable_msat).toBe(2_000);
  });
});

describe('a wallet that misbehaves', () => {
  let script: string;
  const told = (faults: object[]) => writeFileSync(script, JSON.stringify(faults));
  const due = async () => {
    script = join(temporaryFolder(), 'script.json');
    told([]);
    await start({ walletScript: script });
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(100_000);
    await vault.payoutRunner.tick();
    const [{ payout_id }] = await payouts();
    return payout_id as string;
  };
  const later = async () => {
    vault.clock.advance(300_000);
    await vault.payoutRunner.tick();
  };

  test('its fee comes out of what the seller is owed, and what was not needed goes back', async () => {
    const id = await due();
    told([{ match: '', fee_msat: 700 }]);
    const before = rail()!;
    await judge(id, 'approve');
    await later();
    await later();
    const [paid] = await payouts();
    expect(paid).toMatchObject({ amount_msat: 95_000, max_fee_msat: 5_000, fee_msat: 700 });
    expect(await seller()).toMatchObject({ payable_msat: 4_300, held_msat: 0 });
    expect(rail()! - before).toBe(95_000);
    expect(books(vault.path).accounts['fees:simulated']).toBe(700);
  });

  test('T27: one that takes more than it may costs the operator, not the seller', async () => {
    const id = await due();
    told([{ match: '', fault: 'overcharge' }]);
    await judge(id, 'approve');
    await later();
    await later();
    expect((await payouts()).at(-1)).toMatchObject({ status: 'succeeded', fee_msat: 5_000 });
    expect(books(vault.path).accounts).toMatchObject({
      'operator:loss': -1_000,
      'fees:simulated': 6_000,
    });
  });

  test('T27: one that takes more than it may is told nothing more until the operator thaws the rail', async () => {
    const id = await due();
    told([{ match: '', fault: 'overcharge' }]);
    await judge(id, 'approve');
    await later();
    await later();
    const { frozen_rails } = (await asOperator(vault, 'GET', '/operator/dashboard')).body;
    expect(frozen_rails).toMatchObject([{ rail: 'simulated', reason: expect.stringMatching(id) }]);
    told([]);
    await charge(100_000);
    await later();
    expect(await payouts()).toHaveLength(1);
    await asOperator(vault, 'POST', '/operator/rails/simulated/thaw');
    await later();
    await later();
    expect((await payouts())[0].status).toBe('succeeded');
  });

  test('a payout that was let go is not sent on a frozen rail, and goes when it is thawed', async () => {
    const id = await due();
    told([{ match: 'ann', fault: 'overcharge' }]);
    await pay(vault, agent);
    await judge(id, 'approve');
    await later();
    expect((await payouts())[0].status).toBe('held');
    await asOperator(vault, 'POST', '/operator/rails/simulated/thaw');
    await later();
    await later();
    expect((await payouts())[0].status).toBe('succeeded');
  });

  test.each(['pay_then_error', 'error', 'pending'])(
    'T13: an unknown end (%s) holds the money until it is proven, also over a restart',
    async (fault) => {
      const id = await due();
      told([{ match: '', fault }]);
      await judge(id, 'approve');
      expect(await seller()).toMatchObject({ payable_msat: 100_000, held_msat: 100_000 });
      vault = await vault.restart();
      await charge(50_000);
      told([]);
      await later();
      await later();
      const found = (await payouts()).filter(({ payout_id }) => payout_id === id);
      expect(found).toMatchObject([{ status: 'succeeded' }]);
    },
  );

  test('T65: one that never had it is not told again in recovery mode, nor on a frozen rail', async () => {
    const id = await due();
    told([{ match: '', fault: 'error' }]);
    await judge(id, 'approve');
    await later();
    vault = await vault.restore();
    told([]);
    await later();
    expect((await payouts())[0].status).toBe('in_flight');
    await asOperator(vault, 'POST', '/operator/recovery/finish');
    told([{ match: 'bob', fault: 'overcharge' }]);
    await pay(vault, agent, { destination: 'bob@pay.example' });
    await later();
    expect((await payouts())[0].status).toBe('in_flight');
    await asOperator(vault, 'POST', '/operator/rails/simulated/thaw');
    await later();
    expect((await payouts())[0].status).toBe('succeeded');
  });

  test('T50: one that had it and forgot it is a stuck payout, also right after a restart', async () => {
    const id = await due();
    const stuck = async () => {
      const { body } = await call(vault, { method: 'GET', url: '/health' });
      const board = (await asOperator(vault, 'GET', '/operator/dashboard')).body;
      return [body.rails.simulated.status, board.stuck_payouts];
    };
    told([{ match: '', fault: 'pending' }]);
    await judge(id, 'approve');
    await later();
    await later();
    expect(await stuck()).toEqual(['ok', []]);
    told([{ match: '', fault: 'forget' }]);
    await later();
    expect(await stuck()).toEqual(['degraded', [id]]);
    // From its row, before anybody asks the wallet again.
    vault = await vault.restart();
    expect(await stuck()).toEqual(['degraded', [id]]);
    told([]);
    await later();
    expect(await stuck()).toEqual(['ok', []]);
    expect((await payouts())[0].status).toBe('succeeded');
  });

  test('one that has refused, proven, gives the money back; the next try waits', async () => {
    const id = await due();
    told([{ match: '', fault: 'fail' }]);
    await judge(id, 'approve');
    expect((await payouts())[0]).toMatchObject({ payout_id: id, status: 'failed' });
    expect((await seller()).payable_msat).toBe(100_000);
    await vault.payoutRunner.tick();
    expect(await payouts()).toHaveLength(1);
    told([]);
    vault.clock.advance(RETRY_AFTER_MS);
    await later();
    await later();
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded' });
  });
});

describe('a payout to an invoice that a server gives', () => {
  /** A wallet that answers as told and remembers what it was asked to pay. */
  class ToldWallet implements Wallet {
    readonly rail = 'simulated';
    readonly provesPayments = true;
    readonly feeBoundMsat = null;
    readonly paid: PayOrder[] = [];
    name = 'node-1';
    pays: PayOutcome = { state: 'unknown', reason: 'timed out' };
    finds: LookupOutcome = { state: 'absent' };
    async identity() {
      return this.name;
    }
    async balanceMsat() {
      return null;
    }
    async pay(order: PayOrder) {
      this.paid.push(order);
      return this.pays;
    }
    async lookup() {
      return this.finds;
    }
    close() {}
  }

  /** As the route does, without a round of the vault's own runner. */
  const letGo = (payoutId: string) =>
    vault.engine.execute({
      kind: 'approve',
      correlationId: 'corr',
      replayKey: undefined,
      approvalId: payoutId,
      reason: null,
    });
  const runnerOf = (wallet: Wallet, targetOf: TargetOf) => {
    const payouts = createPayoutQueries(drizzle(openReader(vault.path)));
    const log = pino({ level: 'silent' });
    const common = { engine: vault.engine, wallet, log };
    const limits = { dailyCap: msat(1_000_000_000), newId: vault.newId };
    return new Runner(payoutOrders({ ...common, ...limits, payouts, targetOf }), {
      ...common,
      time: vault.clock,
      timing: { answerMs: 50, callMs: 50 },
    });
  };

  async function run() {
    await start();
    await sell({ payout_destination: ADDRESS, payout_threshold_msat: 1_000 });
    await charge(100_000);
    await vault.payoutRunner.tick();
    const [{ payout_id }] = await payouts();
    const wallet = new ToldWallet();
    let asked = 0;
    const runner = runnerOf(wallet, async () => {
      // As a server does: another invoice for each question.
      const preimage = Buffer.alloc(32, asked++);
      return {
        ok: true,
        target: {
          type: 'lightning_invoice',
          invoice: `invoice ${asked}`,
          paymentHash: hash('sha256', preimage),
          expiresAtMs: vault.clock.ms + 60_000,
        },
      };
    });
    await letGo(payout_id);
    const later = async () => {
      vault.clock.advance(300_000);
      await runner.tick();
    };
    await later();
    return { wallet, runner, later };
  }

  test('T25: every retry pays the first invoice while its fate is unknown', async () => {
    const { wallet, later } = await run();
    for (let n = 0; n < 5; n++) await later();
    expect(wallet.paid.length).toBeGreaterThan(1);
    expect(new Set(wallet.paid.map((order) => JSON.stringify(order))).size).toBe(1);
    wallet.finds = { state: 'succeeded', preimage: '00'.repeat(32), feeMsat: msat(0), token: null };
    await later();
    expect((await payouts())[0]).toMatchObject({ status: 'succeeded', fee_msat: 0 });
  });

  test('is not believed to be paid by a wrong preimage', async () => {
    const { wallet, later } = await run();
    wallet.finds = { state: 'succeeded', preimage: '11'.repeat(32), feeMsat: msat(0), token: null };
    await later();
    expect((await payouts())[0]).toMatchObject({ status: 'in_flight' });
  });

  test('that hangs, whatever it is told, holds up neither the next one nor a stop', async () => {
    await start();
    for (const name of ['alpha', 'beta']) {
      await sell({ payout_destination: `${name}@pay.example`, payout_threshold_msat: 1_000 }, name);
      await charge(100_000, { provider: name });
    }
    await vault.payoutRunner.tick();
    for (const { payout_id } of await payouts()) await letGo(payout_id);
    const wallet = new ToldWallet();
    wallet.pay = async (order) => {
      if (JSON.stringify(order.target).includes('alpha')) return new Promise(() => {});
      return { state: 'succeeded', preimage: null, feeMsat: msat(0), token: null };
    };
    const runner = runnerOf(wallet, directTarget);
    await runner.tick();
    expect((await payouts('?provider=alpha'))[0].status).toBe('in_flight');
    expect((await payouts('?provider=beta'))[0].status).toBe('succeeded');
    await runner.stop();
  });

  test('that the server does not give fails, and the next one waits, as after any failure', async () => {
    await start();
    await approvedSeller();
    await charge(100_000);
    let asked = 0;
    const runner = runnerOf(new ToldWallet(), async () => {
      asked++;
      return { ok: false, reason: 'no answer' };
    });
    for (let n = 0; n < 5; n++) {
      vault.clock.advance(1_000);
      await vault.keeper.tick();
      await runner.tick();
    }
    expect(asked).toBe(1);
    expect(await payouts('?status=failed')).toMatchObject([{ failure: 'no answer' }]);
    expect((await seller()).payable_msat).toBe(100_000);
    // A new destination is a new start.
    await sell({ payout_destination: 'other@pay.example', payout_threshold_msat: 1_000 });
    await runner.tick();
    expect((await payouts())[0].status).toBe('waiting');
  });

  test('whose first look-up fails late is still on its way by a later one, and paid once', async () => {
    await start();
    await approvedSeller();
    await charge(100_000);
    const late = Promise.withResolvers<TargetAnswer>();
    let asked = 0;
    const wallet = new ToldWallet();
    const runner = runnerOf(wallet, async (...args) =>
      asked++ === 0 ? late.promise : directTarget(...args),
    );
    const round = async () => {
      vault.clock.advance(2_000);
      await vault.keeper.tick();
      await runner.tick();
    };
    await round();
    await round();
    late.resolve({ ok: false, reason: 'no answer' });
    for (let n = 0; n < 3; n++) await round();
    expect((await payouts())[0]).toMatchObject({ status: 'in_flight' });
    expect(await payouts('?status=failed')).toEqual([]);
    expect(await seller()).toMatchObject({ payable_msat: 100_000, held_msat: 100_000 });
    expect(new Set(wallet.paid.map(({ reference }) => reference)).size).toBe(1);
  });

  test('that is on its way is not failed by who could not send it when it was held', async () => {
    await run();
    const [{ payout_id: payoutId }] = await payouts();
    const result = { state: 'failed', reason: 'no answer' } as const;
    const command = {
      kind: 'end_payout',
      payoutId,
      rail: 'simulated',
      from: 'held',
      result,
    } as const;
    expect(await vault.engine.execute(command)).toMatchObject({ refused: 'not_found' });
    expect((await payouts())[0]).toMatchObject({ status: 'in_flight' });
  });

  test('whose look-up is given up has not failed', async () => {
    await start();
    await approvedSeller();
    await charge(100_000);
    const runner = runnerOf(new ToldWallet(), async (_address, _amount, signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { ok: false, reason: 'aborted' };
    });
    vault.clock.advance(1_000);
    await runner.tick();
    await runner.stop();
    await vault.keeper.tick();
    expect((await payouts())[0]).toMatchObject({ status: 'held' });
  });

  test('T50: a wallet that once had it and has forgotten it is not asked to pay again', async () => {
    const { wallet, later } = await run();
    wallet.finds = { state: 'pending' };
    await later();
    const paid = wallet.paid.length;
    wallet.finds = { state: 'absent' };
    for (let n = 0; n < 3; n++) await later();
    expect(wallet.paid).toHaveLength(paid);
    expect(await seller()).toMatchObject({ payable_msat: 100_000, held_msat: 100_000 });
  });

  test('T49: another wallet than it was sent with is neither believed nor asked to pay', async () => {
    const { wallet, later } = await run();
    const paid = wallet.paid.length;
    wallet.name = 'node-2';
    wallet.finds = { state: 'failed', reason: 'no such payment' };
    await later();
    expect(wallet.paid).toHaveLength(paid);
    expect((await payouts())[0].status).toBe('in_flight');
  });

  test('T19: it is asked about for ever', async () => {
    const { wallet, later } = await run();
    wallet.finds = { state: 'pending' };
    vault.clock.advance(60 * 24 * 3_600_000);
    await later();
    wallet.finds = { state: 'failed', reason: 'no route' };
    await later();
    expect((await payouts())[0]).toMatchObject({ status: 'failed', failure: 'no route' });
    expect((await seller()).payable_msat).toBe(100_000);
  });
});
