/** Checkpoints of a running vault: written by itself, and asked for over HTTP. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exportCheckpoint } from '../../src/audit/checkpoint/export.ts';
import { CheckpointExporter, KEPT_MAX } from '../../src/audit/checkpoint/exporter.ts';
import { createSeal } from '../../src/audit/seal.ts';
import { openReader } from '../../src/db/open.ts';
import {
  ADMIN_TOKEN,
  closeVaults,
  fundedAgent,
  openVault,
  type TestVault,
} from '../support/vault.ts';

const HOUR_MS = 3_600_000;

let vault: TestVault;
let exporter: CheckpointExporter;
let lines: Record<string, unknown>[];
const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });

beforeEach(async () => {
  lines = [];
  vault = await openVault();
  exporter = newExporter();
});
afterEach(async () => {
  await exporter.stop();
  await closeVaults();
});

/** As in the vault, but in this thread. */
function newExporter(): CheckpointExporter {
  return new CheckpointExporter({
    async exportTo(path, previous) {
      const db = openReader(vault.path);
      try {
        return exportCheckpoint(db, createSeal(null), path, previous);
      } finally {
        db.close();
      }
    },
    folder: folder(),
    everyMs: HOUR_MS,
    time: vault.clock,
    log,
  });
}

const folder = () => `${vault.path}.checkpoints`;
const files = () => readdirSync(folder()).sort();
const read = (name: string) => readFileSync(join(folder(), name), 'utf8');
const logged = (message: string) => lines.filter(({ msg }) => String(msg).startsWith(message));

async function hourLater(): Promise<void> {
  vault.clock.advance(HOUR_MS);
  await exporter.tick();
}

test('one is written when it is due and something happened; its digest goes to the log', async () => {
  await exporter.tick();
  expect(files()).toHaveLength(1);
  const { digest, signature } = JSON.parse(read(files()[0]!).trimEnd().split('\n').at(-1)!);
  expect(logged('audit checkpoint')).toMatchObject([{ digest, signature, chains: 1 }]);

  await fundedAgent(vault);
  await exporter.tick();
  expect(files()).toHaveLength(1);
  await hourLater();
  expect(files()).toHaveLength(2);
  const { lastMs } = exporter;
  await hourLater();
  expect(files()).toHaveLength(2);
  expect(exporter.lastMs).toBe(lastMs + HOUR_MS);
});

test('a bounded number is kept, the youngest, and other files are left alone', async () => {
  await exporter.tick();
  for (let hour = 0; hour < KEPT_MAX; hour++) {
    const name = `checkpoint-2025-01-01T${String(hour).padStart(2, '0')}-00-00.000Z.txt`;
    writeFileSync(join(folder(), name), 'old');
  }
  writeFileSync(join(folder(), 'notes.txt'), 'mine');
  writeFileSync(join(folder(), 'checkpoint-2025-01-01T00-00-00.000Z.txt.draft'), 'half of o');
  await fundedAgent(vault);
  await hourLater();
  expect(files()).toHaveLength(KEPT_MAX + 1);
  expect(files()).toContain('notes.txt');
  expect(files()).not.toContain('checkpoint-2025-01-01T01-00-00.000Z.txt');
  expect(files()).toContain('checkpoint-2025-01-01T02-00-00.000Z.txt');
});

test('a restarted vault writes none before it is due', async () => {
  await exporter.tick();
  await fundedAgent(vault);
  exporter = newExporter();
  exporter.start();
  await exporter.tick();
  expect(files()).toHaveLength(1);
  await hourLater();
  expect(files()).toHaveLength(2);
});

test('a ledger that contradicts the last one is an error in the log, and the file stays', async () => {
  const agent = await fundedAgent(vault, { amount: 0 });
  await exporter.tick();
  const { lastMs } = exporter;
  const db = new SqliteDatabase(vault.path);
  db.exec('DROP TRIGGER audit_no_delete');
  db.exec('DELETE FROM audit WHERE chain = 1');
  db.close();
  await hourLater();
  await hourLater();
  expect(files()).toHaveLength(1);
  const errors = logged('the ledger contradicts its last audit checkpoint');
  expect(errors).toHaveLength(2);
  expect(errors[0]).toMatchObject({
    level: 50,
    findings: [expect.stringContaining(`${agent.id}: has vanished`), expect.anything()],
  });
  expect(exporter.lastMs).toBe(lastMs);
});

test('a last file that cannot be compared is said, and does not end the row', async () => {
  await exporter.tick();
  writeFileSync(join(folder(), files()[0]!), 'damaged');
  await hourLater();
  expect(logged('the last audit checkpoint could not be compared')).toHaveLength(1);
  expect(files()).toHaveLength(2);
});

test('a folder that takes none is said in the log, and tried again', async () => {
  writeFileSync(folder(), 'in the way');
  exporter.start();
  await exporter.tick();
  expect(logged('no audit checkpoint could be written')).toHaveLength(2);
  rmSync(folder());
  await exporter.tick();
  vault.clock.advance(60_000);
  await exporter.tick();
  expect(files()).toHaveLength(1);
});

test('over HTTP: one is given, and one that comes back is compared', async () => {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const post = (payload: string) =>
    vault.app.inject({
      method: 'POST',
      url: '/operator/verify',
      headers: { ...headers, 'content-type': 'text/plain' },
      payload,
    });
  const agent = await fundedAgent(vault);
  const given = await vault.app.inject({ url: '/operator/audit/checkpoint', headers });
  expect([given.statusCode, given.headers['content-type']]).toEqual([
    200,
    'text/plain; charset=utf-8',
  ]);
  expect(given.body).toMatch(new RegExp(`^1 ${agent.id} \\d+ `, 'm'));
  await fundedAgent(vault, { amount: 0 });
  expect((await post(given.body)).json()).toMatchObject({
    ok: true,
    auditRows: 6,
    checkpoint: { at: vault.clock.ms, audit_rows: 4, set_back_rows: 0 },
  });
  const refused = await post(given.body.replace(agent.id, 'ag_other'));
  expect([refused.statusCode, refused.json().error.code]).toEqual([400, 'invalid_request']);
  expect(refused.json().error.message).toContain('changed or cut');
  expect((await vault.app.inject('/operator/audit/checkpoint')).statusCode).toBe(401);
});
