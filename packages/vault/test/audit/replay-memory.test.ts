/** What has ended is compared then and let go: verify's memory must not grow with the history. */
import { expect, test } from 'vitest';
import { AgentBooks } from '../../src/audit/verify/agent-books.ts';
import type { Fact } from '../../src/audit/verify/chain.ts';
import { DepositReplay } from '../../src/audit/verify/deposit-replay.ts';
import { GrantReplay } from '../../src/audit/verify/grant-replay.ts';
import type { Row } from '../../src/audit/verify/lookups.ts';
import type { ReplayDeps } from '../../src/audit/verify/replay-deps.ts';
import { Report } from '../../src/audit/verify/report.ts';
import { SellerReplay } from '../../src/audit/verify/seller-replay.ts';

/** Answers no row, and remembers what was looked up. */
function world(stored: Row = {}) {
  const asked: string[] = [];
  const totals = new Proxy({}, { get: () => 0, set: () => true });
  const lookups = new Proxy(
    {},
    {
      get: (_target, table: string) => (id: string) => {
        asked.push(`${table} ${id}`);
        return stored;
      },
    },
  );
  const deps = { lookups, report: new Report(), totals, answersSinceMs: 0 };
  return { deps: deps as unknown as ReplayDeps, asked };
}

let seq = 0;
const fact = (action: string, facts: object): Fact => ({
  seq: ++seq,
  at: 1,
  action,
  facts: { ...facts },
});

function sellerWith(deps: ReplayDeps): SellerReplay {
  const replay = new SellerReplay(deps);
  const accounts = { payable_account: 10, held_account: 11 };
  const paid = { payout_destination: 'a@b.example', payout_threshold: 1, standing: 'approved' };
  replay.apply(fact('SELLER_SET', { seller: 's', ...accounts, ...paid }), '');
  return replay;
}
const open = (payout_id: string) =>
  fact('PAYOUT_OPENED', {
    payout_id,
    seller: 's',
    destination: 'a@b.example',
    amount: 5,
    max_fee: 1,
    state: 'held',
  });

test('a payout', () => {
  const { deps, asked } = world();
  const replay = sellerWith(deps);
  for (const payout_id of ['paid', 'failed', 'open']) replay.apply(open(payout_id), '');
  const paid = { payout_id: 'paid', fee: 1, preimage: null, excess: 0 };
  replay.apply(fact('PAYOUT_SUCCEEDED', paid), '');
  replay.apply(fact('PAYOUT_FAILED', { payout_id: 'failed', failure: 'x' }), '');
  expect(asked).toEqual(['payout paid', 'payout failed']);
  replay.finish();
  expect(asked.filter((row) => row.startsWith('payout'))).toEqual([
    'payout paid',
    'payout failed',
    'payout open',
  ]);
});

test('an ended payout cannot end again', () => {
  const { deps } = world();
  const replay = sellerWith(deps);
  replay.apply(open('paid'), '');
  const end = fact('PAYOUT_FAILED', { payout_id: 'paid', failure: 'x' });
  replay.apply(end, '');
  deps.report.findings.length = 0;
  replay.apply(end, 'again');
  expect(deps.report.findings).toEqual(['again: payout paid was not in the state before it']);
});

test.each([
  ['an invoice that expired unpaid', 'expired', ['deposit d']],
  ['but one that was paid later is kept until then', 'settled', []],
])('%s', (_name, state, compared) => {
  const { deps, asked } = world({ state });
  const replay = new DepositReplay(deps, 1, new AgentBooks(deps));
  const opened = { deposit_id: 'd', rail: 'simulated', type: 'invoice', amount: 1 };
  replay.open(fact('DEPOSIT_OPENED', { ...opened, correlation_id: 'c' }));
  replay.expire(fact('DEPOSIT_EXPIRED', { deposit_id: 'd' }), '');
  const findings = deps.report.total;
  expect(findings > 0).toBe(compared.length > 0);
  asked.length = 0;
  replay.finish();
  expect(asked).toEqual(compared.length > 0 ? [] : ['deposit d']);
});

test('a grant that is consumed', () => {
  const { deps, asked } = world();
  const replay = new GrantReplay(deps, 1);
  for (const approval_id of ['a', 'b', 'c']) {
    const given = { approval_id, model: 'm', rule: 'r', granted_max: 1, granted_until: 1 };
    replay.give(fact('APPROVAL_GRANTED', given));
  }
  replay.take('', { id: 'r', approval_ids: 'a' });
  replay.consume({ id: 'r', approval_ids: 'a' }, 1);
  replay.consumeLate({ id: 'q', approval_ids: 'a b' }, 1);
  expect(asked).toEqual(['grant a', 'grant b']);
  replay.finish();
  expect(asked).toEqual(['grant a', 'grant b', 'grant c']);
});
