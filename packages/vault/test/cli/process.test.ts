/** The vault as a process: how it starts, refuses to, stops, dies and comes back. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterEach, describe, expect, test } from 'vitest';
import { ADMIN_TOKEN, closeVaults, INTERNAL_TOKEN, temporaryFolder } from '../support/vault.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');
const running: ChildProcess[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await closeVaults();
});

const environment = (over: Record<string, string>): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  VAULT_ADMIN_TOKEN: ADMIN_TOKEN,
  VAULT_INTERNAL_TOKEN: INTERNAL_TOKEN,
  PORT: '0',
  ...over,
});

interface Served {
  readonly child: ChildProcess;
  readonly url: string;
}

/** Starts the vault and waits for the line that says where it serves. */
function serve(over: Record<string, string>): Promise<Served> {
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    env: environment(over),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.push(child);
  return new Promise((resolve, reject) => {
    let log = '';
    child.stdout!.setEncoding('utf8').on('data', (chunk) => {
      log += chunk;
      const url = /"address":"(http:[^"]+)"/.exec(log)?.[1];
      if (url) resolve({ child, url });
    });
    child.on('exit', () => reject(new Error(`the vault ended: ${log}`)));
  });
}

function vault(args: string[], over: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    env: environment(over),
    encoding: 'utf8',
    timeout: 15_000,
  });
  return { status, stdout, stderr };
}

const post = async (url: string, path: string, body: object) => {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${ADMIN_TOKEN}`,
      'x-internal-token': INTERNAL_TOKEN,
      'content-type': 'application/json',
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
};

const newPath = () => join(temporaryFolder(), 'data', 'vault.db');

test('killed in the middle of its work, it has lost nothing that it answered', async () => {
  const path = newPath();
  const first = await serve({ DATABASE_PATH: path });
  const agent = await post(first.url, '/agents', { name: 'a', policy: {} });
  await post(first.url, `/agents/${agent.body.agent_id}/deposit`, { amount_msat: 1_000_000 });
  const answered: string[] = [];
  const reserveForever = async (worker: number): Promise<void> => {
    for (let n = 0; ; n++) {
      const correlation_id = `w${worker}-${n}`;
      const { status, body } = await post(first.url, '/internal/reserve', {
        agent_token: agent.body.token,
        amount_msats: 1,
        correlation_id,
        model: 'm',
      });
      if (status === 200) answered.push(body.reservation_id!);
      if (answered.length === 150) first.child.kill('SIGKILL');
    }
  };
  await Promise.allSettled(Array.from({ length: 16 }, (_, worker) => reserveForever(worker)));
  expect(answered.length).toBeGreaterThanOrEqual(150);
  expect(vault(['verify'], { DATABASE_PATH: path }).status).toBe(0);

  const second = await serve({ DATABASE_PATH: path });
  const headers = { 'x-internal-token': INTERNAL_TOKEN };
  for (const id of answered) {
    const answer = await fetch(`${second.url}/internal/reservations/${id}`, { headers });
    expect(((await answer.json()) as { state: string }).state).toBe('held');
  }
  second.child.kill('SIGTERM');
  expect((await once(second.child, 'exit'))[0]).toBe(0);
  expect(vault(['verify'], { DATABASE_PATH: path }).status).toBe(0);
});

describe('a start that cannot work is one clear line and 1', () => {
  const line = (result: { status: number | null; stderr: string }) => {
    expect(result.status).toBe(1);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    return result.stderr;
  };

  test('where another vault has the database, or the port', async () => {
    const path = newPath();
    const { url, child } = await serve({ DATABASE_PATH: path });
    expect(line(vault(['serve'], { DATABASE_PATH: path }))).toContain('another vault is running');
    const port = new URL(url).port;
    const second = vault(['serve'], { DATABASE_PATH: newPath(), PORT: port });
    expect(line(second)).toContain(`port ${port} on 127.0.0.1 is taken`);
    child.kill('SIGINT');
    expect((await once(child, 'exit'))[0]).toBe(0);
  });

  test('where the data folder cannot be made', () => {
    const inAFile = join(MAIN, 'data', 'vault.db');
    const result = vault(['serve'], { DATABASE_PATH: inAFile });
    expect(line(result)).toContain('cannot make the data folder');
  });

  test('where the database is something else', () => {
    const path = join(temporaryFolder(), 'vault.db');
    writeFileSync(path, 'this is not a database, but long enough to be taken for one '.repeat(20));
    expect(line(vault(['serve'], { DATABASE_PATH: path }))).toContain('cannot use the database');
    expect(vault(['verify'], { DATABASE_PATH: path }).status).toBe(1);
  });

  test('where a secret is missing', () => {
    expect(line(vault(['serve'], { VAULT_ADMIN_TOKEN: '' }))).toContain('VAULT_ADMIN_TOKEN');
  });
});

test('verify works while the vault runs, and names what somebody changed', async () => {
  const path = newPath();
  const { url, child } = await serve({ DATABASE_PATH: path });
  await post(url, '/agents', { name: 'a' });
  const healthy = vault(['verify'], { DATABASE_PATH: path });
  expect([healthy.status, healthy.stdout]).toEqual([0, expect.stringContaining('1 agents')]);
  child.kill('SIGTERM');
  await once(child, 'exit');

  const db = new SqliteDatabase(path);
  db.exec("UPDATE agents SET name = 'b'");
  db.close();
  const changed = vault(['verify'], { DATABASE_PATH: path });
  expect([changed.status, changed.stdout]).toEqual([
    1,
    expect.stringContaining('name is b, the audit trail says a'),
  ]);
  const json = JSON.parse(vault(['verify', '--json'], { DATABASE_PATH: path }).stdout);
  expect(json).toMatchObject({ ok: false, findings_total: 1 });
});

test('verify without a database is one clear line', () => {
  const result = vault(['verify'], { DATABASE_PATH: '/nope/vault.db' });
  expect([result.status, result.stderr]).toEqual([1, expect.stringContaining('no database at')]);
});

test('the committed API description is what the code says', () => {
  const file = join(import.meta.dirname, '../../../../docs/vault-openapi.json');
  expect(vault(['openapi', '--check', file])).toMatchObject({ status: 0 });
  const stale = vault(['openapi', '--check', MAIN]);
  expect([stale.status, stale.stderr]).toEqual([
    1,
    expect.stringContaining('not what the code says'),
  ]);
});
