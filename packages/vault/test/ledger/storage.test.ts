import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createIdSource, msat } from '@arbstr/shared';
import SqliteDatabase from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, describe, expect, test } from 'vitest';
import { createSeal } from '../../src/audit/seal.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openWriter } from '../../src/db/open.ts';
import { isRefusal } from '../../src/errors.ts';
import { createLedgerMetrics } from '../../src/http/ledger-metrics.ts';
import { type EngineStore, LedgerEngine } from '../../src/ledger/engine.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import {
  asCore,
  asOperator,
  balanceOf,
  books,
  call,
  closeVaults,
  extend,
  fundedAgent,
  held,
  openVault,
  reserveBody,
  START_MS,
  settle,
  type TestAgent,
  type TestVault,
  temporaryFolder,
  verifyFile,
} from '../support/vault.ts';

afterEach(closeVaults);

/** A genuine SQLITE_FULL, which needs no file system of its own. */
function fillDisk(vault: TestVault, pagesLeft: number): void {
  const pages = vault.writer.pragma('page_count', { simple: true }) as number;
  vault.writer.pragma(`max_page_count = ${pages + pagesLeft}`);
}

function emptyDisk(vault: TestVault): void {
  vault.writer.pragma('max_page_count = 1000000');
}

const countOf = (vault: TestVault, sql: string): number =>
  vault.writer.prepare<[], { n: number }>(`SELECT count(*) AS n FROM ${sql}`).get()!.n;

/** Reserves in groups that share commits, until the disk is full. Ids by what was answered. */
async function reserveUntilFull(vault: TestVault, agent: TestAgent) {
  const acknowledged: string[] = [];
  const refused: string[] = [];
  for (let round = 0; round < 200 && refused.length === 0; round++) {
    const bodies = Array.from({ length: 16 }, () => reserveBody(vault, agent, { amount_msats: 1 }));
    const answers = await Promise.all(
      bodies.map((body) => asCore(vault, 'POST', '/reserve', body)),
    );
    for (const [index, answer] of answers.entries()) {
      const id = bodies[index]!.reservation_id;
      if (answer.status === 200) acknowledged.push(id);
      else {
        expect([answer.status, answer.body.error.code]).toEqual([503, 'storage_unavailable']);
        expect(answer.body.error.message).toContain('the disk is full');
        refused.push(id);
      }
    }
  }
  return { acknowledged, refused };
}

describe('a full disk', () => {
  test('loses nothing acknowledged, applies nothing refused, and is left behind by itself', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    fillDisk(vault, 20);
    const { acknowledged, refused } = await reserveUntilFull(vault, agent);
    expect(acknowledged.length).toBeGreaterThan(16);
    expect(refused.length).toBe(16);

    for (const id of acknowledged) {
      expect((await asCore(vault, 'GET', `/reservations/${id}`)).body.state).toBe('held');
    }
    for (const id of refused) {
      expect((await asCore(vault, 'GET', `/reservations/${id}`)).status).toBe(404);
    }
    const full = 1_000_000 - acknowledged.length;
    expect(await balanceOf(vault, agent)).toMatchObject({ available: full });
    expect(vault.verify().findings).toEqual([]);

    // Still full: refused at once, reads go on, health says why.
    expect((await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent))).status).toBe(503);
    const health = await call(vault, { method: 'GET', url: '/health' });
    expect(health.status).toBe(503);
    expect(health.body.database).toMatchObject({ readable: true, writable: false });
    expect(health.body.database.reason).toContain('the disk is full');
    await vault.keeper.tick();
    expect(vault.engine.storage.state).toBe('failing');

    emptyDisk(vault);
    await vault.keeper.tick();
    expect((await call(vault, { method: 'GET', url: '/health' })).status).toBe(200);
    const again = reserveBody(vault, agent, { amount_msats: 1, reservation_id: refused[0] });
    expect((await asCore(vault, 'POST', '/reserve', again)).status).toBe(200);
    expect((await settle(vault, acknowledged[0]!, 1)).status).toBe(200);
    expect(books(vault.path).sum).toBe(0n);
    expect(vault.verify().findings).toEqual([]);
  });

  test('ends no hold: the time without a disk is given back', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const id = await held(vault, agent, 1_000, { expires_in_secs: 30 });
    fillDisk(vault, 0);
    await reserveUntilFull(vault, agent);
    expect((await extend(vault, id, 60)).status).toBe(503);
    vault.clock.advance(120_000);
    await vault.keeper.tick();
    emptyDisk(vault);
    await vault.keeper.tick();
    const { body } = await asCore(vault, 'GET', `/reservations/${id}`);
    expect(body).toMatchObject({ state: 'held', expires_at: START_MS + 30_000 + 180_000 });
  });

  test('refuses the operator too, and keeps answering what is read', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    fillDisk(vault, 0);
    await reserveUntilFull(vault, agent);
    const deposit = await asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, {
      amount_msat: 1,
    });
    expect(deposit.status).toBe(503);
    expect((await asOperator(vault, 'POST', '/agents', { name: 'x' })).status).toBe(503);
    expect((await asOperator(vault, 'GET', '/agents')).status).toBe(200);
    expect(
      (await asCore(vault, 'POST', '/authenticate', { agent_token: agent.token })).status,
    ).toBe(200);
    expect(countOf(vault, 'agents')).toBe(1);
  });

  test('does not keep a vault from starting; it serves when there is room', async () => {
    let vault = await openVault();
    const agent = await fundedAgent(vault);
    const id = await held(vault, agent, 1_000, { expires_in_secs: 10 });
    // So that giving all of them more time takes more room than the last pages have left.
    for (let n = 0; n < 60; n++) await held(vault, agent, 1, { expires_in_secs: 10 });
    await vault.close();
    vault.clock.advance(60_000);
    vault = await openVault({ path: vault.path, clock: vault.clock, start: false });
    fillDisk(vault, 0);
    // Fills what is left of the last page of each table.
    for (let n = 0; n < 50 && vault.engine.storage.state === 'ok'; n++) {
      await asOperator(vault, 'POST', '/agents', { name: 'x'.repeat(100) });
    }
    await vault.keeper.tick();
    expect(vault.engine.storage.state).toBe('failing');
    emptyDisk(vault);
    await vault.keeper.tick();
    expect((await asCore(vault, 'GET', `/reservations/${id}`)).body.state).toBe('held');
  });
});

/** A ledger whose engine drives a store that a test may break. */
function brokenLedger(breakStore: (store: EngineStore) => Partial<EngineStore>) {
  const path = join(temporaryFolder(), 'vault.db');
  const db = openWriter(path);
  migrate(db);
  const { store } = openLedger(db, createSeal(null), 'epoch_test', START_MS);
  const bound: EngineStore = {
    view: store.view,
    get ledgerMs() {
      return store.ledgerMs;
    },
    begin: () => store.begin(),
    apply: (effects, now) => store.apply(effects, now),
    commit: (now) => store.commit(now),
    abandon: () => store.abandon(),
    close: () => store.close(),
  };
  const exits: number[] = [];
  const engine = new LedgerEngine({
    store: Object.defineProperties(
      bound,
      Object.getOwnPropertyDescriptors(breakStore(bound)),
    ) as EngineStore,
    meter: createLedgerMetrics(),
    now: () => START_MS,
    log: pino({ level: 'silent' }),
    exit: (code) => exits.push(code),
  });
  const newId = createIdSource(() => START_MS, randomBytes);
  const release = () =>
    engine.execute({ kind: 'release', reservationId: newId('reservation'), reason: null });
  return { path, db, engine, exits, release, newId };
}

const sqlError = (code: string) => new SqliteDatabase.SqliteError(`test: ${code}`, code);

describe('a commit that fails', () => {
  test('with an unknown outcome acknowledges nothing and ends the process', async () => {
    const { exits, release, db } = brokenLedger(() => ({
      commit: () => {
        throw sqlError('SQLITE_IOERR_FSYNC');
      },
    }));
    const outcomes = await Promise.all([release(), release()]);
    for (const outcome of outcomes) {
      expect(isRefusal(outcome) && outcome.refused).toBe('outcome_unknown');
    }
    expect(exits).toEqual([1]);
    db.close();
  });

  test('after it was applied is found applied by the next process', async () => {
    let fail = false;
    const { engine, exits, path, newId, db } = brokenLedger((store) => {
      const commit = store.commit;
      return {
        commit: (now) => {
          const wrote = commit(now);
          if (fail) throw sqlError('SQLITE_IOERR_FSYNC');
          return wrote;
        },
      };
    });
    const id = newId('reservation');
    fail = true;
    const outcome = await engine.execute({ kind: 'release', reservationId: id, reason: null });
    expect(isRefusal(outcome) && outcome.refused).toBe('outcome_unknown');
    expect(exits).toEqual([1]);
    db.close();

    const vault = await openVault({ path });
    expect((await asCore(vault, 'GET', `/reservations/${id}`)).body.state).toBe('released');
    expect((await asCore(vault, 'POST', '/release', { reservation_id: id })).status).toBe(200);
    expect(verifyFile(path).findings).toEqual([]);
  });

  test.each(['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_READONLY'])(
    'with %s was certainly not applied: refused, and the process lives',
    async (code) => {
      let failing = true;
      const { engine, exits, release, path, db } = brokenLedger((store) => {
        const commit = store.commit;
        return {
          commit: (now) => {
            if (failing) {
              store.abandon();
              throw sqlError(code);
            }
            return commit(now);
          },
        };
      });
      const outcome = await release();
      expect(isRefusal(outcome) && outcome.refused).toBe('storage_unavailable');
      expect(exits).toEqual([]);
      failing = false;
      await engine.probe({ kind: 'prolong', byMs: 0 });
      expect(isRefusal(await release())).toBe(false);
      db.close();
      expect(verifyFile(path).counts.reservations).toBe(1);
    },
  );

  test('in the middle of a batch stops the batch: nothing runs outside a transaction', async () => {
    const applied: number[] = [];
    const { exits, release, path, db } = brokenLedger((store) => {
      const apply = store.apply;
      return {
        apply: (effects, now) => {
          applied.push(1);
          if (applied.length === 2) {
            // As SQLite does: the transaction is over.
            store.abandon();
            throw sqlError('SQLITE_IOERR_WRITE');
          }
          apply(effects, now);
        },
      };
    });
    const outcomes = await Promise.all([release(), release(), release()]);
    for (const outcome of outcomes) {
      expect(isRefusal(outcome) && outcome.refused).toBe('storage_unavailable');
    }
    expect(applied.length).toBe(2);
    expect(exits).toEqual([]);
    db.close();
    expect(verifyFile(path).counts.reservations).toBe(0);
  });
});

describe('a defect in one command', () => {
  test('undoes that command alone', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault, { amount: 0 });
    const credit = (transactionId: string) =>
      vault.engine.execute({
        kind: 'credit',
        replayKey: undefined,
        correlationId: 'c',
        agentId: agent.id,
        amount: msat(5),
        transactionId,
      });
    const duplicate = vault.engine.execute({
      kind: 'create_agent',
      replayKey: undefined,
      correlationId: 'c',
      agentId: agent.id,
      name: 'twice',
      metadata: {},
      token: { id: 'tok_x', hash: 'h', scopes: ['spend'] },
      policy: null,
    });
    const outcomes = await Promise.all([credit('tx_1'), duplicate, credit('tx_2')]);
    expect(outcomes.map((outcome) => isRefusal(outcome) && outcome.refused)).toEqual([
      false,
      'internal_error',
      false,
    ]);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 10 });
    expect(vault.verify().findings).toEqual([]);
    const next = await fundedAgent(vault, { amount: 7 });
    expect(await balanceOf(vault, next)).toMatchObject({ available: 7 });
    expect(vault.verify().findings).toEqual([]);
  });
});

describe('another process that holds the write lock', () => {
  test('for a moment makes commands wait, and nothing fails', async () => {
    const vault = await openVault();
    const agent = await fundedAgent(vault);
    const other = new SqliteDatabase(vault.path);
    other.exec('BEGIN IMMEDIATE');
    const reserve = asCore(vault, 'POST', '/reserve', reserveBody(vault, agent));
    const waits = await Promise.race([reserve, new Promise((r) => setTimeout(r, 60, 'waits'))]);
    expect(waits).toBe('waits');
    other.exec('ROLLBACK');
    other.close();
    expect((await reserve).status).toBe(200);
  });
});

const LIMITED = `
  import { openVault, fundedAgent, held } from ${JSON.stringify(join(import.meta.dirname, '../support/vault.ts'))};
  const vault = await openVault({ path: process.env.VAULT_TEST_PATH });
  const agent = await fundedAgent(vault);
  const acknowledged = [];
  let refusal = null;
  for (let n = 0; n < 5000 && refusal === null; n++) {
    try { acknowledged.push(await held(vault, agent, 1)); } catch (error) { refusal = error.message; }
  }
  console.log(JSON.stringify({ acknowledged, refusal, exits: vault.exits, state: vault.engine.storage.state }));
  process.exit(0);
`;

test('a real limit of the file system: what the log could not take was not acknowledged', () => {
  const path = join(temporaryFolder(), 'vault.db');
  const child = spawnSync(
    'bash',
    [
      '-c',
      'ulimit -f 1500; exec "$0" --input-type=module-typescript -e "$1"',
      process.execPath,
      LIMITED,
    ],
    { env: { ...process.env, VAULT_TEST_PATH: path }, encoding: 'utf8', timeout: 60_000 },
  );
  const { acknowledged, refusal, exits, state } = JSON.parse(child.stdout.trim());
  expect(acknowledged.length).toBeGreaterThan(10);
  expect(refusal).toContain('storage_unavailable');
  expect([exits, state]).toEqual([[], 'failing']);

  const report = verifyFile(path);
  expect(report.findings).toEqual([]);
  expect(report.counts.reservations).toBe(acknowledged.length);
});
