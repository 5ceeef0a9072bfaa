import { hash } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { msat } from '@arbstr/shared';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { invoice, pay, payInvoice, walletScript } from '../support/pay.ts';
import {
  asCore,
  asOperator,
  closeVaults,
  extend,
  fundedAgent,
  held,
  openVault,
  pass,
  release,
  reserveBody,
  settle,
  type TestAgent,
  type TestVault,
  temporaryFolder,
  verifyFile,
} from '../support/vault.ts';

type Cell = string | number | null;
interface Column {
  name: string;
  type: string;
  pk: number;
}

let healthy: string;
let copies = 0;
let folder: string;

/** The wallet's first receipt, which no deposit asked for. */
async function receiveStray(vault: TestVault): Promise<void> {
  const amountMsat = msat(1);
  const createdAtMs = vault.clock.ms;
  const stray = { amountMsat, description: 'stray', createdAtMs, expirySecs: 60 };
  const { invoice, paymentHash } = await vault.receiver.createInvoice(
    stray,
    AbortSignal.timeout(10_000),
  );
  const expiresAtMs = createdAtMs + 60_000;
  const target = { type: 'lightning_invoice', invoice, paymentHash, expiresAtMs } as const;
  const order = { reference: 'stray', target, amountMsat, maxFeeMsat: msat(0) };
  await vault.wallet.pay(order, new AbortController().signal);
}

/** One in every state. */
async function makeDeposits(vault: TestVault, agentId: string): Promise<void> {
  const deposit = async (body: object): Promise<string> =>
    (await asOperator(vault, 'POST', `/agents/${agentId}/deposits`, body)).body.deposit_id;
  await receiveStray(vault);
  const paid = await deposit({ amount_msat: 800 });
  await asOperator(vault, 'POST', `/operator/simulated/deposits/${paid}/pay`);
  await deposit({ amount_msat: 900, expires_in_secs: 60 });
  await deposit({ amount_msat: 1_000, expires_in_secs: 86_400 });
  await vault.engine.execute({
    kind: 'open_deposit',
    correlationId: 'corr-ecash',
    replayKey: undefined,
    depositId: 'dep_01JABCDEFGHJKMNPQRSTVWXYZ0',
    agentId,
    rail: 'simulated',
    amount: msat(1_100),
    source: {
      type: 'cashu_token',
      token: 'cashuAwaiting',
      tokenHash: hash('sha256', 'cashuAwaiting'),
      tokenKey: 'key of cashuAwaiting',
    },
  });
  const proof = { amount: 1_200, id: '00', secret: 'forged', C: `02${'0'.repeat(64)}` };
  const forged = { token: [{ mint: vault.receiver.mintUrl, proofs: [proof] }], unit: 'msat' };
  const text = Buffer.from(JSON.stringify(forged)).toString('base64url');
  await deposit({ cashu_token: `cashuA${text}` });
  vault.clock.advance(1_000);
}

/** Payouts in every state: waiting, held, in flight, paid, denied. */
async function makePayouts(vault: TestVault, agent: TestAgent): Promise<void> {
  const sell = async (name: string, destination = `${name}@example.com`) => {
    const body = { payout_destination: destination, payout_threshold_msat: 100 };
    await asOperator(vault, 'PUT', `/operator/providers/${name}`, body);
  };
  const earn = async (name: string) =>
    settle(vault, await held(vault, agent), 400, { provider: name, provider_cost_msats: 150 });
  const open = async (name: string) => {
    const url = `/operator/payouts?provider=${name}&limit=1`;
    return (await asOperator(vault, 'GET', url)).body.payouts[0].payout_id;
  };
  for (const name of ['paid', 'sent', 'denied', 'moved', 'waits']) {
    await sell(name);
    await earn(name);
  }
  await vault.payoutRunner.tick();
  await asOperator(vault, 'POST', `/operator/approvals/${await open('paid')}/approve`);
  await vault.payoutRunner.tick();
  await vault.payoutRunner.tick();
  await asOperator(vault, 'POST', `/operator/approvals/${await open('denied')}/deny`);
  await sell('moved', 'elsewhere@example.com');
  const payoutId = await open('sent');
  await vault.engine.execute({
    kind: 'approve',
    correlationId: 'corr-judge',
    replayKey: undefined,
    approvalId: payoutId,
    reason: null,
  });
  const target = { type: 'lightning_address', address: 'sent@example.com' } as const;
  await vault.engine.execute({
    kind: 'send_payout',
    rail: 'simulated',
    payoutId,
    walletIdentity: 'w',
    target,
  });
  await vault.engine.execute({ kind: 'see_payout', payoutId });
  await earn('paid');
}

/** Payments in every state, by every way into it. */
async function makePayments(vault: TestVault): Promise<void> {
  const payer = await fundedAgent(vault, {
    policy: { max_transaction_msat: 5_000, approval_timeout_ms: 20_000 },
  });
  const payee = await fundedAgent(vault, { amount: 0 });
  const inside = { destination_type: 'internal', destination: payee.id };
  const ended = async (how: 'approve' | 'deny', over: object = {}) => {
    const { body } = await pay(vault, payer, { amount_msat: 9_000, ...over });
    await asOperator(vault, 'POST', `/operator/approvals/${body.approval_id}/${how}`, {
      reason: 'so it is',
    });
  };
  await payInvoice(vault, payer, invoice(1_500), { max_fee_msat: 50 });
  await pay(vault, payer, { destination_type: 'cashu_token', destination: 'for ann' });
  await pay(vault, payer, inside);
  await pay(vault, payer, { amount_msat: 2_000_000 });
  await pay(vault, payer, { destination: 'refused@pay.example' });
  await ended('approve');
  await ended('approve', inside);
  await ended('deny');
  await pay(vault, payer, { amount_msat: 9_000 });
  await pass(vault, 21_000);
  await pay(vault, payer, { amount_msat: 9_000 });
  await pay(vault, payer, { destination: 'slow@pay.example' });
  await pass(vault, 4_000);
  await vault.runner.tick();
  await pay(vault, payer, { destination: 'greedy@pay.example' });
}

/** Questions about inference in every state, and grants that are free, taken and consumed. */
async function askForInference(vault: TestVault, agent: TestAgent): Promise<void> {
  const url = `/operator/agents/${agent.id}/policy`;
  await asOperator(vault, 'PATCH', url, { allowed_models: null });
  const reserve = (model: string) =>
    asCore(
      vault,
      'POST',
      '/reserve',
      reserveBody(vault, agent, { amount_msats: 60_000, model, expires_in_secs: 3_000 }),
    );
  const resolve = async (model: string, how: 'approve' | 'deny') => {
    const { approval_id } = (await reserve(model)).body.error;
    await asOperator(vault, 'POST', `/operator/approvals/${approval_id}/${how}`, { reason: 'so' });
  };
  await reserve('pending');
  await resolve('denied', 'deny');
  for (const model of ['free', 'taken', 'consumed']) await resolve(model, 'approve');
  await reserve('taken');
  await settle(vault, (await reserve('consumed')).body.reservation_id, 50);
}

const RULES = [
  { match: 'refused@', fault: 'fail' },
  { match: 'slow@', fault: 'pending' },
  { match: 'greedy@', fault: 'overcharge' },
  { match: '', fee_msat: 7 },
];

/** A ledger in which every table has rows, and reservations are in every state. */
async function populate(vault: TestVault): Promise<void> {
  const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 900_000 } });
  const other = await fundedAgent(vault, { amount: 5_000 });
  const key = { 'idempotency-key': 'deposit-1' };
  await asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat: 700 }, key);
  await asOperator(vault, 'PATCH', `/operator/agents/${agent.id}/policy`, {
    max_transaction_msat: 50_000,
    max_fee_msat: 2_000,
    approval_timeout_ms: 60_000,
    alert_floor_msat: 1_001_200,
    alert_cooldown_ms: 60_000,
    allowed_models: ['gpt-4o-mini'],
    allowed_destinations: ['shop@example.com'],
  });
  const tokens = `/agents/${other.id}/tokens`;
  await asOperator(vault, 'POST', tokens, {
    scopes: ['read'],
    expires_in_secs: 60,
    overlap_secs: null,
  });
  const { body: ending } = await asOperator(vault, 'POST', tokens, { overlap_secs: null });
  await asOperator(vault, 'DELETE', `${tokens}/${ending.token_id}`);
  await makeDeposits(vault, agent.id);
  await makePayouts(vault, agent);
  await settle(vault, await held(vault, agent), 400, { provider: 'alpha', tokens_in: 12 });
  await settle(vault, await held(vault, agent), 0);
  await release(vault, await held(vault, agent));
  await release(vault, vault.newReservationId());
  await settle(vault, vault.newReservationId(), 120, { agent_id: other.id });
  const late = await held(vault, agent, 2_000, { expires_in_secs: 1 });
  await held(vault, other, 3_000, { expires_in_secs: 1 });
  await pass(vault, 2_000);
  await settle(vault, late, 900);
  await extend(vault, await held(vault, other, 10), 900);
  const broke = await held(vault, other, 3_000, { expires_in_secs: 1 });
  // Away: open holds get more time. Then they run out of it.
  vault.clock.advance(10_000);
  await vault.keeper.tick();
  await pass(vault, 100_000);
  await held(vault, other, 4_000, { expires_in_secs: 3_000 });
  await settle(vault, broke, 3_000);
  await asOperator(vault, 'DELETE', `/agents/${other.id}`);
  await asOperator(vault, 'POST', `/agents/${agent.id}/debit`, { amount_msat: 300, reason: 'x' });
  await askForInference(vault, agent);
  const out = { destination: 'me@example.com', amount_msat: 100 };
  await asOperator(vault, 'POST', '/operator/withdrawals', out);
  await asOperator(vault, 'DELETE', `/agents/${other.id}`, { sweep: true });
  // Nothing changes but that the key is taken.
  const again = { 'idempotency-key': 'disable-1' };
  await asOperator(vault, 'DELETE', `/agents/${other.id}`, undefined, again);
}

beforeAll(async () => {
  folder = temporaryFolder();
  const well = await openVault({ auditKey: null });
  await populate(well);
  await well.close();
  const script = walletScript();
  script.misbehave(...RULES);
  const { path, clock } = well;
  const vault = await openVault({ auditKey: null, path, clock, walletScript: script.path });
  await makePayments(vault);
  await vault.close();
  healthy = vault.path;
});
afterAll(closeVaults);

/** A copy of the healthy ledger after somebody changed it behind the vault's back. */
function tampered(tamper: (db: Database) => void): string {
  const path = join(folder, `copy-${copies++}.db`);
  copyFileSync(healthy, path);
  const db = new SqliteDatabase(path);
  db.pragma('foreign_keys = OFF');
  db.pragma('ignore_check_constraints = ON');
  const triggers = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'",
    )
    .all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  tamper(db);
  // Somebody who hides his traces: what shows must be the rows themselves.
  for (const { sql } of triggers) db.exec(sql);
  db.close();
  return path;
}

const reader = () => new SqliteDatabase(healthy, { readonly: true });

/** What is told about the books; rows of it come and go, and no money follows from any. */
const MESSAGES = new Set(['outbox', 'outbox_heads', 'episodes']);

/** Of the books. */
function tablesOf(db: Database): string[] {
  return db
    .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => name)
    .filter((name) => !MESSAGES.has(name));
}

const columnsOf = (db: Database, table: string) => db.pragma(`table_info(${table})`) as Column[];

/** Rows by their primary key, in key order; of a table without one, by rowid. */
function keyOf(db: Database, table: string): string[] {
  const key = columnsOf(db, table).filter(({ pk }) => pk > 0);
  return key.length > 0 ? key.map(({ name }) => name) : ['rowid'];
}

function rowsOf(db: Database, table: string): Record<string, Cell>[] {
  const key = keyOf(db, table);
  const hidden = key[0] === 'rowid' ? 'rowid, ' : '';
  return db
    .prepare<[], Record<string, Cell>>(`SELECT ${hidden}* FROM ${table} ORDER BY ${key.join(', ')}`)
    .all();
}

const where = (key: string[]) => key.map((name) => `${name} = ?`).join(' AND ');

function otherValue(column: Column, value: Cell): Cell {
  if (typeof value === 'number') return value + 1_000;
  if (typeof value === 'string') return `${value}x`;
  return column.type === 'INTEGER' ? 1 : 'x';
}

test('a healthy ledger has no findings', () => {
  const report = verifyFile(healthy);
  expect(report.findings).toEqual([]);
  expect(report.counts).toMatchObject({ agents: 5 });
});

test('every table of the ledger has rows here', () => {
  const db = reader();
  for (const table of tablesOf(db))
    expect([table, rowsOf(db, table).length > 0]).toEqual([table, true]);
  db.close();
});

describe('a changed cell is found', () => {
  test('in any column of any table', () => {
    const db = reader();
    const unseen: string[] = [];
    for (const table of tablesOf(db)) {
      const key = keyOf(db, table);
      const rows = rowsOf(db, table);
      const looked = [rows[0]!, rows.at(-1)!];
      for (const column of columnsOf(db, table)) {
        for (const row of new Set(looked)) {
          const path = tampered((copy) => {
            copy
              .prepare(`UPDATE ${table} SET ${column.name} = ? WHERE ${where(key)}`)
              .run(otherValue(column, row[column.name]!), ...key.map((name) => row[name]));
          });
          if (verifyFile(path).total === 0) unseen.push(`${table}.${column.name}`);
        }
      }
    }
    db.close();
    expect(unseen).toEqual([]);
  });
});

describe('a deleted row is found', () => {
  test('whichever it is', () => {
    const db = reader();
    const unseen: string[] = [];
    for (const table of tablesOf(db)) {
      const key = keyOf(db, table);
      for (const row of rowsOf(db, table)) {
        const path = tampered((copy) => {
          copy
            .prepare(`DELETE FROM ${table} WHERE ${where(key)}`)
            .run(...key.map((name) => row[name]));
        });
        if (verifyFile(path).total === 0) unseen.push(`${table} ${JSON.stringify(row)}`);
      }
    }
    db.close();
    expect(unseen).toEqual([]);
  });

  test('also where whole tables are emptied', () => {
    const db = reader();
    for (const table of tablesOf(db)) {
      const path = tampered((copy) => copy.exec(`DELETE FROM ${table}`));
      expect([table, verifyFile(path).total > 0]).toEqual([table, true]);
    }
    db.close();
  });
});

describe('an added row is found', () => {
  test.each([
    [
      'a transfer',
      'INSERT INTO transfers SELECT max(id) + 1, at, debit, credit, amount, kind, ref FROM transfers',
    ],
    [
      'a balanced pair of transfers',
      `INSERT INTO transfers SELECT max(id) + 1, at, 1, 4, 5, 'credit', 'tx_x' FROM transfers;
      UPDATE accounts SET balance = balance - 5 WHERE id = 1; UPDATE accounts SET balance = balance + 5 WHERE id = 4`,
    ],
    [
      'a reservation',
      `INSERT INTO reservations SELECT 'rsv_01JABCDEFGHJKMNPQRSTVWXYZ9', agent_no, core_id, 'c', model, requested_model,
      by_correlation, amount, state, created_at, expires_at, balance_after_hold, ended_at, asked, charged, balance_after_end, usage, approval_ids FROM reservations LIMIT 1`,
    ],
    ['an agent', "INSERT INTO agents VALUES (99, 'ag_x', 'x', '{}', 1, NULL)"],
    [
      'a token',
      "INSERT INTO agent_tokens VALUES ('tok_x', 1, 'hash', 'spend read', 1, NULL, NULL)",
    ],
    [
      'a policy',
      "INSERT INTO policy_versions (id, agent_no, version, max_transaction_msat, daily_limit_msat, effective_from) VALUES ('pv_x', 1, 99, NULL, NULL, 1)",
    ],
    ['an account', "INSERT INTO accounts VALUES (99, 'agent:x:available', 'credit', 0)"],
    ['a spend bucket', 'INSERT INTO spend_buckets VALUES (1, 1440, 1440, 1)'],
    [
      'an audit row',
      'INSERT INTO audit (chain, seq, at, action, facts, hash) SELECT chain, max(seq) + 1, at, action, facts, hash FROM audit WHERE chain = 1',
    ],
    ['a chain head', "INSERT INTO audit_heads VALUES (99, 0, '')"],
    ['an idempotency key', "INSERT INTO idempotency_keys VALUES ('k', 'f', '{}', 1, 'operator')"],
    ['a fact about the ledger', "INSERT INTO meta VALUES ('mode', 'recovery')"],
  ])('%s', (_what, sql) => {
    expect(verifyFile(tampered((db) => db.exec(sql))).total).toBeGreaterThan(0);
  });
});

describe('a rewritten trail is found', () => {
  test.each([
    [
      'two audit rows that changed places',
      'UPDATE audit SET seq = -seq WHERE chain = 1 AND seq IN (3, 4); UPDATE audit SET seq = CASE seq WHEN -3 THEN 4 ELSE 3 END WHERE chain = 1 AND seq < 0',
    ],
    [
      'an audit row of another agent',
      'UPDATE audit SET chain = 2, seq = 99 WHERE chain = 1 AND seq = 3',
    ],
    ['a tail that was cut off', 'DELETE FROM audit WHERE chain = 1 AND seq > 4'],
    [
      'a chain that was removed with its head',
      'DELETE FROM audit WHERE chain = 1; DELETE FROM audit_heads WHERE chain = 1',
    ],
    [
      'an agent that was removed with all its rows but its transfers',
      `DELETE FROM audit WHERE chain = 1; DELETE FROM audit_heads WHERE chain = 1; DELETE FROM agents WHERE no = 1;
      DELETE FROM agent_tokens WHERE agent_no = 1; DELETE FROM policy_versions WHERE agent_no = 1; DELETE FROM reservations WHERE agent_no = 1; DELETE FROM spend_buckets WHERE agent_no = 1`,
    ],
    [
      'a balance that was moved to another agent',
      'UPDATE accounts SET balance = balance - 7 WHERE id = 4; UPDATE accounts SET balance = balance + 7 WHERE id = 6',
    ],
    ['a disabled agent that was enabled', 'UPDATE agents SET disabled_at = NULL'],
    ['a policy that was lifted', 'UPDATE policy_versions SET daily_limit_msat = NULL'],
    [
      'a settled reservation that was reopened',
      "UPDATE reservations SET state = 'held', ended_at = NULL WHERE state = 'settled'",
    ],
  ])('%s', (_what, sql) => {
    expect(verifyFile(tampered((db) => db.exec(sql))).total).toBeGreaterThan(0);
  });

  test('an audit row whose hash was made anew does not fit the next one', () => {
    const db = reader();
    const rows = rowsOf(db, 'audit').filter(({ chain }) => chain === 1);
    db.close();
    const path = tampered((copy) => {
      copy
        .prepare('UPDATE audit SET facts = ?, hash = ? WHERE chain = 1 AND seq = 3')
        .run(String(rows[2]!.facts).replace('1', '2'), rows[1]!.hash);
    });
    expect(verifyFile(path).findings.join('\n')).toContain('audit row 4');
  });
});

describe('a changed schema is found', () => {
  test.each([
    ['a dropped trigger', 'DROP TRIGGER transfers_no_update', 'transfers_no_update'],
    [
      'an added trigger',
      'CREATE TRIGGER evil AFTER INSERT ON transfers BEGIN SELECT 1; END',
      'evil',
    ],
    ['an added table', 'CREATE TABLE extra (a)', 'extra'],
    ['a dropped index', 'DROP INDEX reservations_open', 'reservations_open'],
  ])('%s', (_what, sql, named) => {
    const path = join(folder, `copy-${copies++}.db`);
    copyFileSync(healthy, path);
    const db = new SqliteDatabase(path);
    db.exec(sql);
    db.close();
    expect(verifyFile(path).findings.join('\n')).toContain(named);
  });
});

test('a finding names the row and both values', () => {
  const path = tampered((db) =>
    db.exec(
      "UPDATE reservations SET charged = charged + 1 WHERE state = 'settled' AND charged > 0",
    ),
  );
  expect(verifyFile(path).findings.join('\n')).toMatch(
    /reservation rsv_\w+: charged is 401, the audit trail says 400/,
  );
});

describe('with an AUDIT_KEY', () => {
  const auditKey = 'a-key-for-the-audit-trail-0123456789';

  test('the trail is whole with the key and not without it', async () => {
    const vault = await openVault({ auditKey });
    await populate(vault);
    await vault.close();
    expect(verifyFile(vault.path, auditKey).findings).toEqual([]);
    expect(verifyFile(vault.path).findings.join('\n')).toContain('AUDIT_KEY');
    expect(verifyFile(vault.path, `${auditKey}x`).total).toBeGreaterThan(0);
  });

  test('a vault without that key refuses the ledger', async () => {
    const vault = await openVault({ auditKey });
    await vault.close();
    await expect(openVault({ path: vault.path })).rejects.toThrow('AUDIT_KEY');
  });
});

test('a running vault can be verified, in one consistent moment, without being disturbed', async () => {
  const vault = await openVault();
  const agent = await fundedAgent(vault);
  const busy = Array.from({ length: 50 }, async () => settle(vault, await held(vault, agent), 10));
  for (let round = 0; round < 5; round++) {
    expect(vault.verify().findings).toEqual([]);
    await held(vault, agent);
  }
  await Promise.all(busy);
  expect(vault.verify().findings).toEqual([]);
});
