/** What nobody's request brings to light is looked for, and told once. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openReader } from '../../src/db/open.ts';
import { createOutboxQueries } from '../../src/notify/outbox-queries.ts';
import { createStuckQueries } from '../../src/notify/stuck-queries.ts';
import { Watch } from '../../src/notify/watch.ts';
import { pay, walletScript } from '../support/pay.ts';
import {
  asOperator,
  closeVaults,
  fundedAgent,
  openVault,
  pass,
  type TestVault,
} from '../support/vault.ts';

const HOUR_MS = 3_600_000;
let vault: TestVault;
let wallet: ReturnType<typeof walletScript>;

beforeEach(async () => {
  wallet = walletScript();
  vault = await openVault({
    webhook: { url: 'http://127.0.0.1:9/', secret: 'webhook-secret-of-the-tests' },
    walletScript: wallet.path,
  });
});
afterEach(closeVaults);

// biome-ignore lint/suspicious/noExplicitAny: tests look into events freely
const told = (): any[] =>
  vault.writer
    .prepare<[], { body: string }>('SELECT body FROM outbox ORDER BY id')
    .all()
    .map(({ body }) => JSON.parse(body))
    .filter(({ event }) => event !== 'deposit_settled');
const look = async (times = 1) => {
  for (let n = 0; n < times; n++) await vault.watch.tick();
};
const railOf = async () => (await asOperator(vault, 'GET', '/health')).body.rails.simulated;

test('a wallet that does not answer: once when it begins, restarts or not, and once when it is over', async () => {
  const broken = () => Promise.reject(new Error('connection refused'));
  vault.wallet.identity = broken;
  await look(2);
  expect([told(), await railOf()]).toEqual([[], { status: 'ok' }]);
  await look(3);
  expect(await railOf()).toEqual({ status: 'degraded', reason: 'unreachable: connection refused' });
  const begun = {
    event: 'rail_degraded',
    agent_id: null,
    rail: 'simulated',
    problem: 'unreachable',
    reason: 'connection refused',
  };
  expect(told()).toMatchObject([begun]);
  vault = await vault.restart();
  vault.wallet.identity = broken;
  await look(4);
  expect(told()).toMatchObject([begun]);
  Reflect.deleteProperty(vault.wallet, 'identity');
  await look(2);
  expect(told()).toMatchObject([begun, { event: 'rail_recovered', reason: null, sequence: 2 }]);
});

test('a wallet that hangs counts as one that does not answer', async () => {
  const reader = openReader(vault.path);
  const watch = new Watch({
    engine: vault.engine,
    wallet: Object.assign(Object.create(vault.wallet), { identity: () => new Promise(() => {}) }),
    outbox: createOutboxQueries(reader),
    stuck: createStuckQueries(reader),
    time: vault.clock,
    log: pino({ level: 'silent' }),
    probeMsMax: 5,
  });
  for (let n = 0; n < 3; n++) await watch.tick();
  expect(watch.unreachable).toBe('no answer within 5 ms');
  await watch.stop();
  reader.close();
});

test('what has been on its way for too long: once each, and over when it ends', async () => {
  const agent = await fundedAgent(vault, {
    policy: { max_transaction_msat: 5_000, approval_timeout_ms: 48 * HOUR_MS },
  });
  wallet.misbehave({ match: '', fault: 'pending' });
  const { body: paid } = await pay(vault, agent);
  const { body: asked } = await pay(vault, agent, { amount_msat: 9_000 });
  const made = vault.clock.ms;
  vault.clock.advance(HOUR_MS - 1);
  await look();
  expect(told().map(({ event }) => event)).toEqual(['approval_required']);
  vault.clock.advance(1);
  await look(2);
  vault.clock.advance(23 * HOUR_MS);
  await look(2);
  expect(told().slice(1)).toMatchObject([
    {
      event: 'item_stuck',
      agent_id: agent.id,
      kind: 'payment',
      transaction_id: paid.transaction_id,
      amount_msat: 1_000,
      since: made,
      reason: 'not at its end after 1 h',
    },
    { event: 'item_stuck', kind: 'approval', approval_id: asked.approval_id },
  ]);
  const alerts = async () =>
    (await asOperator(vault, 'GET', '/operator/dashboard')).body.alerts.map(
      ({ subject }: { subject: string }) => subject,
    );
  expect(await alerts()).toEqual([paid.transaction_id, asked.approval_id]);
  wallet.misbehave();
  await vault.runner.tick();
  await look();
  expect(await alerts()).toEqual([asked.approval_id]);
});

test('the oldest come first, whichever would end first', async () => {
  const asked: string[] = [];
  for (const hours of [48, 30]) {
    const agent = await fundedAgent(vault, {
      policy: { max_transaction_msat: 5_000, approval_timeout_ms: hours * HOUR_MS },
    });
    asked.push((await pay(vault, agent, { amount_msat: 9_000 })).body.approval_id);
    vault.clock.advance(1_000);
  }
  vault.clock.advance(25 * HOUR_MS);
  const reader = openReader(vault.path);
  const items = createStuckQueries(reader).items(vault.clock.ms);
  reader.close();
  expect(items.map(({ id }) => id)).toEqual(asked);
});

test('a payment that only a human can clear up is told at once, with the reason', async () => {
  const agent = await fundedAgent(vault);
  wallet.misbehave({ match: '', fault: 'pending' });
  const { body } = await pay(vault, agent);
  await vault.runner.tick();
  vault.wallet.identity = async () => 'another one';
  vault.clock.advance(10_000);
  await vault.runner.tick();
  await look(2);
  expect(told()).toMatchObject([
    {
      event: 'item_stuck',
      transaction_id: body.transaction_id,
      reason: 'it was sent by another wallet (another one is here)',
    },
  ]);
});

test('and so it is of one that is late as well when it is first looked for', async () => {
  const agent = await fundedAgent(vault);
  wallet.misbehave({ match: '', fault: 'pending' });
  await pay(vault, agent);
  await vault.runner.tick();
  vault.wallet.identity = async () => 'another one';
  vault.clock.advance(2 * HOUR_MS);
  await vault.runner.tick();
  await look();
  expect(told()).toMatchObject([
    { event: 'item_stuck', reason: 'it was sent by another wallet (another one is here)' },
  ]);
});

test('alerts are kept without a webhook, too; nothing is written to the outbox', async () => {
  const quiet = await openVault({ walletScript: wallet.path });
  quiet.wallet.identity = () => Promise.reject(new Error('gone'));
  for (let n = 0; n < 3; n++) await quiet.watch.tick();
  await pass(quiet, 1);
  const { body } = await asOperator(quiet, 'GET', '/operator/dashboard');
  expect(body.alerts).toMatchObject([{ alert: 'rail_degraded', subject: 'simulated' }]);
  expect(body.webhooks).toEqual({ pending: 0, dead_letters: 0, oldest_pending_at: null });
  expect((await asOperator(quiet, 'GET', '/health')).body.webhooks).toBe(null);
});
