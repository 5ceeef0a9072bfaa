/**
 * kill -9 of the vault between any two steps of a payment. Afterwards the wallet's own books, which
 * no crash of the vault touches, must say the same as the ledger's: what was paid is charged, once.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort, type Service, startService, until } from '../support/process.ts';
import { ADMIN_TOKEN, INTERNAL_TOKEN } from '../support/stack.ts';
import { type Random, seeded } from './support/random.ts';

const MAIN = fileURLToPath(new URL('../../packages/vault/src/main.ts', import.meta.url));
const FUNDS_MSAT = 50_000_000;
const dir = mkdtempSync(join(tmpdir(), 'arbstr-payments-'));
const database = join(dir, 'vault.db');
const script = join(dir, 'script.json');
const misbehave = (...rules: object[]) => writeFileSync(script, JSON.stringify(rules));

let environment: Record<string, string>;
let port: number;
let vault: Service;
let agent: { id: string; token: string };

const start = async () => {
  const args = ['packages/vault/src/main.ts', 'serve'];
  vault = await startService({ args, env: environment, port, cwd: dir });
};

beforeAll(async () => {
  port = await freePort();
  environment = {
    VAULT_ADMIN_TOKEN: ADMIN_TOKEN,
    VAULT_INTERNAL_TOKEN: INTERNAL_TOKEN,
    DATABASE_PATH: database,
    SIMULATED_WALLET_SCRIPT: script,
    PORT: String(port),
    LOG_LEVEL: 'fatal',
  };
  misbehave();
  await start();
});
beforeEach(async () => {
  misbehave();
  const made = await ask('POST', '/agents', ADMIN_TOKEN, {
    name: 'payer',
    policy: { max_transaction_msat: 5_000, approval_timeout_ms: 600_000 },
  });
  agent = { id: String(made!.agent_id), token: String(made!.token) };
  await ask('POST', `/agents/${agent.id}/deposit`, ADMIN_TOKEN, { amount_msat: FUNDS_MSAT });
});
afterAll(async () => {
  await vault?.kill();
  rmSync(dir, { recursive: true, force: true });
});

/** The answer, or null where the vault went away: whether it acted is unknown. */
async function ask(method: string, path: string, token: string, body?: object, key?: string) {
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    ...(key === undefined ? {} : { 'idempotency-key': key }),
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const url = `http://127.0.0.1:${port}${path}`;
  const answer = await fetch(url, { method, headers, ...sent }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  return text ? (JSON.parse(text) as Record<string, unknown>) : null;
}

const pay = (key: string, amount_msat = 1_000) =>
  ask(
    'POST',
    '/agents/me/pay',
    agent.token,
    {
      amount_msat,
      destination_type: 'lightning_address',
      destination: 'ann@pay.example',
      purpose: 'x',
    },
    key,
  );

function query<T>(path: string, sql: string): T[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare(sql).all() as T[];
  } finally {
    db.close();
  }
}

const statesOf = (states: string): { id: string; state: string }[] =>
  query(database, `SELECT id, state FROM payments WHERE state IN (${states})`);

async function expectWhole(charged: number): Promise<void> {
  await until(
    () => statesOf("'held', 'in_flight'").length === 0,
    30_000,
    () => `open: ${JSON.stringify(statesOf("'held', 'in_flight'"))}`,
  );
  const succeeded = "SELECT id AS reference, amount FROM payments WHERE state = 'succeeded'";
  const paid = "SELECT reference, amount FROM payments WHERE state = 'succeeded'";
  expect(query(database, `${succeeded} ORDER BY id`)).toEqual(
    query(`${database}.wallet`, `${paid} ORDER BY reference`),
  );
  const balance = await ask('GET', '/agents/me/balance', agent.token);
  expect(balance).toMatchObject({ balance_msat: FUNDS_MSAT - charged, held_msat: 0 });
  const { status, stdout } = spawnSync(process.execPath, [MAIN, 'verify'], {
    env: { ...environment, PATH: process.env.PATH },
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(status, stdout).toBe(0);
}

describe('the vault dies', () => {
  it.each([
    ['after the wallet was told and before it paid', 'hang'],
    ['after the wallet paid and before that was written', 'pay_then_hang'],
    ['while the wallet is at it', 'pending'],
  ])('%s: the payment is made once and charged once', async (_when, fault) => {
    misbehave({ match: '', fault });
    const key = `pay-${fault}`;
    const first = pay(key);
    await until(() => statesOf("'in_flight'").length === 1);
    await vault.kill();
    await first;
    misbehave();
    await start();
    const again = await pay(key);
    expect(again).toMatchObject({ amount_msat: 1_000 });
    await expectWhole(1_000);
  });

  it('while a payment waits for a human, who decides afterwards', async () => {
    const asked = await pay('pay-asks', 6_000);
    await vault.kill();
    await start();
    expect(statesOf("'requested'")).toHaveLength(1);
    await ask('POST', `/operator/approvals/${asked!.approval_id}/approve`, ADMIN_TOKEN, {});
    await expectWhole(6_000);
  });

  it('again and again under load: what the wallet paid is what was charged', () =>
    seeded(async (random: Random) => {
      let over = false;
      const keys = new Set<string>();
      const callers = Array.from({ length: 8 }, async (_, nth) => {
        for (let round = 0; !over; round++) {
          const key = `storm-${nth}-${round}`;
          keys.add(key);
          // Until it is known: the same key never pays twice.
          while (!over && (await pay(key))?.transaction_id === undefined) await pause();
        }
      });
      for (let blow = 0; blow < 5; blow++) {
        await new Promise((resolve) => setTimeout(resolve, random.int(300, 1_200)));
        await vault.kill();
        await start();
      }
      over = true;
      await Promise.all(callers);
      await until(() => statesOf("'held', 'in_flight'").length === 0, 30_000);
      const own = query<{ n: number }>(
        database,
        `SELECT count(*) AS n FROM payments JOIN agents ON agents.no = agent_no
         WHERE agents.id = '${agent.id}'`,
      )[0]!.n;
      expect(own).toBeGreaterThan(20);
      expect(own).toBeLessThanOrEqual(keys.size);
      await expectWhole(own * 1_000);
    }));
});

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 20));
