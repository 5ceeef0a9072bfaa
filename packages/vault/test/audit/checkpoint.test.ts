/** Ledgers that were rewritten without a trace, by somebody who has even the AUDIT_KEY. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { exportCheckpoint } from '../../src/audit/checkpoint/export.ts';
import { writeCheckpoint } from '../../src/audit/checkpoint/write.ts';
import { createSeal } from '../../src/audit/seal.ts';
import { verifyLedger } from '../../src/audit/verify/verify.ts';
import { run } from '../../src/cli/run.ts';
import { openReader } from '../../src/db/open.ts';
import {
  asOperator,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  settle,
  type TestAgent,
  temporaryFolder,
} from '../support/vault.ts';

const auditKey = 'a-key-for-the-audit-trail-0123456789';
const seal = createSeal(auditKey);

let folder: string;
let original: string;
let checkpoint: string;
let first: TestAgent;
/** The youngest account, which never had money. */
let last: TestAgent;
let copies = 0;

beforeAll(async () => {
  folder = temporaryFolder();
  const vault = await openVault({ auditKey });
  first = await fundedAgent(vault);
  const tokens = `/agents/${first.id}/tokens`;
  await asOperator(vault, 'POST', tokens, { scopes: ['read'], overlap_secs: null });
  await settle(vault, await held(vault, first), 400);
  last = await fundedAgent(vault, { amount: 0 });
  const policy = `/operator/agents/${last.id}/policy`;
  await asOperator(vault, 'PATCH', policy, { daily_limit_msat: 1_000 });
  await vault.close();
  original = vault.path;
  checkpoint = take(original, 'checkpoint.txt');
});
afterEach(() => vi.restoreAllMocks());
afterAll(closeVaults);

function take(database: string, name = `checkpoint-${copies++}.txt`, by = seal): string {
  const path = join(folder, name);
  reading(database, (db) => writeCheckpoint(db, by, path));
  return path;
}

function reading<T>(path: string, read: (db: Database) => T): T {
  const db = openReader(path);
  try {
    return read(db);
  } finally {
    db.close();
  }
}

const verify = (database: string, ...checkpoints: string[]) =>
  reading(database, (db) => verifyLedger(db, seal, checkpoints));

/** A copy that somebody worked on; every chain is sealed anew, and every head fits. */
function rewritten(rewrite: (db: Database) => void, base = original): string {
  const path = join(folder, `copy-${copies++}.db`);
  copyFileSync(base, path);
  const db = new SqliteDatabase(path);
  db.pragma('foreign_keys = OFF');
  const triggers = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'",
    )
    .all();
  for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
  rewrite(db);
  sealAnew(db);
  for (const { sql } of triggers) db.exec(sql);
  db.close();
  return path;
}

function sealAnew(db: Database): void {
  interface Row {
    id: number;
    chain: number;
    name: string | null;
    seq: number;
    at: number;
    action: string;
    facts: string;
  }
  const rows = db
    .prepare<[], Row>(
      `SELECT audit.*, agents.id AS name FROM audit LEFT JOIN agents ON agents.no = chain
       ORDER BY chain, seq`,
    )
    .all();
  const update = db.prepare('UPDATE audit SET hash = ? WHERE chain = ? AND seq = ?');
  db.exec('DELETE FROM audit_heads');
  const head = db.prepare('INSERT OR REPLACE INTO audit_heads (chain, seq, hash) VALUES (?, ?, ?)');
  let previous = { chain: -1, hash: '' };
  for (const { chain, name, seq, at, action, facts } of rows) {
    const before = previous.chain === chain ? previous.hash : '';
    const hash = seal.row(before, name ?? 'ledger', seq, at, action, facts);
    update.run(hash, chain, seq);
    head.run(chain, seq, hash);
    previous = { chain, hash };
  }
}

const agentNo = (db: Database, agent: TestAgent): number =>
  db.prepare<[string], { no: number }>('SELECT no FROM agents WHERE id = ?').get(agent.id)!.no;

function remove(db: Database, agent: TestAgent): void {
  const no = agentNo(db, agent);
  for (const table of ['agent_tokens', 'policy_versions']) {
    db.exec(`DELETE FROM ${table} WHERE agent_no = ${no}`);
  }
  db.exec(`DELETE FROM agents WHERE no = ${no}`);
  db.exec(`DELETE FROM audit WHERE chain = ${no}`);
  db.exec(`DELETE FROM accounts WHERE name LIKE 'agent:${agent.id}:%'`);
}

/** What nobody sees who has the database alone, and the checkpoint tells. */
function expectSeen(path: string): string {
  expect(verify(path).findings).toEqual([]);
  const report = verify(path, checkpoint);
  expect(report.total).toBeGreaterThan(0);
  return report.findings.join('\n');
}

test('a ledger contains its checkpoint', () => {
  const report = verify(original, checkpoint);
  expect(report.findings).toEqual([]);
  expect(report.checkpoints).toMatchObject([
    { auditRows: report.counts.auditRows, setBackRows: 0 },
  ]);
});

describe('without a trace in the ledger itself, and seen by the checkpoint', () => {
  test('a row that was rewritten and sealed anew, with all after it', () => {
    const path = rewritten((db) => {
      const no = agentNo(db, first);
      db.exec("UPDATE agents SET name = 'Mallory'");
      db.exec(`UPDATE audit SET facts = json_set(facts, '$.name', 'Mallory')
        WHERE action = 'AGENT_REGISTERED' AND chain = ${no}`);
      db.exec(`UPDATE agents SET name = 'test agent' WHERE no <> ${no}`);
    });
    const seen = expectSeen(path);
    expect(seen).toMatch(
      new RegExp(`^${first.id}: audit row \\d+ is not the one of the checkpoint`),
    );
    expect(seen).not.toContain(last.id);
  });

  test('of two checkpoints, which are before and after it', async () => {
    const path = join(folder, `copy-${copies++}.db`);
    copyFileSync(original, path);
    const vault = await openVault({ auditKey, path });
    await asOperator(vault, 'PATCH', `/operator/agents/${last.id}/policy`, { max_fee_msat: 1 });
    await vault.close();
    const later = take(path);
    const tampered = rewritten((db) => {
      db.exec('UPDATE policy_versions SET max_fee_msat = 2 WHERE max_fee_msat = 1');
      db.exec(`UPDATE audit SET facts = json_set(facts, '$.max_fee_msat', 2)
        WHERE facts ->> 'max_fee_msat' = 1`);
    }, path);
    expect(verify(tampered).findings).toEqual([]);
    const args = ['verify', '--checkpoint', checkpoint, '--checkpoint', later];
    const { code, output } = await commandLine(args, {
      DATABASE_PATH: tampered,
      AUDIT_KEY: auditKey,
    });
    expect(code).toBe(1);
    expect(output).toContain(`\ncontains the checkpoint ${checkpoint}`);
    expect(output).toContain(`\ndoes not contain the checkpoint ${later}`);
  });

  test('a row that was taken out, the later ones numbered anew', () => {
    const seen = expectSeen(
      rewritten((db) => {
        const { id, chain, seq, token } = db
          .prepare<[number], { id: number; chain: number; seq: number; token: string }>(
            `SELECT id, chain, seq, facts ->> 'token_id' AS token FROM audit
             WHERE action = 'TOKEN_ISSUED' AND chain = ? ORDER BY seq DESC LIMIT 1`,
          )
          .get(agentNo(db, first))!;
        db.exec(`DELETE FROM agent_tokens WHERE id = '${token}'`);
        db.exec(`DELETE FROM audit WHERE id = ${id}`);
        db.exec(`UPDATE audit SET id = id - 1 WHERE id > ${id}`);
        db.exec(`UPDATE audit SET seq = seq - 1 WHERE chain = ${chain} AND seq > ${seq}`);
      }),
    );
    expect(seen).toContain(`${first.id}: its audit trail was cut`);
  });

  test('two rows that changed places', () => {
    const path = rewritten((db) => {
      const chain = agentNo(db, last);
      const swap = db.prepare('UPDATE audit SET seq = ? WHERE chain = ? AND seq = ?');
      for (const [from, to] of [
        [2, 99],
        [3, 2],
        [99, 3],
      ]) {
        swap.run(to, chain, from);
      }
    });
    expect(expectSeen(path)).toContain(`${last.id}: audit row`);
  });

  test('a tail that was cut off', () => {
    const seen = expectSeen(
      rewritten((db) => {
        const chain = agentNo(db, last);
        db.exec(`DELETE FROM policy_versions WHERE agent_no = ${chain} AND version = 2`);
        db.exec(`DELETE FROM audit WHERE chain = ${chain} AND action = 'POLICY_UPDATED'
          AND seq = (SELECT max(seq) FROM audit WHERE chain = ${chain})`);
      }),
    );
    expect(seen).toMatch(new RegExp(`${last.id}: its audit trail was cut: it ends at row \\d+`));
    expect(seen).not.toContain(first.id);
  });

  test('an account that has vanished', () => {
    const path = rewritten((db) => remove(db, last));
    expect(expectSeen(path)).toMatch(
      new RegExp(`${last.id}: has vanished: .* has \\d+ audit rows`),
    );
  });

  test('an account that has vanished, whose number another one took', async () => {
    const path = rewritten((db) => remove(db, last));
    const vault = await openVault({ auditKey, path });
    const other = await fundedAgent(vault, { amount: 0 });
    await vault.close();
    expect(expectSeen(path)).toMatch(
      new RegExp(`${last.id}: has vanished: .*; its number is ${other.id} now`),
    );
  });

  test('an older copy that was put in its place', async () => {
    const path = join(folder, `copy-${copies++}.db`);
    copyFileSync(original, path);
    const vault = await openVault({ auditKey, path });
    await held(vault, first, 5);
    await vault.close();
    const later = take(path);
    expect(verify(original, later).findings).toEqual([
      expect.stringContaining(`${first.id}: its audit trail was cut`),
      expect.stringMatching(/^ledger: .*an older copy was put in its place/),
    ]);
  });
});

test('a row that is simply gone is named by number, though rows came after it', async () => {
  const path = join(folder, `copy-${copies++}.db`);
  copyFileSync(original, path);
  const vault = await openVault({ auditKey, path });
  await asOperator(vault, 'PATCH', `/operator/agents/${last.id}/policy`, { max_fee_msat: 1 });
  await vault.close();
  const db = new SqliteDatabase(path);
  const { seq } = db
    .prepare<[number], { seq: number }>('SELECT max(seq) - 1 AS seq FROM audit WHERE chain = ?')
    .get(agentNo(db, last))!;
  db.exec('DROP TRIGGER audit_no_delete');
  db.prepare('DELETE FROM audit WHERE chain = ? AND seq = ?').run(agentNo(db, last), seq);
  db.close();
  const findings = verify(path, checkpoint).findings.join('\n');
  expect(findings).toContain(`${last.id}: audit row ${seq} is missing, the checkpoint of`);
});

describe('no alarm', () => {
  test('while a vault is writing, and after its restart', async () => {
    const vault = await openVault({ auditKey });
    const agent = await fundedAgent(vault);
    const busy = Array.from({ length: 30 }, async () =>
      settle(vault, await held(vault, agent), 10),
    );
    const taken: string[] = [];
    for (let round = 0; round < 5; round++) {
      taken.push(take(vault.path));
      await held(vault, agent);
      expect(verify(vault.path, ...taken).findings).toEqual([]);
    }
    await Promise.all(busy);
    const again = await vault.restart();
    await fundedAgent(again);
    taken.push(take(vault.path));
    expect(verify(vault.path, ...taken).findings).toEqual([]);
    expect(verify(vault.path, ...taken).checkpoints).toHaveLength(6);
  });

  test('after a restore, which is told in words, and only for what the backup had not', async () => {
    const vault = await openVault({ auditKey });
    const agent = await fundedAgent(vault);
    const idle = await fundedAgent(vault, { amount: 0 });
    const environment = { DATABASE_PATH: vault.path, AUDIT_KEY: auditKey };
    const before = take(vault.path);
    const backup = join(folder, 'backup.db');
    await commandLine(['backup', backup], environment);
    await held(vault, agent);
    await fundedAgent(vault);
    const lost = take(vault.path);
    await vault.close();

    const path = join(folder, 'restored.db');
    const there = { ...environment, DATABASE_PATH: path };
    await commandLine(['restore', backup], there);
    const restored = await openVault({ auditKey, path });
    await fundedAgent(restored);
    const after = join(folder, 'after.txt');
    const taken = await commandLine(['checkpoint', after], there);
    expect(taken).toMatchObject({ code: 0, output: expect.stringContaining('10 audit rows') });
    const twice = await commandLine(['checkpoint', after], there);
    expect(twice).toMatchObject({ code: 1, output: expect.stringContaining('exists') });

    const fine = await commandLine(
      ['verify', '--checkpoint', before, '--checkpoint', after],
      there,
    );
    expect(fine).toMatchObject({ code: 0 });
    expect(fine.output.match(/^contains the checkpoint /gm)).toHaveLength(2);
    const set = await commandLine(['verify', '--checkpoint', lost], there);
    expect(set.code).toBe(3);
    expect(set.output).toMatch(/^ok: .*\nrestored: this vault .* the last 4 of its 10 audit rows/);

    // As many rows, and yet not the same ones.
    const next = reading(path, (db) => exportCheckpoint(db, seal, `${path}.next`, lost));
    expect(next).toMatchObject({ did: 'write', setBackRows: 4 });

    // What the backup did have is still compared.
    await restored.close();
    const tampered = rewritten((db) => {
      db.exec("UPDATE agents SET name = 'Mallory' WHERE no = 2");
      db.exec(`UPDATE audit SET facts = json_set(facts, '$.name', 'Mallory')
        WHERE action = 'AGENT_REGISTERED' AND chain = 2`);
    }, path);
    expect(verify(tampered).findings).toEqual([]);
    for (const known of [before, lost]) {
      expect(verify(tampered, known).findings).toEqual([expect.stringContaining(idle.id)]);
    }
  });
});

async function commandLine(args: string[], environment: Record<string, string>) {
  let output = '';
  const keep = (text: unknown): boolean => {
    output += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
  const code = await run(args, environment);
  vi.restoreAllMocks();
  return { code, output };
}

describe('a file that cannot be compared is refused, and nothing is said of the ledger', () => {
  const refused = (path: string, database = original): string => {
    try {
      verify(database, path);
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('it was taken');
  };
  const changed = (change: (text: string) => string): string => {
    const path = join(folder, `changed-${copies++}.txt`);
    writeFileSync(path, change(readFileSync(checkpoint, 'utf8')));
    return path;
  };

  test.each([
    [
      'a changed row',
      (text: string) => text.replace(/^1 (\S+) (\d+)/m, '1 $1 1'),
      'changed or cut',
    ],
    ['a line less', (text: string) => text.replace(/^1 .*\n/m, ''), 'changed or cut'],
    ['a cut end', (text: string) => text.slice(0, -20), 'changed or cut'],
    ['an added line', (text: string) => `${text}1 ag_x 1 hash\n`, 'changed or cut'],
    [
      'a later version',
      (text: string) => text.replace('"version":1', '"version":2'),
      'newer vault',
    ],
    ['another file', () => 'x'.repeat(100_000), 'no audit checkpoint'],
    ['an empty file', () => '', 'no audit checkpoint'],
  ])('%s', (_what, change, why) => {
    expect(refused(changed(change))).toContain(why);
  });

  test('one that somebody made without the key', () => {
    expect(refused(take(original, 'unkeyed.txt', createSeal(null)))).toContain('without a key');
    expect(refused(take(original, 'foreign-key.txt', createSeal(`${auditKey}x`)))).toContain(
      'another AUDIT_KEY',
    );
    const forged = changed((text) => text.replace(/"signature":"[^"]+"/, '"signature":"x"'));
    expect(refused(forged)).toContain('changed or cut');
  });

  test('one of another vault', async () => {
    const other = await openVault({ auditKey });
    await other.close();
    expect(refused(take(other.path))).toContain("another vault's");
  });

  test('one that is not there', () => {
    expect(refused(join(folder, 'nowhere.txt'))).toContain('ENOENT');
  });
});

test('no checkpoint is taken of a ledger whose heads do not fit, and no file is left', () => {
  const path = rewritten(() => {});
  const db = new SqliteDatabase(path);
  db.exec('UPDATE audit_heads SET seq = seq - 1 WHERE chain = 1');
  db.close();
  expect(() => take(path, 'unfit.txt')).toThrow('run verify');
  expect(existsSync(join(folder, 'unfit.txt'))).toBe(false);
  expect(existsSync(join(folder, 'unfit.txt.draft'))).toBe(false);
});

test('a checkpoint grows with the agents and not with what they did', async () => {
  const text = readFileSync(checkpoint, 'utf8');
  expect(text.split('\n').filter((line) => /^\d/.test(line))).toHaveLength(3);
  expect(text.length).toBeLessThan(700);
});
