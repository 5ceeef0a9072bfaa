/** Money in: credited with what came, once, whatever crashes or is told twice. */
import { hash } from 'node:crypto';
import { msat } from '@arbstr/shared';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeInvoice } from '../../src/bolt11/decode.ts';
import { encodeInvoice } from '../../src/bolt11/encode.ts';
import { NETWORKS } from '../../src/bolt11/invoice.ts';
import { openReader } from '../../src/db/open.ts';
import { PENDING_DEPOSITS_MAX } from '../../src/deposit/deposit.ts';
import { createDepositQueries } from '../../src/deposit/deposit-queries.ts';
import { DepositWatcher } from '../../src/deposit/watcher.ts';
import { AGENT_KEYS_MAX } from '../../src/ledger/replay-key.ts';
import { decodeToken, type EcashToken } from '../../src/wallet/ecash.ts';
import type {
  NewPaymentRequest,
  Receipt,
  Receiver,
  RedeemOutcome,
} from '../../src/wallet/receiver.ts';
import type { PayOrder } from '../../src/wallet/wallet.ts';
import {
  type Answer,
  asAgent,
  asOperator,
  balanceOf,
  books,
  call,
  closeVaults,
  fundedAgent,
  openVault,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';
import { cborToken } from './cbor-token.ts';

let vault: TestVault;
let agent: TestAgent;
beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault, { amount: 0 });
});
afterEach(async () => {
  expect(vault.verify().findings).toEqual([]);
  expect(books(vault.path).sum).toBe(0n);
  await closeVaults();
});

const deposit = (body: object, who = agent, headers: Record<string, string> = {}) =>
  call(vault, {
    method: 'POST',
    url: '/agents/me/deposits',
    headers: { authorization: `Bearer ${who.token}`, ...headers },
    payload: body,
  });
const pay = (id: string, body?: object) =>
  asOperator(vault, 'POST', `/operator/simulated/deposits/${id}/pay`, body);
const find = (id: string, who = agent) => asAgent(vault, who.token, `/agents/me/deposits/${id}`);
const available = async (who = agent) => (await balanceOf(vault, who)).available;
const refused = ({ status, body }: Answer) => [status, body.error?.code];

async function pending(amount = 5_000) {
  const { status, body } = await deposit({ amount_msat: amount });
  expect(status).toBe(200);
  return body;
}

/** What the wallet makes from now on. @param meanwhile happens before the wallet has answered */
function spyOnInvoices(meanwhile: () => Promise<unknown> = async () => {}): NewPaymentRequest[] {
  const { receiver } = vault;
  const made: NewPaymentRequest[] = [];
  const create = receiver.createInvoice.bind(receiver);
  receiver.createInvoice = async (order, signal) => {
    const request = await create(order, signal);
    made.push(request);
    await meanwhile();
    return request;
  };
  return made;
}

/** As the payments machine orders it. */
const orderOf = (invoice: string, paymentHash: string, amount = 5_000): PayOrder => ({
  reference: `pay ${paymentHash}`,
  target: {
    type: 'lightning_invoice',
    invoice,
    paymentHash,
    expiresAtMs: vault.clock.ms + 60_000,
  },
  amountMsat: msat(amount),
  maxFeeMsat: msat(0),
});
const walletPays = (order: PayOrder) => vault.wallet.pay(order, new AbortController().signal);

async function ecash(amount: number, reference = 'pay ecash'): Promise<EcashToken> {
  const paid = await walletPays({
    reference,
    target: { type: 'cashu_token' },
    amountMsat: msat(amount),
    maxFeeMsat: msat(0),
  });
  if (paid.state !== 'succeeded') throw new Error(paid.reason);
  const decoded = decodeToken(paid.token!);
  if (!decoded.ok) throw new Error(decoded.message);
  return decoded.token;
}

describe('by invoice', () => {
  test('an agent gets an invoice, and the money when it is paid', async () => {
    const made = await pending();
    expect(made).toMatchObject({
      agent_id: agent.id,
      status: 'pending',
      type: 'invoice',
      amount_msat: 5_000,
      credited_msat: null,
      settled_at: null,
    });
    const invoice = decodeInvoice(made.payment_request, {
      nowMs: vault.clock.ms,
      networks: NETWORKS,
    });
    expect(invoice).toMatchObject({
      ok: true,
      invoice: {
        network: 'regtest',
        amountMsat: 5_000,
        paymentHash: made.payment_hash,
        expiresAtMs: made.expires_at,
      },
    });
    expect(await available()).toBe(0);

    const paid = await pay(made.deposit_id);
    expect(paid.body).toMatchObject({ status: 'settled', credited_msat: 5_000 });
    expect((await find(made.deposit_id)).body).toEqual(paid.body);
    expect(await available()).toBe(5_000);
    expect(books(vault.path).accounts['rail:simulated']).toBe(-5_000);
    const { entries } = (await asAgent(vault, agent.token, '/agents/me/history')).body;
    expect(entries[0]).toMatchObject({
      action: 'DEPOSIT_SETTLED',
      ref_id: made.deposit_id,
      amount_msat: 5_000,
    });
  });

  test('T46: a second payment of the same invoice credits nothing', async () => {
    const { deposit_id } = await pending();
    const first = await pay(deposit_id);
    expect((await pay(deposit_id)).body).toEqual(first.body);
    expect(await available()).toBe(5_000);
  });

  test('T46: who pays more has more credited; who pays less has not paid', async () => {
    const { deposit_id } = await pending();
    expect(refused(await pay(deposit_id, { amount_msat: 4_999 }))).toEqual([
      400,
      'invalid_request',
    ]);
    expect((await find(deposit_id)).body.status).toBe('pending');
    expect((await pay(deposit_id, { amount_msat: 6_000 })).body.credited_msat).toBe(6_000);
    expect(await available()).toBe(6_000);
  });

  test('T7: a receipt that is told many times, at once and later, is credited once', async () => {
    const { payment_hash, deposit_id } = await pending();
    const told = () =>
      vault.engine.execute({
        kind: 'credit_receipt',
        paymentHash: payment_hash,
        received: msat(5_000),
        receiptIndex: 1,
      });
    const answers = await Promise.all([...Array.from({ length: 20 }, told), pay(deposit_id)]);
    expect(answers.filter((answer) => 'credited' in answer && answer.credited)).toHaveLength(1);
    vault = await vault.restart();
    await vault.depositWatcher.tick();
    expect(await told()).toMatchObject({ credited: false });
    expect(await available()).toBe(5_000);
  });

  test('T20: what was paid while the vault was away is credited when it comes back', async () => {
    const made = await pending();
    const later = await pending(7_000);
    await walletPays(orderOf(made.payment_request, made.payment_hash));
    vault = await vault.restart();
    expect(await available()).toBe(0);
    await vault.depositWatcher.tick();
    expect(await available()).toBe(5_000);
    // The place from which it asks on is part of the credit.
    vault = await vault.restart();
    await walletPays(orderOf(later.payment_request, later.payment_hash, 7_000));
    await vault.depositWatcher.tick();
    expect(await available()).toBe(12_000);
  });

  test('T45: what nobody paid expires and is never credited', async () => {
    const { deposit_id, expires_at } = await pending();
    vault.clock.set(expires_at - 1);
    await vault.depositWatcher.tick();
    expect((await find(deposit_id)).body.status).toBe('pending');
    vault.clock.advance(1);
    await vault.depositWatcher.tick();
    expect((await find(deposit_id)).body).toMatchObject({ status: 'expired', credited_msat: null });
    expect(await available()).toBe(0);
  });

  test('T54: an expired one that is paid all the same is credited all the same', async () => {
    const { deposit_id, expires_at } = await pending();
    vault.clock.set(expires_at);
    await vault.depositWatcher.tick();
    expect((await pay(deposit_id)).body.status).toBe('settled');
    expect(await available()).toBe(5_000);
  });

  test('money that no deposit asked for is credited to nobody and blocks nothing', async () => {
    const order = {
      amountMsat: msat(1),
      description: 'nobody',
      createdAtMs: vault.clock.ms,
      expirySecs: 60,
    };
    const stray = await vault.receiver.createInvoice(order, AbortSignal.timeout(10_000));
    await walletPays(orderOf(stray.invoice, stray.paymentHash, 1));
    const { deposit_id } = await pending();
    await pay(deposit_id);
    expect(await available()).toBe(5_000);
  });

  test('a disabled agent gets no new invoice, and what was under way for it', async () => {
    const { deposit_id } = await pending();
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    const again = await asOperator(vault, 'POST', `/agents/${agent.id}/deposits`, {
      amount_msat: 1,
    });
    expect(refused(again)).toEqual([403, 'agent_disabled']);
    expect((await pay(deposit_id)).body.status).toBe('settled');
  });

  test('the same Idempotency-Key makes one deposit', async () => {
    const key = { 'idempotency-key': 'deposit-1' };
    const first = await deposit({ amount_msat: 5_000 }, agent, key);
    const second = await deposit({ amount_msat: 5_000 }, agent, key);
    expect(second.body).toEqual(first.body);
    expect(second.headers['x-arbstr-replayed']).toBe('true');
    const { deposits } = (await asAgent(vault, agent.token, '/agents/me/deposits')).body;
    expect(deposits).toHaveLength(1);
  });

  test('one agent may wait for a bounded number', async () => {
    const answers = await Promise.all(
      Array.from({ length: PENDING_DEPOSITS_MAX }, () => deposit({ amount_msat: 1 })),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    vault.clock.advance(10_000);
    expect(refused(await deposit({ amount_msat: 1 }))).toEqual([409, 'too_many_deposits']);
  });

  test('no invoice is made where the ledger would refuse it or has answered before', async () => {
    const made = spyOnInvoices();
    const key = { 'idempotency-key': 'deposit-1' };
    const first = await deposit({ amount_msat: 5_000 }, agent, key);
    expect(made).toHaveLength(1);
    expect((await deposit({ amount_msat: 5_000 }, agent, key)).body).toEqual(first.body);
    expect(refused(await deposit({ amount_msat: 6_000 }, agent, key))).toEqual([
      409,
      'idempotency_conflict',
    ]);
    expect(made).toHaveLength(1);
    for (let n = 1; n < PENDING_DEPOSITS_MAX; n++) await pending(1);
    vault.clock.advance(10_000);
    expect(refused(await deposit({ amount_msat: 1 }))).toEqual([409, 'too_many_deposits']);
    expect(made).toHaveLength(PENDING_DEPOSITS_MAX);
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    const url = `/agents/${agent.id}/deposits`;
    const late = await asOperator(vault, 'POST', url, { amount_msat: 1 });
    expect(refused(late)).toEqual([403, 'agent_disabled']);
    expect(made).toHaveLength(PENDING_DEPOSITS_MAX);
  });

  test('no invoice is made for an agent that has used up its Idempotency-Keys', async () => {
    const made = spyOnInvoices();
    // As many as if they had been used; written behind the ledger's back, and taken out again.
    const fill = vault.writer.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
       INSERT INTO idempotency_keys SELECT 'fill ' || i, 'f', '{}', ?, ? FROM n`,
    );
    fill.run(AGENT_KEYS_MAX, vault.clock.now(), agent.id);
    const full = await deposit({ amount_msat: 5_000 }, agent, { 'idempotency-key': 'one-more' });
    vault.writer.exec("DELETE FROM idempotency_keys WHERE key LIKE 'fill %'");
    expect(refused(full)).toEqual([429, 'rate_limited']);
    expect(made).toHaveLength(0);
  });

  test('an invoice that the ledger refuses after all is shown to nobody, so that nobody can pay it', async () => {
    const made = spyOnInvoices(() => asOperator(vault, 'DELETE', `/agents/${agent.id}`));
    const answer = await deposit({ amount_msat: 5_000 });
    expect(refused(answer)).toEqual([403, 'agent_disabled']);
    expect(made).toHaveLength(1);
    const said = JSON.stringify([answer.body, answer.headers]);
    for (const secret of [made[0]!.invoice, made[0]!.paymentHash])
      expect(said).not.toContain(secret);
  });

  test('a wallet that gives no invoice is said so, and nothing waits', async () => {
    vault.receiver.createInvoice = async () => {
      throw new Error('node down');
    };
    expect(refused(await deposit({ amount_msat: 5_000 }))).toEqual([503, 'wallet_unavailable']);
    const { deposits } = (await asAgent(vault, agent.token, '/agents/me/deposits')).body;
    expect(deposits).toEqual([]);
  });

  test('lists are newest first and paged; another agent sees none of it', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) ids.unshift((await pending()).deposit_id);
    const list = async (query: string) =>
      (await asAgent(vault, agent.token, `/agents/me/deposits${query}`)).body;
    const first = await list('?limit=2');
    const second = await list(`?limit=2&cursor=${first.next_cursor}`);
    const listed = [...first.deposits, ...second.deposits].map((item) => item.deposit_id);
    expect(listed).toEqual(ids);
    expect([first.has_more, second.has_more]).toEqual([true, false]);

    const other = await fundedAgent(vault);
    expect(refused(await find(ids[0]!, other))).toEqual([404, 'not_found']);
    const url = `/agents/${agent.id}/deposits`;
    expect(refused(await asAgent(vault, other.token, url))).toEqual([404, 'not_found']);
  });

  test('no agent can say that its own deposit is paid', async () => {
    const { deposit_id } = await pending();
    const url = `/operator/simulated/deposits/${deposit_id}/pay`;
    const headers = { authorization: `Bearer ${agent.token}` };
    expect(refused(await call(vault, { method: 'POST', url, headers }))).toEqual([
      401,
      'unauthorized',
    ]);
    expect(await available()).toBe(0);
  });

  test.each([
    {},
    { amount_msat: 0 },
    { amount_msat: -1 },
    { amount_msat: 1.5 },
    { amount_msat: '5' },
    { amount_msat: 100_000_000_001 },
    { amount_msat: 1, rail: 'bank' },
    { amount_msat: 1, expires_in_secs: 59 },
    { amount_msat: 1, expires_in_secs: 86_401 },
    { amount_msat: 1, cashu_token: 'cashuAe30' },
    { cashu_token: 'cashuAe30' },
    { cashu_token: '' },
    { amount_msat: 1, extra: true },
  ])('T10: %j is refused', async (body) => {
    expect(refused(await deposit(body))).toEqual([400, 'invalid_request']);
  });
});

describe('by an invoice that the vault itself pays', () => {
  test('T41: it settles, once, whoever pays at the same moment', async () => {
    const { payment_request, payment_hash, deposit_id } = await pending();
    const order = orderOf(payment_request, payment_hash);
    const [paid, again] = await Promise.all([
      walletPays(order),
      walletPays(order),
      pay(deposit_id),
    ]);
    expect(again).toEqual(paid);
    if (paid.state !== 'succeeded') throw new Error(paid.reason);
    expect(hash('sha256', Buffer.from(paid.preimage!, 'hex'))).toBe(payment_hash);
    await vault.depositWatcher.tick();
    expect(await available()).toBe(5_000);
  });

  test('T8: one that was paid from outside is not paid again from inside', async () => {
    const { payment_request, payment_hash, deposit_id } = await pending();
    await pay(deposit_id);
    const paid = await walletPays(orderOf(payment_request, payment_hash));
    expect(paid).toMatchObject({ state: 'failed', reason: 'the invoice has been paid before' });
    expect(await available()).toBe(5_000);
  });

  test('T9: another invoice with the same hash is not ours', async () => {
    const { payment_hash } = await pending();
    const wrapped = encodeInvoice(
      {
        network: 'regtest',
        amountMsat: msat(5_000),
        createdAtMs: vault.clock.ms,
        expirySecs: 60,
        paymentHash: payment_hash,
        paymentSecret: '00'.repeat(32),
        description: 'wrapped',
        minFinalCltvDelta: 18,
      },
      new Uint8Array(32).fill(3),
    );
    expect(await walletPays(orderOf(wrapped, payment_hash))).toMatchObject({ state: 'failed' });
    await vault.depositWatcher.tick();
    expect(await available()).toBe(0);
  });
});

/** The intent alone, as a crash leaves it. */
async function openEcash(token: EcashToken) {
  const { text, amountMsat, key } = token;
  const opened = await vault.engine.execute({
    kind: 'open_deposit',
    correlationId: 'corr',
    replayKey: undefined,
    depositId: vault.newId('deposit'),
    agentId: agent.id,
    rail: 'simulated',
    amount: amountMsat,
    source: { type: 'cashu_token', token: text, tokenHash: hash('sha256', text), tokenKey: key },
  });
  if (!('depositId' in opened)) throw new Error(opened.message);
  return opened;
}

describe('a mint or wallet that hangs, fails or tells of nothing holds up nobody else', () => {
  /** Says of each deposit what it is told, ignores every signal, and has these receipts. */
  class ToldReceiver implements Receiver {
    readonly rail = 'simulated';
    readonly mintUrl = 'https://mint.simulated.invalid';
    readonly tells = new Map<string, () => Promise<RedeemOutcome>>();
    receipts: Receipt[] = [];
    async createInvoice(): Promise<never> {
      throw new Error('not asked here');
    }
    async receiptsAfter(index: number) {
      return this.receipts.filter((receipt) => receipt.index > index);
    }
    redeem(reference: string) {
      return this.tells.get(reference)!();
    }
  }

  function watch(receiver: Receiver): DepositWatcher {
    return new DepositWatcher({
      engine: vault.engine,
      receiver,
      deposits: createDepositQueries(drizzle(openReader(vault.path))),
      time: vault.clock,
      log: pino({ level: 'silent' }),
      timing: { answerMs: 50, callMs: 50 },
    });
  }

  test('of ecash: each is its own task, and is asked about again', async () => {
    const receiver = new ToldReceiver();
    const ids: string[] = [];
    const answers: (() => Promise<RedeemOutcome>)[] = [
      () => new Promise(() => {}),
      () => Promise.reject(new Error('mint down')),
      async () => ({ state: 'redeemed', receivedMsat: msat(0) }),
      async () => ({ state: 'redeemed', receivedMsat: msat(4_000) }),
    ];
    for (const [nth, tell] of answers.entries()) {
      const { depositId } = await openEcash(await ecash(4_000, `pay ${nth}`));
      receiver.tells.set(depositId, tell);
      ids.push(depositId);
    }
    const states = async () =>
      Promise.all(ids.map(async (id) => (await find(id)).body.status as string));
    const watcher = watch(receiver);
    await watcher.tick();
    expect(await states()).toEqual(['pending', 'pending', 'failed', 'settled']);
    for (const id of ids) receiver.tells.set(id, answers.at(-1)!);
    vault.clock.advance(2_000);
    await watcher.tick();
    expect(await states()).toEqual(['settled', 'settled', 'failed', 'settled']);
    expect(await available()).toBe(12_000);
    await watcher.stop();
  });

  test('of invoices: a receipt of nothing credits nothing and is passed by', async () => {
    const [none, paid] = [await pending(), await pending()];
    const receiver = new ToldReceiver();
    receiver.receipts = [
      { index: 1, paymentHash: none.payment_hash, receivedMsat: msat(0) },
      { index: 2, paymentHash: paid.payment_hash, receivedMsat: msat(5_000) },
    ];
    await watch(receiver).tick();
    expect(await available()).toBe(5_000);
    expect((await find(none.deposit_id)).body.status).toBe('pending');
  });

  test('of invoices: a wallet that does not tell of receipts holds up neither ecash nor a stop', async () => {
    const receiver = new ToldReceiver();
    const { depositId } = await openEcash(await ecash(4_000));
    receiver.tells.set(depositId, async () => ({ state: 'redeemed', receivedMsat: msat(4_000) }));
    receiver.receiptsAfter = () => new Promise(() => {});
    const watcher = watch(receiver);
    await watcher.tick();
    expect(await available()).toBe(4_000);
    const round = watcher.tick();
    await watcher.stop();
    await round;
  });
});

describe('by ecash', () => {
  test('a token of our mint is credited', async () => {
    const token = await ecash(9_000);
    const { status, body } = await deposit({ cashu_token: token.text });
    expect([status, body.status, body.credited_msat]).toEqual([200, 'settled', 9_000]);
    expect(await available()).toBe(9_000);
    expect(JSON.stringify(await asAgent(vault, agent.token, '/agents/me/history'))).not.toContain(
      token.text,
    );
  });

  test('T56: the same token, in parallel and from two agents, is credited once', async () => {
    const other = await fundedAgent(vault, { amount: 0 });
    const { text } = await ecash(9_000);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => deposit({ cashu_token: text }, n % 2 ? agent : other)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const others = answers.filter(({ status }) => status !== 200).map(refused);
    expect(new Set(others.map(String))).toEqual(new Set(['409,already_deposited']));
    expect((await available()) + (await available(other))).toBe(9_000);
  });

  test('T56: the same proofs in another spelling are the same ecash', async () => {
    const token = await ecash(9_000);
    const spelled = cborToken(token, 'msat');
    expect((await deposit({ cashu_token: spelled })).body.credited_msat).toBe(9_000);
    const again = await deposit({ cashu_token: token.text });
    expect(refused(again)).toEqual([409, 'already_deposited']);
    expect(await available()).toBe(9_000);
  });

  test('T56: a token in which one proof was spent gives nothing, and spends nothing', async () => {
    const spent = await ecash(1_000, 'pay spent');
    const fresh = await ecash(2_000, 'pay fresh');
    await deposit({ cashu_token: spent.text });
    const both = cborToken({ ...fresh, proofs: [...spent.proofs, ...fresh.proofs] }, 'msat');
    expect(refused(await deposit({ cashu_token: both }))).toEqual([409, 'token_spent']);
    expect((await deposit({ cashu_token: fresh.text })).status).toBe(200);
    expect(await available()).toBe(3_000);
  });

  test('T56: of another mint, or never issued, or worth more than issued, it gives nothing', async () => {
    const token = await ecash(9_000);
    const foreign = cborToken({ ...token, mintUrl: 'https://mint.example' }, 'msat');
    expect(refused(await deposit({ cashu_token: foreign }))).toEqual([400, 'invalid_request']);
    const [proof] = token.proofs;
    for (const change of [
      { amount: 10_000 },
      { signature: `02${'1'.repeat(64)}` },
      { secret: 'x' },
    ]) {
      const forged = cborToken({ ...token, proofs: [{ ...proof!, ...change }] }, 'msat');
      expect(refused(await deposit({ cashu_token: forged }))).toEqual([409, 'token_spent']);
    }
    const inSats = cborToken(token, 'sat');
    // The mint's ecash is in msat; a token that says otherwise is worth what was issued, or nothing.
    expect(refused(await deposit({ cashu_token: inSats }))).toEqual([409, 'token_spent']);
    expect(await available()).toBe(0);
    expect((await deposit({ cashu_token: token.text })).status).toBe(200);
  });

  test('more than the cap is not taken', async () => {
    const { text } = await ecash(1_000_000_001);
    expect(refused(await deposit({ cashu_token: text }))).toEqual([400, 'invalid_request']);
  });

  test.each([false, true])(
    'T51: a crash after the intent loses nothing (mint had answered: %s)',
    async (redeemed) => {
      const token = await ecash(9_000);
      const opened = await openEcash(token);
      if (redeemed)
        await vault.receiver.redeem(opened.depositId, token, AbortSignal.timeout(10_000));
      vault = await vault.restart();
      expect((await find(opened.depositId)).body.status).toBe('pending');
      await vault.depositWatcher.tick();
      await vault.depositWatcher.tick();
      expect((await find(opened.depositId)).body).toMatchObject({
        status: 'settled',
        credited_msat: 9_000,
      });
      expect(await available()).toBe(9_000);
    },
  );
});
