/** What the operator is told: each change once, in the tx that makes it, and nothing else. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { agentPost, invoice, pay, payInvoice, walletScript } from '../support/pay.ts';
import {
  asCore,
  asOperator,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  pass,
  release,
  reserveBody,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

// Nobody listens there: what is told is read from the outbox.
const WEBHOOK = { url: 'http://127.0.0.1:9/', secret: 'webhook-secret-of-the-tests' };
const LIMITED = { max_transaction_msat: 5_000, approval_timeout_ms: 10_000 };

let vault: TestVault;
let agent: TestAgent;
let wallet: ReturnType<typeof walletScript>;

beforeAll(async () => {
  wallet = walletScript();
  vault = await openVault({ webhook: WEBHOOK, walletScript: wallet.path });
});
beforeEach(async () => {
  wallet.misbehave();
  agent = await fundedAgent(vault, { policy: LIMITED });
  vault.writer.exec('DELETE FROM outbox');
});
afterAll(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

// biome-ignore lint/suspicious/noExplicitAny: tests look into events freely
const told = (): any[] =>
  vault.writer
    .prepare<[], { body: string }>('SELECT body FROM outbox ORDER BY id')
    .all()
    .map(({ body }) => JSON.parse(body));
const names = () => told().map(({ event }) => event);
const resolve = (id: string, how: 'approve' | 'deny', body?: object) =>
  asOperator(vault, 'POST', `/operator/approvals/${id}/${how}`, body);

test('holds and bills of inference write nothing', async () => {
  await settle(vault, await held(vault, agent), 600);
  await release(vault, await held(vault, agent));
  await held(vault, agent, 1_000, { expires_in_secs: 1 });
  await pass(vault, 2_000);
  expect(told()).toEqual([]);
});

test('without a webhook nothing is written at all', async () => {
  const quiet = await openVault();
  const other = await fundedAgent(quiet, { policy: LIMITED });
  await pay(quiet, other);
  const { total } = quiet.writer
    .prepare<[], { total: number }>(
      'SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM outbox_heads) AS total',
    )
    .get()!;
  expect(total).toBe(0);
});

describe('payments', () => {
  test('that settle or fail, with what they came to', async () => {
    wallet.misbehave({ match: 'bob@', fault: 'fail' }, { match: '', fee_msat: 3 });
    const { body: good } = await payInvoice(vault, agent, invoice(2_000));
    const { body: bad } = await pay(vault, agent, { destination: 'bob@pay.example' });
    expect(told()).toMatchObject([
      {
        event: 'payment_settled',
        event_id: expect.stringMatching(/^evt_[0-9A-Z]{26}$/),
        agent_id: agent.id,
        sequence: 2,
        timestamp: vault.clock.ms,
        transaction_id: good.transaction_id,
        amount_msat: 2_000,
        fee_msat: 3,
        payment_hash: good.payment_hash,
        rail: 'simulated',
      },
      {
        event: 'payment_failed',
        sequence: 3,
        transaction_id: bad.transaction_id,
        amount_msat: 1_000,
        destination: 'bob@pay.example',
        reason: expect.any(String),
      },
    ]);
    expect(JSON.stringify(told())).not.toContain('preimage');
  });

  test('to another agent, and ecash without the ecash', async () => {
    const payee = await fundedAgent(vault, { amount: 0 });
    await pay(vault, agent, { destination_type: 'internal', destination: payee.id });
    const { body } = await pay(vault, agent, { destination_type: 'cashu_token', destination: 'x' });
    expect(names()).toEqual(['payment_settled', 'payment_settled']);
    expect(body.token ?? body.cashu_token).toMatch(/^cashu/);
    expect(JSON.stringify(told())).not.toMatch(/cashu[AB]/);
  });

  test('but not those that policy denies', async () => {
    const strict = await fundedAgent(vault, { policy: { max_transaction_msat: 1 }, amount: 0 });
    expect((await pay(vault, strict)).body.policy_decision).toBe('DENY');
    expect(told()).toEqual([]);
  });
});

describe('approvals', () => {
  const over = { amount_msat: 9_000 };

  test('of a payment: asked, granted, settled', async () => {
    const { body } = await pay(vault, agent, over);
    await resolve(body.approval_id, 'approve', { reason: 'fine' });
    const { approval_id, transaction_id } = body;
    expect(told()).toMatchObject([
      {
        event: 'approval_required',
        approval_id,
        transaction_id,
        type: 'payment',
        amount_msat: 9_000,
        max_fee_msat: expect.any(Number),
        destination: 'ann@pay.example',
        rule: 'max_transaction_msat',
        expires_at: vault.clock.ms + 10_000,
      },
      { event: 'approval_granted', approval_id, transaction_id, reason: 'fine' },
      { event: 'payment_settled', approval_id, transaction_id, amount_msat: 9_000 },
    ]);
  });

  test('to another agent run inside the approval, or fail with it', async () => {
    const payee = await fundedAgent(vault, { amount: 0 });
    const inside = { ...over, destination_type: 'internal', destination: payee.id };
    const first = await pay(vault, agent, inside);
    const second = await pay(vault, agent, inside);
    await resolve(first.body.approval_id, 'approve');
    await asOperator(vault, 'DELETE', `/agents/${payee.id}`);
    await resolve(second.body.approval_id, 'approve');
    expect(names().slice(2)).toEqual([
      'approval_granted',
      'payment_settled',
      'approval_granted',
      'payment_failed',
    ]);
  });

  test('denied or out of time say so once; the payment has no second event', async () => {
    const denied = await pay(vault, agent, over);
    await pay(vault, agent, over);
    await resolve(denied.body.approval_id, 'deny', { reason: 'no' });
    await pass(vault, 10_000);
    expect(names()).toEqual([
      'approval_required',
      'approval_required',
      'approval_denied',
      'approval_timeout',
    ]);
  });

  test('of a withdrawal are asked under its own name', async () => {
    const request = { amount_msat: 1_000, destination: 'me@pay.example' };
    const { body } = await agentPost(vault, agent, '/agents/me/withdrawals', request);
    await resolve(body.withdrawal_id, 'approve');
    expect(told()).toMatchObject([
      { event: 'withdrawal_requested', type: 'withdrawal', amount_msat: 1_000 },
      { event: 'approval_granted', type: 'withdrawal' },
      { event: 'payment_settled', type: 'withdrawal', approval_id: body.withdrawal_id },
    ]);
  });

  test('of inference are asked once, however often the agent is', async () => {
    const ask = () =>
      asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats: 6_000 }));
    const { body } = await ask();
    await ask();
    await resolve(body.error.approval_id, 'approve');
    expect(told()).toMatchObject([
      { event: 'approval_required', type: 'inference', transaction_id: null, model: 'gpt-4o-mini' },
      { event: 'approval_granted', amount_msat: 6_000 },
    ]);
  });

  test('that are approved, denied and timed out at once have one end', async () => {
    const ends = ['approval_granted', 'approval_denied', 'approval_timeout'];
    for (let round = 0; round < 20; round++) {
      const { body } = await pay(vault, agent, over);
      vault.clock.advance(9_999);
      const approve = () => resolve(body.approval_id, 'approve');
      const deny = () => resolve(body.approval_id, 'deny');
      // Its time is up somewhere between the first and the last of these.
      const race = [approve(), deny()];
      vault.clock.advance(round % 3);
      race.push(deny(), approve());
      await Promise.all([...race, vault.keeper.tick()]);
      const mine = told().filter(({ approval_id }) => approval_id === body.approval_id);
      const ended = mine.filter(({ event }) => ends.includes(event));
      expect(ended).toHaveLength(1);
      const settled = mine.filter(({ event }) => event === 'payment_settled');
      expect(settled).toHaveLength(ended[0].event === 'approval_granted' ? 1 : 0);
      await vault.keeper.tick();
    }
    const mine = told().filter(({ agent_id }) => agent_id === agent.id);
    expect(mine.map(({ sequence }) => sequence)).toEqual(mine.map((_, n) => n + 2));
  });
});

test('deposits of each kind', async () => {
  const url = `/agents/${agent.id}/deposit`;
  const { body: credit } = await asOperator(vault, 'POST', url, { amount_msat: 700 });
  const { body: asked } = await agentPost(vault, agent, '/agents/me/deposits', {
    amount_msat: 5_000,
  });
  const paid = `/operator/simulated/deposits/${asked.deposit_id}/pay`;
  await asOperator(vault, 'POST', paid, { amount_msat: 5_500 });
  await asOperator(vault, 'POST', paid);
  expect(told()).toMatchObject([
    {
      event: 'deposit_settled',
      deposit_id: null,
      type: 'credit',
      transaction_id: credit.transaction_id,
      amount_msat: 700,
      balance_msat: 1_000_700,
    },
    {
      event: 'deposit_settled',
      deposit_id: asked.deposit_id,
      type: 'invoice',
      amount_msat: 5_500,
      balance_msat: 1_006_200,
    },
  ]);
});

test('payouts: asked for, settled, failed; they belong to no agent and are numbered apart', async () => {
  const rich = await fundedAgent(vault);
  const seller = '/operator/providers/alpha';
  const terms = { payout_destination: 'alpha@pay.example', payout_threshold_msat: 1_000 };
  await asOperator(vault, 'PUT', seller, terms);
  const earn = async () =>
    settle(vault, await held(vault, rich, 20_000), 20_000, { provider: 'alpha' });
  await earn();
  await vault.payoutRunner.tick();
  const { payouts } = (await asOperator(vault, 'GET', '/operator/payouts')).body;
  await asOperator(vault, 'POST', `/operator/approvals/${payouts[0].payout_id}/approve`);
  await vault.payoutRunner.tick();
  wallet.misbehave({ match: '', fault: 'fail' });
  await earn();
  await vault.payoutRunner.tick();
  await vault.payoutRunner.tick();
  expect(told().filter(({ agent_id }) => agent_id === null)).toMatchObject([
    { event: 'payout_approval_required', sequence: 1, provider: 'alpha' },
    { event: 'payout_settled', payout_id: payouts[0].payout_id, sequence: 2 },
    { event: 'payout_failed', sequence: 3, reason: expect.any(String) },
  ]);
});

test('a rail that is frozen says so once, and when it is thawed', async () => {
  // Both were on their way before the first froze it.
  wallet.misbehave({ match: '', fault: 'overcharge', delay_ms: 20 });
  await Promise.all([pay(vault, agent), pay(vault, agent)]);
  await asOperator(vault, 'POST', '/operator/rails/simulated/thaw');
  await asOperator(vault, 'POST', '/operator/rails/simulated/thaw');
  expect(told()).toMatchObject([
    { event: 'payment_settled' },
    { event: 'rail_degraded', agent_id: null, rail: 'simulated', problem: 'frozen' },
    { event: 'payment_settled' },
    { event: 'rail_recovered', rail: 'simulated', problem: 'frozen', reason: null },
  ]);
});

test('a balance below its floor is told once per cool-down, whatever it was spent on', async () => {
  const policy = { alert_floor_msat: 900_000, alert_cooldown_ms: 60_000 };
  const spenders = [
    async (of: TestAgent) => settle(vault, await held(vault, of, 200_000), 200_000),
    (of: TestAgent) => pay(vault, of, { amount_msat: 200_000 }),
    (of: TestAgent) =>
      pay(vault, of, {
        amount_msat: 200_000,
        destination_type: 'internal',
        destination: agent.id,
      }),
    (of: TestAgent) =>
      asOperator(vault, 'POST', `/agents/${of.id}/debit`, { amount_msat: 200_000, reason: 'x' }),
  ];
  for (const spend of spenders) {
    const poor = await fundedAgent(vault, { policy });
    await spend(poor);
    await spend(poor);
    const alerts = told().filter(({ agent_id, event }) => {
      return agent_id === poor.id && event === 'balance_alert';
    });
    expect(alerts).toMatchObject([{ balance_msat: 800_000, alert_floor_msat: 900_000 }]);
  }
});

test('an event is a part of its change: what is undone is not told (T11)', async () => {
  vault.writer.exec(
    "CREATE TEMP TRIGGER broken BEFORE INSERT ON approvals BEGIN SELECT RAISE(ABORT, 'no'); END",
  );
  expect((await pay(vault, agent, { amount_msat: 9_000 })).status).toBe(500);
  expect(told()).toEqual([]);
  vault.writer.exec('DROP TRIGGER broken');
  await pay(vault, agent, { amount_msat: 9_000 });
  expect(told()).toMatchObject([{ event: 'approval_required', sequence: 2 }]);
});

test('each agent’s events are numbered without a gap, whatever runs at once', async () => {
  const agents = await Promise.all(Array.from({ length: 3 }, () => fundedAgent(vault)));
  wallet.misbehave({ match: 'bob@', fault: 'fail' });
  await Promise.all(
    Array.from({ length: 60 }, (_, n) =>
      pay(vault, agents[n % 3]!, n % 4 === 0 ? { destination: 'bob@pay.example' } : {}),
    ),
  );
  for (const { id } of agents) {
    const mine = told().filter(({ agent_id }) => agent_id === id);
    expect(mine.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 21 }, (_, n) => n + 1),
    );
  }
  expect(new Set(told().map(({ event_id }) => event_id)).size).toBe(63);
});
