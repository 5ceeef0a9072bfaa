/** What a restored vault does not do before its operator has looked: above all give money back. */
import { hash } from 'node:crypto';
import { msat } from '@arbstr/shared';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSeal } from '../../src/audit/seal.ts';
import { openWriter } from '../../src/db/open.ts';
import { isRefusal, refuse } from '../../src/errors.ts';
import type { Command } from '../../src/ledger/command.ts';
import { LedgerEngine } from '../../src/ledger/engine.ts';
import { beginRecovery } from '../../src/ledger/open-ledger.ts';
import { agentPost, invoice, pay } from '../support/pay.ts';
import {
  asOperator,
  balanceOf,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  pass,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault, {
    policy: { max_transaction_msat: 5_000, approval_timeout_ms: 60_000 },
  });
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

/** As after `restore` of a backup that was taken now. */
async function restored(): Promise<void> {
  await vault.close();
  const db = openWriter(vault.path);
  beginRecovery(db, createSeal(null), 'epoch-after', vault.clock.now());
  db.close();
  vault = await vault.restart();
}

const finish = (body?: object) => asOperator(vault, 'POST', '/operator/recovery/finish', body);
const setSeller = (name: string, payout_destination: string) =>
  asOperator(vault, 'PUT', `/operator/providers/${name}`, {
    payout_destination,
    payout_threshold_msat: 1_000,
  });

describe('a payment that waited for a human, and may have been approved and sent since', () => {
  let approvalId: string;
  beforeEach(async () => {
    const asked = await pay(vault, agent, { amount_msat: 10_000, max_fee_msat: 0 });
    approvalId = asked.body.approval_id;
    await restored();
  });

  test('keeps its money held past its time, and gives it back when recovery is finished', async () => {
    await pass(vault, 120_000);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 990_000, held: 10_000 });
    expect((await finish()).status).toBe(200);
    await pass(vault, 500);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 1_000_000, held: 0 });
  });

  test('keeps recovery from being finished until the wallet has answered for it', async () => {
    vi.spyOn(vault.wallet, 'lookup').mockRejectedValueOnce(new Error('no route to the wallet'));
    const { status, body } = await finish();
    expect([status, body.error.code, body.error.unasked]).toEqual([409, 'wallet_not_asked', 1]);
    vault.clock.advance(2_000);
    expect((await finish()).status).toBe(200);
  });

  test('counts only where a wallet is asked at all', async () => {
    await vault.runner.tick();
    expect((await finish()).status).toBe(200);
    const inside = { destination_type: 'internal', amount_msat: 10_000 };
    const payee = await fundedAgent(vault, { amount: 0 });
    await pay(vault, agent, { ...inside, destination: payee.id });
    await restored();
    await vault.runner.tick();
    expect((await finish()).status).toBe(200);
  });

  test('keeps nobody who says so from finishing, where the wallet is gone for good', async () => {
    vi.spyOn(vault.wallet, 'lookup').mockRejectedValue(new Error('no route to the wallet'));
    expect((await finish({ force: false })).status).toBe(409);
    expect((await finish({ force: true })).status).toBe(200);
    const { entries } = (await asOperator(vault, 'GET', '/operator/audit')).body;
    expect(entries).toContainEqual(
      expect.objectContaining({
        action: 'RECOVERY_FINISHED',
        facts: expect.objectContaining({ unasked: 1 }),
      }),
    );
  });

  test.each(['approve', 'deny'])('cannot be judged: %s', async (verdict) => {
    const url = `/operator/approvals/${approvalId}/${verdict}`;
    const refused = await asOperator(vault, 'POST', url, {});
    expect([refused.status, refused.body.error.code]).toEqual([503, 'recovering']);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 990_000, held: 10_000 });
  });
});

describe('a payment that waited for a human in the backup, and that the wallet knows', () => {
  test.each([0, 120_000])('is charged once, and never given back; after %d ms', async (passed) => {
    const asked = await pay(vault, agent, { amount_msat: 10_000, max_fee_msat: 0 });
    const { transaction_id: id, approval_id } = asked.body;
    // As it was approved and sent after the backup.
    const order = {
      reference: id,
      target: { type: 'lightning_address', address: 'ann@pay.example' } as const,
      amountMsat: msat(10_000),
      maxFeeMsat: msat(0),
    };
    await vault.wallet.pay(order, AbortSignal.timeout(5_000));
    const unknown = await pay(vault, agent, { amount_msat: 6_000, max_fee_msat: 0 });
    await restored();
    await pass(vault, passed);
    await vault.runner.tick();
    expect((await finish()).status).toBe(200);
    const deny = await asOperator(vault, 'POST', `/operator/approvals/${approval_id}/deny`, {});
    expect(deny.body.error).toMatchObject({ code: 'already_resolved', status: 'approved' });
    await pass(vault, 61_000);
    await vault.runner.tick();
    const url = `/agents/${agent.id}/payments`;
    expect((await asOperator(vault, 'GET', `${url}/${id}`)).body.status).toBe('SETTLED');
    const other = await asOperator(vault, 'GET', `${url}/${unknown.body.transaction_id}`);
    expect(other.body).toMatchObject({ status: 'FAILED', failure: 'approval_timed_out' });
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 990_000, held: 0 });
  });
});

describe('a payment that the wallet knows, while the ledger cannot write that it does', () => {
  test('keeps recovery from being finished until it is written', async () => {
    const asked = await pay(vault, agent, { amount_msat: 10_000, max_fee_msat: 0 });
    const { transaction_id: id, approval_id } = asked.body;
    const order = {
      reference: id,
      target: { type: 'lightning_address', address: 'ann@pay.example' } as const,
      amountMsat: msat(10_000),
      maxFeeMsat: msat(0),
    };
    await vault.wallet.pay(order, AbortSignal.timeout(5_000));
    await restored();
    const { execute } = LedgerEngine.prototype;
    const busy = vi
      .spyOn(vault.engine, 'execute')
      .mockImplementation(((command: Command) =>
        command.kind === 'adopt_payment'
          ? Promise.resolve(refuse('overloaded', 'too much waits'))
          : execute.call(vault.engine, command)) as typeof execute);
    await vault.runner.tick();
    const refused = await finish();
    expect([refused.status, refused.body.error?.unasked]).toEqual([409, 1]);
    busy.mockRestore();
    vault.clock.advance(2_000);
    expect((await finish()).status).toBe(200);
    const deny = await asOperator(vault, 'POST', `/operator/approvals/${approval_id}/deny`, {});
    expect(deny.body.error).toMatchObject({ code: 'already_resolved', status: 'approved' });
  });
});

describe('an invoice that several agents had asked for in the backup, and that the wallet knows', () => {
  test('is charged to the one that asked for most', async () => {
    const forger = await fundedAgent(vault, { policy: {} });
    const paymentHash = hash('sha256', 'of the one invoice');
    const ask = (who: TestAgent, amount: number) =>
      agentPost(vault, who, '/agents/me/withdrawals', {
        destination: invoice(amount, { paymentHash }),
        max_fee_msat: 0,
      });
    await ask(forger, 1);
    const { body } = await ask(agent, 10_000);
    const order = {
      reference: body.transaction_id,
      target: {
        type: 'lightning_invoice',
        invoice: invoice(10_000, { paymentHash }),
        paymentHash,
        expiresAtMs: vault.clock.ms + 3_600_000,
      } as const,
      amountMsat: msat(10_000),
      maxFeeMsat: msat(0),
    };
    await vault.wallet.pay(order, AbortSignal.timeout(5_000));
    await restored();
    await vault.runner.tick();
    await finish();
    await pass(vault, 301_000);
    await vault.runner.tick();
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 990_000, held: 0 });
    expect(await balanceOf(vault, forger)).toMatchObject({ available: 1_000_000, held: 0 });
  });
});

describe('a payout that was about to be sent, and may have been sent since', () => {
  beforeEach(async () => {
    await setSeller('sold', 'sold@example.com');
    const bill = { provider: 'sold', provider_cost_msats: 4_000 };
    await settle(vault, await held(vault, agent, 5_000), 5_000, bill);
    const openPayout = {
      kind: 'open_payout',
      payoutId: 'payout',
      seller: 'sold',
      dailyCap: msat(1_000_000),
      feeBound: msat(0),
      rail: 'simulated',
    } as const;
    expect(isRefusal(await vault.engine.execute(openPayout))).toBe(false);
    await restored();
  });

  const payout = async () => (await asOperator(vault, 'GET', '/operator/payouts')).body.payouts[0];

  test('is not failed by another destination of its seller', async () => {
    const refused = await setSeller('sold', 'elsewhere@example.com');
    expect([refused.status, refused.body.error.code]).toEqual([503, 'recovering']);
    expect((await payout()).status).toBe('waiting');
    await finish();
    expect((await setSeller('sold', 'elsewhere@example.com')).status).toBe(200);
    expect((await payout()).status).toBe('failed');
  });

  test('is denied by who knows better, and then goes elsewhere', async () => {
    const denied = await asOperator(vault, 'POST', '/operator/approvals/payout/deny');
    expect(denied.status).toBe(200);
    expect((await payout()).status).toBe('failed');
    expect((await setSeller('sold', 'elsewhere@example.com')).status).toBe(200);
  });

  test('hinders no other seller, whose late bills are still to come', async () => {
    expect((await setSeller('other', 'other@example.com')).status).toBe(200);
  });
});
