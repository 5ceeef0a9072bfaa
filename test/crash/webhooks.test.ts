/**
 * kill -9 of the vault between a change and its delivery, and between a delivery and its mark. After
 * the last start every event is with the receiver, with the bytes that were written, and the
 * receiver was told nothing that the books do not have.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  answering,
  closeReceivers,
  ok,
  startReceiver,
  WEBHOOK_SECRET,
  type WebhookReceiver,
} from '../../packages/vault/test/support/receiver.ts';
import { freePort, type Service, startService, until } from '../support/process.ts';
import { ADMIN_TOKEN, INTERNAL_TOKEN } from '../support/stack.ts';
import { type Random, seeded } from './support/random.ts';

const KILLS = 4;
const dir = mkdtempSync(join(tmpdir(), 'arbstr-webhooks-'));
const database = join(dir, 'vault.db');
let receiver: WebhookReceiver;
let port: number;
let vault: Service;

const start = async () => {
  const args = ['packages/vault/src/main.ts', 'serve'];
  const env = {
    VAULT_ADMIN_TOKEN: ADMIN_TOKEN,
    VAULT_INTERNAL_TOKEN: INTERNAL_TOKEN,
    DATABASE_PATH: database,
    OPERATOR_WEBHOOK_URL: receiver.url,
    OPERATOR_WEBHOOK_SECRET: WEBHOOK_SECRET,
    PORT: String(port),
    LOG_LEVEL: 'fatal',
  };
  vault = await startService({ args, env, port, cwd: dir });
};

beforeAll(async () => {
  receiver = await startReceiver();
  port = await freePort();
  await start();
});
afterAll(async () => {
  await vault?.kill();
  await closeReceivers();
  rmSync(dir, { recursive: true, force: true });
});

/** The answer, or null where the vault went away: whether it acted is unknown. */
async function post(path: string, token: string, body: object) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const url = `http://127.0.0.1:${port}${path}`;
  const sent = { method: 'POST', headers, body: JSON.stringify(body) };
  const answer = await fetch(url, sent).catch(() => null);
  const text = await answer?.text().catch(() => null);
  return text ? (JSON.parse(text) as Record<string, string>) : null;
}

interface Row {
  event_id: string;
  agent_no: number;
  seq: number;
  state: string;
  body: string;
}

function outbox(): Row[] {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return db.prepare('SELECT * FROM outbox ORDER BY agent_no, seq').all() as unknown as Row[];
  } finally {
    db.close();
  }
}

const changes = (sql: string): number => {
  const db = new DatabaseSync(database, { readOnly: true });
  try {
    return (db.prepare(sql).get() as { n: number }).n;
  } finally {
    db.close();
  }
};

it('T11: tells of every change at least once and of nothing else, whenever the vault dies', () =>
  seeded(async (random: Random) => {
    const agents = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        const made = await post('/agents', ADMIN_TOKEN, { name, policy: {} });
        const amount = { amount_msat: 10_000_000 };
        await post(`/agents/${made!.agent_id}/deposit`, ADMIN_TOKEN, amount);
        return made!.token!;
      }),
    );
    let over = false;
    const spenders = agents.map(async (token) => {
      while (!over) {
        const body = {
          amount_msat: 1_000,
          destination_type: 'lightning_address',
          destination: 'ann@pay.example',
          purpose: 'x',
        };
        await post('/agents/me/pay', token, body);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    for (let n = 0; n < KILLS; n++) {
      const enough = receiver.received.length + random.int(1, 25);
      // Now and then it is told of a failure, so that retries are under way when it dies.
      receiver.behave((response, got) => (random.chance(0.2) ? answering(500) : ok)(response, got));
      await until(() => receiver.received.length >= enough, 20_000);
      await vault.kill();
      await start();
    }
    over = true;
    await Promise.all(spenders);
    receiver.behave(ok);
    await until(
      () => outbox().every(({ state }) => state === 'delivered'),
      40_000,
      () => JSON.stringify(outbox().filter(({ state }) => state !== 'delivered')),
    );

    const written = new Map(outbox().map(({ event_id, body }) => [event_id, body]));
    const told = new Set<string>();
    for (const { body, event } of receiver.received) {
      expect(body).toBe(written.get(event.event_id));
      told.add(event.event_id);
    }
    expect(told).toEqual(new Set(written.keys()));
    expect(receiver.received.length).toBeGreaterThan(told.size);
    const ended = "SELECT count(*) AS n FROM payments WHERE state IN ('succeeded', 'failed')";
    expect(written.size).toBe(changes(ended) + agents.length);
    const last = new Map<number, number>();
    for (const { agent_no, seq } of outbox()) {
      expect(seq).toBe((last.get(agent_no) ?? 0) + 1);
      last.set(agent_no, seq);
    }
  }));
