/** From the outbox to the operator's receiver: at least once, whatever either side does. */
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../../../test/support/process.ts';
import { createSeal } from '../../src/audit/seal.ts';
import { openWriter } from '../../src/db/open.ts';
import { beginRecovery } from '../../src/ledger/open-ledger.ts';
import { DEAD_KEPT_MS, DELIVERED_KEPT_MS, TRIED_FOR_MS } from '../../src/notify/outbox.ts';
import { createPost } from '../../src/notify/post.ts';
import {
  answering,
  closeReceivers,
  ok,
  startReceiver,
  WEBHOOK_SECRET,
  type WebhookReceiver,
} from '../support/receiver.ts';
import {
  asOperator,
  closeVaults,
  fundedAgent,
  openVault,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let receiver: WebhookReceiver;
let vault: TestVault;
let agent: TestAgent;

beforeAll(async () => {
  receiver = await startReceiver();
  vault = await openVault({ webhook: { url: receiver.url, secret: WEBHOOK_SECRET } });
});
beforeEach(async () => {
  receiver.behave(ok);
  agent = await fundedAgent(vault, { amount: 0 });
  vault.writer.exec('DELETE FROM outbox');
  receiver.received.length = 0;
});
afterAll(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
  await closeReceivers();
});

/** An event, as cheaply as can be. */
const deposit = (amount_msat = 1, of = agent) =>
  asOperator(vault, 'POST', `/agents/${of.id}/deposit`, { amount_msat });
const deliver = () => vault.courier!.tick();
const list = async (query = '') =>
  (await asOperator(vault, 'GET', `/operator/webhooks${query}`)).body.webhooks;
const replay = (id: string, headers: Record<string, string> = {}) =>
  asOperator(vault, 'POST', `/operator/webhooks/${id}/replay`, undefined, headers);
const states = async () => (await list('?state=all')).map(({ state }: { state: string }) => state);

test('an event arrives once, signed over its very bytes', async () => {
  await deposit();
  await deliver();
  await deliver();
  expect(receiver.received).toHaveLength(1);
  const { headers, body, event } = receiver.received[0]!;
  const t = Math.floor(vault.clock.ms / 1_000);
  const v1 = createHmac('sha256', WEBHOOK_SECRET).update(`${t}.${body}`).digest('hex');
  expect(headers['x-arbstrvault-signature']).toBe(`t=${t},v1=${v1}`);
  expect(headers['content-type']).toBe('application/json');
  expect(event).toMatchObject({ event: 'deposit_settled', agent_id: agent.id, sequence: 1 });
  expect(await list('?state=delivered')).toMatchObject([
    { event_id: event.event_id, state: 'delivered', tries: 1, payload: event, next_try_at: null },
  ]);
});

test('a signature has the time of the wall clock, also where that was set back', async () => {
  const ledgerMs = vault.clock.ms;
  vault.clock.set(ledgerMs - 3_600_000);
  await deposit();
  await deliver();
  const [received] = receiver.received;
  expect(received!.event.timestamp).toBe(ledgerMs);
  const t = Math.floor(ledgerMs / 1_000) - 3_600;
  expect(received!.headers['x-arbstrvault-signature']).toContain(`t=${t},`);
  vault.clock.set(ledgerMs);
});

describe('what is not delivered is tried again, with the same bytes and a new time', () => {
  const misbehaviours: readonly (readonly [string, () => void, string])[] = [
    ['500', () => receiver.behave(answering(500)), 'answered 500'],
    ['404', () => receiver.behave(answering(404)), 'answered 404'],
    ['410', () => receiver.behave(answering(410)), 'answered 410'],
    [
      'a redirect, which is not followed',
      () => receiver.behave((response) => response.writeHead(307, { location: '/' }).end()),
      '307: redirects are not followed',
    ],
    [
      'a broken connection',
      () => receiver.behave((response) => response.destroy()),
      'UND_ERR_SOCKET',
    ],
    [
      'an error with a body that does not end',
      () => receiver.behave((response) => response.writeHead(500).write('x'.repeat(100_000))),
      'answered 500',
    ],
  ];

  test.each(misbehaviours)('%s', async (_what, misbehave, failure) => {
    misbehave();
    await deposit();
    await deliver();
    const [row] = await list();
    expect(row).toMatchObject({ state: 'pending', tries: 1, failure });
    const waitMs = row.next_try_at - vault.clock.ms;
    expect(waitMs).toBeGreaterThanOrEqual(1_000);
    expect(waitMs).toBeLessThanOrEqual(1_250);
    await deliver();
    expect(receiver.received).toHaveLength(1);
    receiver.behave(ok);
    vault.clock.advance(waitMs);
    await deliver();
    const [first, second] = receiver.received;
    expect(second!.body).toBe(first!.body);
    expect(second!.headers['x-arbstrvault-signature']).not.toBe(
      first!.headers['x-arbstrvault-signature'],
    );
    expect(await states()).toEqual(['delivered']);
  });

  test('nobody there', async () => {
    await receiver.down();
    await deposit();
    await deliver();
    expect(await list()).toMatchObject([{ tries: 1, failure: 'ECONNREFUSED' }]);
    await receiver.up();
    vault.clock.advance(1_250);
    await deliver();
    expect(receiver.names()).toEqual(['deposit_settled']);
  });
});

describe('one POST ends', () => {
  const send = async (totalMs: number) => {
    const post = createPost(receiver.url, { connectMs: 1_000, totalMs });
    const result = await post.send('{}', 't=1,v1=0', new AbortController().signal);
    await post.close();
    return result;
  };
  test('where there is no answer', async () => {
    receiver.behave(() => {});
    expect(await send(50)).toEqual({ delivered: false, reason: 'no answer within 50 ms' });
  });
  test('where the answer does not end, with what its head said', async () => {
    receiver.behave((response) => response.writeHead(200).write('x'));
    expect(await send(500)).toEqual({ delivered: true });
  });
});

test('2xx is delivered, whatever else the answer holds', async () => {
  receiver.behave((response) => response.writeHead(202).write('x'.repeat(1_000_000)));
  await deposit();
  await deliver();
  expect(await states()).toEqual(['delivered']);
});

test('events that fail hold up no other', async () => {
  const poisoned = await fundedAgent(vault, { amount: 0 });
  for (let n = 0; n < 6; n++) await deposit(1, poisoned);
  receiver.behave(answering(500));
  await deliver();
  // At their second try they get no answer, until something else has come.
  const silent: ServerResponse[] = [];
  receiver.behave((response, received) => {
    if (received.event.agent_id === poisoned.id) silent.push(response);
    else ok(response, received);
  });
  vault.clock.advance(1_250);
  const stuck = deliver();
  await deposit();
  const round = deliver();
  await until(
    () => receiver.received.some(({ event }) => event.agent_id === agent.id),
    20_000,
    () => `came: ${receiver.received.length}`,
  );
  expect(await states()).toEqual(['delivered', ...Array(6).fill('pending')]);
  receiver.behave(ok);
  for (const response of silent) response.writeHead(200).end();
  await Promise.all([stuck, round]);
  expect(await states()).toEqual(Array(7).fill('delivered'));
});

test('an event that is on its way is not sent a second time', async () => {
  const open: ServerResponse[] = [];
  receiver.behave((response) => open.push(response));
  await deposit();
  const first = deliver();
  await until(() => open.length === 1, 20_000);
  await deposit();
  const second = deliver();
  await until(() => open.length > 1, 20_000);
  for (const response of open) response.writeHead(200).end();
  await Promise.all([first, second]);
  expect(receiver.received.map(({ event }) => event.sequence)).toEqual([1, 2]);
});

describe('a crash', () => {
  test('after the commit: the next process delivers (T11)', async () => {
    await deposit();
    vault = await vault.restart();
    await deliver();
    expect(receiver.names()).toEqual(['deposit_settled']);
  });

  test('after delivery, before it was written: delivered again, under the same id', async () => {
    await deposit();
    vault.writer.exec(
      "CREATE TEMP TRIGGER broken BEFORE UPDATE ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    await deliver();
    await deliver();
    expect(receiver.received).toHaveLength(1);
    vault = await vault.restart();
    await deliver();
    const [first, second] = receiver.received;
    expect(second!.body).toBe(first!.body);
    expect(await states()).toEqual(['delivered']);
  });
});

test('a restored ledger sends what its backup held, and counts on in an epoch of its own', async () => {
  await deposit(1);
  await vault.close();
  const db = openWriter(vault.path);
  beginRecovery(db, createSeal(null), `epoch_${'7'.repeat(26)}`, vault.clock.ms);
  db.close();
  vault = await openVault({
    path: vault.path,
    clock: vault.clock,
    webhook: { url: receiver.url, secret: WEBHOOK_SECRET },
  });
  await deposit(2);
  await deliver();
  const events = receiver.received.map(({ event }) => event);
  expect(events.map(({ sequence }) => sequence)).toEqual([1, 2]);
  expect(events[0].ledger_epoch).not.toBe(events[1].ledger_epoch);
  expect(events[1].ledger_epoch).toBe(`epoch_${'7'.repeat(26)}`);
  await asOperator(vault, 'POST', '/operator/recovery/finish');
});

describe('after 72 h', () => {
  async function dead(): Promise<string> {
    receiver.behave(answering(500));
    await deposit();
    await deliver();
    vault.clock.advance(TRIED_FOR_MS);
    await deliver();
    const [row] = await list('?state=dead');
    expect(row).toMatchObject({ tries: 2, failure: 'answered 500', next_try_at: null });
    return row.event_id;
  }

  test('it is a dead letter that everybody sees, and that is told', async () => {
    const id = await dead();
    const { body } = await asOperator(vault, 'GET', '/health');
    expect(body.webhooks).toEqual({ pending: 0, oldest_pending_ms: null, dead_letters: 1 });
    await vault.watch.tick();
    await vault.watch.tick();
    const dashboard = (await asOperator(vault, 'GET', '/operator/dashboard')).body;
    expect(dashboard.webhooks).toMatchObject({ pending: 1, dead_letters: 1 });
    expect(dashboard.alerts).toMatchObject([{ alert: 'webhook_undelivered' }]);
    receiver.behave(ok);
    await deliver();
    expect(receiver.names().slice(2)).toEqual(['webhook_undelivered']);
    await replay(id);
    await deliver();
    await vault.watch.tick();
    expect((await asOperator(vault, 'GET', '/operator/dashboard')).body.alerts).toEqual([]);
    expect(receiver.names().slice(2)).toEqual(['webhook_undelivered', 'deposit_settled']);
  });

  test('a replay sends the same bytes, once per key, and for 72 h more', async () => {
    const id = await dead();
    const key = { 'idempotency-key': 'once' };
    expect((await replay(id, key)).body).toEqual({ event_id: id, state: 'pending' });
    await deliver();
    expect(await list()).toMatchObject([{ event_id: id, state: 'pending', tries: 1 }]);
    receiver.behave(ok);
    vault.clock.advance(1_250);
    await deliver();
    expect((await replay(id, key)).body).toEqual({ event_id: id, state: 'pending' });
    await deliver();
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    expect(receiver.received).toHaveLength(4);
    expect((await replay(id)).status).toBe(200);
    await deliver();
    expect(receiver.received).toHaveLength(5);
    expect(vault.verify().findings).toEqual([]);
  });

  test('a replay of what is not there is 404', async () => {
    const missing = `evt_${'0'.repeat(26)}`;
    expect((await replay(missing)).status).toBe(404);
    expect((await replay('nonsense')).body.error.code).toBe('not_found');
  });
});

test('lists page through every state and agent', async () => {
  const other = await fundedAgent(vault, { amount: 0 });
  for (let n = 0; n < 5; n++) await deposit(n + 1, n % 2 === 0 ? agent : other);
  await deliver();
  await deposit(6);
  const pages: number[] = [];
  let query = '?state=all&limit=4';
  for (;;) {
    const { body } = await asOperator(vault, 'GET', `/operator/webhooks${query}`);
    pages.push(
      ...body.webhooks.map((row: { payload: { amount_msat: number } }) => row.payload.amount_msat),
    );
    if (!body.has_more) break;
    query = `?state=all&limit=4&cursor=${body.next_cursor}`;
  }
  expect(pages).toEqual([6, 5, 4, 3, 2, 1]);
  expect(await list()).toHaveLength(1);
  expect(await list(`?state=delivered&agent_id=${other.id}`)).toHaveLength(2);
  expect((await asOperator(vault, 'GET', '/operator/webhooks?state=lost')).status).toBe(400);
  expect((await asOperator(vault, 'GET', '/operator/webhooks?cursor=x')).status).toBe(400);
});

test('what was delivered leaves after 7 days; numbers go on where they were', async () => {
  await deposit();
  await deliver();
  vault.clock.advance(DELIVERED_KEPT_MS + 60_000);
  await deliver();
  await vault.keeper.tick();
  expect(await states()).toEqual([]);
  await deposit();
  expect(await list()).toMatchObject([{ sequence: 2 }]);
});

test('dead letters leave after 30 days, and of too many the oldest go first', async () => {
  for (let n = 0; n < 4; n++) await deposit(n + 1);
  const sweep = (pending: number, dead: number) =>
    vault.engine.execute({ kind: 'sweep_outbox', excess: { pending, delivered: 0, dead } });
  const left = async () =>
    (await list()).map((row: { state: string; payload: { amount_msat: number } }) => {
      return `${row.state} ${row.payload.amount_msat}`;
    });
  await sweep(2, 0);
  expect(await left()).toEqual(['pending 4', 'pending 3', 'dead 2', 'dead 1']);
  await sweep(0, 1);
  expect(await left()).toEqual(['pending 4', 'pending 3', 'dead 2']);
  vault.clock.advance(DEAD_KEPT_MS + 1);
  await sweep(0, 0);
  expect(await left()).toEqual(['pending 4', 'pending 3']);
});

test('metrics count them', async () => {
  receiver.behave(answering(500));
  await deposit();
  await deliver();
  vault.clock.advance(500);
  const { payload } = await vault.app.inject({
    url: '/metrics',
    headers: { authorization: 'Bearer admin-token-of-the-tests-0123456789' },
  });
  for (const line of [
    'arbstr_vault_webhooks{state="pending"} 1',
    'arbstr_vault_webhooks{state="dead"} 0',
    'arbstr_vault_webhook_oldest_pending_seconds 0.5',
    'arbstr_vault_alerts{alert="rail_degraded"} 0',
  ]) {
    expect(payload).toContain(line);
  }
  expect(payload).toMatch(/^arbstr_vault_webhook_tries_total\{result="failed"\} [1-9]/m);
});
