/** Whatever came before, a withdrawal leaves on the rails what agents and sellers are owed. */
import { type Msat, msat } from '@arbstr/shared';
import SqliteDatabase from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSeal } from '../../src/audit/seal.ts';
import { migrate } from '../../src/db/migrate.ts';
import { isRefusal } from '../../src/errors.ts';
import type { Command } from '../../src/ledger/command.ts';
import { decide } from '../../src/ledger/decide.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import type { OutcomeOf } from '../../src/ledger/outcome.ts';
import type { Destination } from '../../src/payment/payment.ts';
import { START_MS } from '../support/vault.ts';

const asked = { correlationId: 'c', replayKey: undefined };
const destination: Destination = {
  type: 'lightning_address',
  text: 'me@example.com',
  paymentHash: null,
  invoiceExpiresAt: null,
};

/** A ledger without a disk, and what happens to it. */
function createWorld() {
  const db = new SqliteDatabase(':memory:');
  migrate(db);
  const { store } = openLedger(db, createSeal(null), 'epoch', START_MS);
  let ids = 0;

  function execute<C extends Command>(command: C): OutcomeOf<C> {
    store.begin();
    const { outcome, effects } = decide(store.view, command, START_MS);
    if (effects.length > 0) store.apply(effects, START_MS);
    store.commit(START_MS);
    return outcome as OutcomeOf<C>;
  }
  const accounts = () =>
    db.prepare<[], { name: string; balance: number }>('SELECT name, balance FROM accounts').all();
  const agent = (name: string) => {
    execute({
      ...asked,
      kind: 'create_agent',
      agentId: name,
      name,
      metadata: {},
      token: { id: `token of ${name}`, hash: name, scopes: ['spend'] },
      policy: { versionId: `policy of ${name}`, change: {} },
    });
    const amount = msat(1_000_000);
    execute({ ...asked, kind: 'credit', agentId: name, amount, transactionId: name });
  };
  agent('spender');
  // Somebody else, whose money is there to be taken.
  agent('saver');
  execute({
    ...asked,
    kind: 'set_seller',
    name: 'sold',
    destination: 'sold@example.com',
    threshold: msat(1_000),
    dailyCap: msat(1_000_000),
  });

  function send(paymentId: string, end: { fee: number } | null): void {
    execute({ kind: 'send_payment', paymentId, walletIdentity: 'w' });
    const result = end
      ? ({ state: 'succeeded', preimage: null, feeMsat: msat(end.fee), token: null } as const)
      : ({ state: 'failed', reason: 'no route' } as const);
    execute({ kind: 'end_payment', paymentId, result });
  }

  return {
    debit(amount: Msat): void {
      const transactionId = `debit ${++ids}`;
      execute({ ...asked, kind: 'debit', agentId: 'spender', amount, reason: 'x', transactionId });
    },
    /** Of a reservation that is not known, so that what the agent cannot pay is lost. */
    bill(amount: Msat): void {
      execute({
        kind: 'settle',
        reservationId: `bill ${++ids}`,
        asked: amount,
        usage: { provider: 'sold', provider_cost_msats: msat(amount >> 1) },
        agentId: 'spender',
        correlationId: null,
        model: null,
      });
    },
    overchargedPayment(amount: Msat): void {
      const paid = execute({
        ...asked,
        kind: 'pay',
        mode: 'payment',
        tokenHash: 'spender',
        transactionId: `payment ${++ids}`,
        approvalId: '',
        destination,
        destinationNames: [],
        amount: msat(1_000),
        maxFeeAsked: null,
        feeBound: null,
        purpose: '',
        rail: 'simulated',
      });
      if (isRefusal(paid) || paid.state !== 'held') return;
      send(paid.transactionId, { fee: amount });
      execute({ ...asked, kind: 'thaw_rail', rail: 'simulated' });
    },
    /** Whether it was granted. */
    withdraw(amount: Msat): boolean {
      const taken = execute({
        ...asked,
        kind: 'withdraw_revenue',
        treasuryId: 'treasury',
        transactionId: `withdrawal ${++ids}`,
        destination,
        amount,
        feeBound: null,
        rail: 'simulated',
      });
      if (isRefusal(taken)) return false;
      send(taken.transactionId, amount % 3 === 0 ? null : { fee: 700 });
      return true;
    },
    /** What rails hold more than agents and sellers are owed; the treasury is the operator's own. */
    surplus: (): number =>
      accounts()
        .filter(({ name }) => !/^operator:|:treasury:/.test(name))
        .reduce((sum, { balance }) => sum - balance, 0),
  };
}

test('rails hold what agents and sellers are owed after each of them', () => {
  const kinds = ['debit', 'bill', 'overchargedPayment', 'withdraw'] as const;
  const step = fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 900_000 }).map(msat));
  let granted = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 30 }), (steps) => {
      const world = createWorld();
      for (const [kind, amount] of steps) {
        if (world[kind](amount) !== true) continue;
        granted++;
        expect(world.surplus()).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 40 },
  );
  expect(granted).toBeGreaterThan(0);
});
