/**
 * What every wallet must do, whatever it is made of; each adapter runs these tests. They are what
 * the payments machine relies on.
 */
import { msat } from '@arbstr/shared';
import { afterEach, describe, expect, test } from 'vitest';
import { orderKey, type PayOrder, type Wallet } from '../../src/wallet/wallet.ts';

export interface WalletHarness {
  readonly wallet: Wallet;
  /** A new order that this wallet can pay. */
  order(over?: Partial<PayOrder>): PayOrder;
  /** An order whose invoice cannot be paid any more. */
  expiredOrder(): PayOrder;
  /** An order that the wallet is certain to refuse. */
  refusedOrder(): PayOrder;
  /** The same wallet after its process ended. */
  reopen(): Promise<Wallet>;
  /** How often money left the wallet for this order, by what the other side saw. */
  timesPaid(order: PayOrder): number;
  close(): Promise<void>;
}

export function walletContract(name: string, open: () => Promise<WalletHarness>): void {
  describe(`the wallet contract: ${name}`, () => {
    const harnesses: WalletHarness[] = [];
    const opened = async () => {
      const harness = await open();
      harnesses.push(harness);
      return harness;
    };
    const signal = () => AbortSignal.timeout(10_000);
    afterEach(async () => {
      for (const harness of harnesses.splice(0)) await harness.close();
    });

    test('pays an order within its fee limit and says so again when asked', async () => {
      const { wallet, order } = await opened();
      const one = order({ amountMsat: msat(2_500), maxFeeMsat: msat(100) });
      const paid = await wallet.pay(one, signal());
      expect(paid).toMatchObject({ state: 'succeeded' });
      expect((paid as { feeMsat: number }).feeMsat).toBeLessThanOrEqual(100);
      expect(await wallet.lookup(one, signal())).toEqual(paid);
    });

    test('T3: the same order sent twice, one after the other and at once, is paid once', async () => {
      const harness = await opened();
      const { wallet } = harness;
      const one = harness.order();
      const both = await Promise.all([wallet.pay(one, signal()), wallet.pay(one, signal())]);
      expect(both.map(({ state }) => state)).not.toContain('failed');
      const later = await wallet.pay(one, signal());
      expect(later).toMatchObject({ state: 'succeeded' });
      expect(await wallet.lookup(one, signal())).toEqual(later);
      expect(harness.timesPaid(one)).toBe(1);
    });

    test('T38: another payment of the same invoice is the same payment', async () => {
      const harness = await opened();
      const one = harness.order();
      const other = { ...one, reference: `${one.reference.slice(0, -4)}ZZZZ` };
      expect(orderKey(other)).toBe(orderKey(one));
      await harness.wallet.pay(one, signal());
      await harness.wallet.pay(other, signal());
      expect(harness.timesPaid(one)).toBe(1);
    });

    test('knows nothing of an order that it has never seen, and looking it up pays nothing', async () => {
      const harness = await opened();
      const one = harness.order();
      expect(await harness.wallet.lookup(one, signal())).toEqual({ state: 'absent' });
      expect(harness.timesPaid(one)).toBe(0);
    });

    test('refuses an expired invoice as failed, with nothing paid', async () => {
      const harness = await opened();
      const one = harness.expiredOrder();
      expect(await harness.wallet.pay(one, signal())).toMatchObject({ state: 'failed' });
      expect(harness.timesPaid(one)).toBe(0);
    });

    test('T4: an order that has failed may be sent again', async () => {
      const harness = await opened();
      const one = harness.refusedOrder();
      const first = await harness.wallet.pay(one, signal());
      expect(first).toMatchObject({ state: 'failed', reason: expect.any(String) });
      expect(['failed', 'absent']).toContain((await harness.wallet.lookup(one, signal())).state);
      expect(await harness.wallet.pay(one, signal())).toMatchObject({ state: 'failed' });
      expect(harness.timesPaid(one)).toBe(0);
    });

    test('after a restart it is the same wallet with the same memory', async () => {
      const harness = await opened();
      const one = harness.order();
      const identity = await harness.wallet.identity(signal());
      const paid = await harness.wallet.pay(one, signal());
      const again = await harness.reopen();
      expect(await again.identity(signal())).toBe(identity);
      expect(await again.lookup(one, signal())).toEqual(paid);
      expect(await again.pay(one, signal())).toEqual(paid);
      expect(harness.timesPaid(one)).toBe(1);
    });

    test('two wallets have two identities', async () => {
      const [one, two] = [await opened(), await opened()];
      expect(await one.wallet.identity(signal())).not.toBe(await two.wallet.identity(signal()));
    });
  });
}
