import { hash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createIdSource, msat } from '@arbstr/shared';
import SqliteDatabase from 'better-sqlite3';
import { afterAll, describe, expect, test } from 'vitest';
import { faultScript } from '../../src/wallet/simulated/fault.ts';
import { SimulatedWallet } from '../../src/wallet/simulated/simulated-wallet.ts';
import { orderKey, type PayOrder } from '../../src/wallet/wallet.ts';
import { closeVaults, TestClock, temporaryFolder } from '../support/vault.ts';
import { walletContract } from './contract.ts';

const clock = new TestClock();
const newId = createIdSource(clock.now, randomBytes);
const script = join(temporaryFolder(), 'script.json');
const misbehave = (...rules: object[]) => writeFileSync(script, JSON.stringify(rules));
misbehave();

function order(over: Partial<PayOrder> = {}): PayOrder {
  const reference = newId('transfer');
  const paymentHash = hash('sha256', reference);
  return {
    reference,
    target: {
      type: 'lightning_invoice',
      invoice: `lnbc-${reference}`,
      paymentHash,
      expiresAtMs: clock.ms + 3_600_000,
    },
    amountMsat: msat(1_000),
    maxFeeMsat: msat(10),
    ...over,
  };
}

function open(path = join(temporaryFolder(), 'wallet.db'), scripted = true) {
  const faultsOf = scripted ? faultScript(script) : null;
  return new SimulatedWallet({ path, time: clock, randomBytes, faultsOf });
}

const signal = () => AbortSignal.timeout(5_000);

afterAll(closeVaults);

walletContract('simulated', async () => {
  const path = join(temporaryFolder(), 'wallet.db');
  let wallet = open(path);
  misbehave({ match: 'refuse-me', fault: 'fail' });
  return {
    wallet,
    order,
    expiredOrder: () => {
      const fresh = order();
      return { ...fresh, target: { ...fresh.target, expiresAtMs: clock.ms } as PayOrder['target'] };
    },
    refusedOrder: () => order({ reference: 'refuse-me' }),
    async reopen() {
      wallet.close();
      wallet = open(path);
      return wallet;
    },
    timesPaid(one) {
      const db = new SqliteDatabase(path, { readonly: true });
      const paid = db
        .prepare("SELECT count(*) AS n FROM payments WHERE key = ? AND state = 'succeeded'")
        .get(orderKey(one)) as { n: number };
      db.close();
      return paid.n;
    },
    async close() {
      wallet.close();
    },
  };
});

describe('the simulated wallet', () => {
  test('costs nothing and says so beforehand', async () => {
    const wallet = open(undefined, false);
    expect(wallet.feeBoundMsat).toBe(0);
    expect(await wallet.pay(order(), signal())).toMatchObject({ state: 'succeeded', feeMsat: 0 });
    wallet.close();
  });

  test('pays an address under our reference, and gives a token for ecash', async () => {
    const wallet = open(undefined, false);
    const address = order({ target: { type: 'lightning_address', address: 'ann@pay.example' } });
    expect(await wallet.pay(address, signal())).toMatchObject({ state: 'succeeded', token: null });
    const ecash = order({ target: { type: 'cashu_token' }, amountMsat: msat(7) });
    const paid = await wallet.pay(ecash, signal());
    expect(paid).toMatchObject({ state: 'succeeded', preimage: null });
    const { token } = paid as { token: string };
    const { unit, token: parts } = JSON.parse(
      Buffer.from(token.slice('cashuA'.length), 'base64url').toString(),
    );
    expect([unit, parts[0].proofs[0].amount]).toEqual(['msat', 7]);
    expect(await wallet.lookup(ecash, signal())).toEqual(paid);
    wallet.close();
  });

  test('misbehaves as its script says, while it runs', async () => {
    const wallet = open();
    expect(wallet.feeBoundMsat).toBeNull();
    const one = order();
    misbehave({ match: one.reference, fault: 'pending' });
    expect(await wallet.pay(one, signal())).toMatchObject({ state: 'unknown' });
    expect(await wallet.lookup(one, signal())).toEqual({ state: 'pending' });
    misbehave({ match: one.reference, fault: 'forget' });
    expect(await wallet.lookup(one, signal())).toEqual({ state: 'absent' });
    misbehave({ match: '', fee_msat: 3 });
    expect(await wallet.lookup(one, signal())).toMatchObject({ state: 'succeeded', feeMsat: 3 });

    const two = order();
    misbehave({ match: two.reference, fault: 'pay_then_hang' });
    await expect(wallet.pay(two, AbortSignal.timeout(5))).rejects.toThrow();
    expect(await wallet.lookup(two, signal())).toMatchObject({ state: 'succeeded' });

    const three = order();
    misbehave({ match: three.reference, fault: 'fail_then_pay' });
    expect(await wallet.pay(three, signal())).toMatchObject({ state: 'failed' });
    expect(await wallet.lookup(three, signal())).toMatchObject({ state: 'succeeded' });

    const four = order();
    misbehave({ match: four.reference, fault: 'overcharge' });
    expect(await wallet.pay(four, signal())).toMatchObject({ feeMsat: 1_010 });
    wallet.close();
  });

  test('refuses to start with a script that it cannot read', () => {
    misbehave({ match: '', fault: 'explode' });
    expect(() => faultScript(script)).toThrow(/SIMULATED_WALLET_SCRIPT/);
    expect(() => faultScript(`${script}.missing`)).toThrow(/SIMULATED_WALLET_SCRIPT/);
  });
});
