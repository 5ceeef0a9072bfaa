/** Lists that are asked for every second read what they show, and not all that has ended before. */
import type { Database } from 'better-sqlite3';
import SqliteDatabase from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { prepareStatements } from '../../src/ledger/statements.ts';
import { createOutboxQueries } from '../../src/notify/outbox-queries.ts';
import { createStuckQueries } from '../../src/notify/stuck-queries.ts';
import { createPaymentQueries } from '../../src/payment/payment-queries.ts';
import { createPayoutQueries } from '../../src/payout/payout-queries.ts';
import { createReservationQueries } from '../../src/reservation/reservation-queries.ts';

let db: Database;
/** What was run since it was last emptied, with its values. */
const ran: string[] = [];
beforeAll(() => {
  db = new SqliteDatabase(':memory:', { verbose: (sql) => ran.push(String(sql)) });
  migrate(db);
});
afterAll(() => {
  db.close();
});

/** How SQLite finds the rows of what `read` runs. */
function planOf(read: () => unknown): string {
  ran.length = 0;
  read();
  const [sql] = ran;
  const plan = db.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all();
  return plan.map(({ detail }) => detail).join('; ');
}

test.each([
  [{ agentNo: 1, status: null }, 'approvals_by_agent (agent_no=? AND id<?)'],
  [{ agentNo: null, status: 'pending' as const }, 'approvals_by_status (status=? AND id<?)'],
  [
    { agentNo: 1, status: 'pending' as const },
    'approvals_by_agent_and_status (agent_no=? AND status=? AND id<?)',
  ],
])('approvals of %o', (filter, index) => {
  const plan = planOf(() => createPaymentQueries(db).approvals(filter, null, 50));
  expect(plan).toContain(index);
  expect(plan).not.toContain('TEMP B-TREE');
});

test('payouts in a state', () => {
  const plan = planOf(() => createPayoutQueries(drizzle(db)).list(null, 50, { status: 'waiting' }));
  expect(plan).toContain('payouts_by_state (state=?)');
});

test('payouts that the runner has to bring to their end', () => {
  const plan = planOf(() => createPayoutQueries(drizzle(db)).openIds('', 1_000));
  expect(plan).toContain('COVERING INDEX payouts_by_state (state=? AND id>?)');
});

test('what became of the last payout of a seller', () => {
  const plan = planOf(() => prepareStatements(db).selectLastPayout.get('s'));
  expect(plan).toContain('payouts_by_seller (seller=?)');
});

test('what sellers were paid lately', () => {
  const plan = planOf(() => prepareStatements(db).sumPayouts.get(0));
  expect(plan).toContain('payouts_paid (state=? AND ended_at>?)');
  expect(plan).toContain('payouts_by_state (state=?)');
});

test('who pays an invoice, and who has asked for it', () => {
  const sql = prepareStatements(db);
  const paid = planOf(() => sql.selectPaymentByHash.get('h'));
  expect(paid).toContain('payments_by_hash (payment_hash=?)');
  const asked = planOf(() => sql.selectAskedByHash.get('h', 1));
  expect(asked).toContain('payments_asked (payment_hash=? AND agent_no=?)');
  const dearest = planOf(() => sql.selectDearestAsked.get('h'));
  expect(dearest).toContain('payments_asked (payment_hash=?)');
});

test('the open holds of a core', () => {
  const plan = planOf(() => createReservationQueries(drizzle(db)).openHolds('core', '', 50));
  expect(plan).toContain('reservations_open');
});

test.each([
  ['selectMadePayment', 'payments_made'],
  ['selectUnpaidPayment', 'payments_unpaid'],
  ['selectUnpaidDeposit', 'deposits_unpaid'],
  ['selectUnmetInference', 'approvals_unmet'],
] as const)('%s, asked with each payment, deposit or question', (statement, index) => {
  const plan = planOf(() => prepareStatements(db)[statement].get(1, 0, 999));
  expect(plan).toContain(`COVERING INDEX ${index} (agent_no=? AND created_at>?)`);
});

test('events that wait and that were given up, and none of those that were delivered', () => {
  const plan = planOf(() => createOutboxQueries(db).counts());
  expect(plan).toContain('COVERING INDEX outbox_by_state (state=?)');
  expect(ran.join()).not.toContain('delivered');
});

test('what has been on its way for too long, among what is open', () => {
  ran.length = 0;
  createStuckQueries(db).items(0);
  const plans = ran.slice().map((sql) => planOf(() => db.prepare(sql).all()));
  expect(plans).toEqual([
    'SCAN payments USING INDEX payments_open',
    expect.stringContaining('SEARCH payouts USING INDEX payouts_by_state (state=?)'),
    expect.stringContaining('SCAN deposits USING INDEX deposits_due'),
    expect.stringContaining('SEARCH approvals USING INDEX approvals_by_status (status=?)'),
    expect.stringContaining('SEARCH payouts USING INDEX payouts_by_state (state=?)'),
  ]);
});
