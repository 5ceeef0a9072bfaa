/** A backup of a live vault under load, restored elsewhere: nothing that was billed since is lost. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWriter } from '../../packages/vault/src/db/open.ts';
import { until } from '../support/process.ts';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

const MAIN = fileURLToPath(new URL('../../packages/vault/src/main.ts', import.meta.url));
const FUNDS = 1_000_000_000;

let stack: Stack;
let agent: Agent;

beforeAll(async () => {
  stack = await startStack({
    providers: [{ name: 'alpha', mock: { answer: 'Hello, world.' } }],
    server: 'max_concurrency_per_caller = 1000',
  });
  agent = await stack.agent({ fundMsat: FUNDS });
});
afterAll(() => stack.stop());

function vault(args: string[], database = stack.vaultDatabase) {
  const env = { ...stack.vaultEnv, DATABASE_PATH: database, PATH: process.env.PATH };
  return new Promise<{ code: number; output: string }>((resolve) => {
    const port = stack.vaultEnv.PORT;
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { ...env, VAULT_URL: `http://127.0.0.1:${port}` }, cwd: stack.dir },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    );
  });
}

async function ask(text: string): Promise<Response> {
  return fetch(`${stack.core.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: text }] }),
    headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' },
  });
}

async function costOf(response: Response): Promise<number> {
  await response.text();
  return Math.round(Number(response.headers.get('x-arbstr-cost-sats')) * 1000);
}

const health = async () =>
  (await (await fetch(`http://127.0.0.1:${stack.vaultEnv.PORT}/health`)).json()) as {
    mode: string;
    ledger_epoch: string;
  };

describe('backup', () => {
  it('refuses a file that exists, and a database that does not', async () => {
    const refused = await vault(['backup', stack.configPath]);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.output).toContain('exists; name a file that is not there');
    expect(await vault(['backup', join(stack.dir, 'x')], '/nowhere/vault.db')).toMatchObject({
      code: 1,
    });
    expect(await vault(['restore', join(stack.dir, 'absent')])).toMatchObject({ code: 1 });
  });

  it('is never restored over a vault, running or not', async () => {
    const copy = join(stack.dir, 'first.db');
    expect(await vault(['backup', copy])).toMatchObject({ code: 0 });
    const running = await vault(['restore', copy]);
    expect(running).toMatchObject({ code: 1 });
    expect(running.output).toContain('another vault is running');
    const other = join(stack.dir, 'other.db');
    expect(await vault(['restore', copy], other)).toMatchObject({ code: 0 });
    const again = await vault(['restore', copy], other);
    expect(again.output).toContain('a restore overwrites nothing');
  });

  it('that was tampered with is not used', async () => {
    const copy = join(stack.dir, 'tampered.db');
    await vault(['backup', copy]);
    const db = openWriter(copy);
    db.exec("update accounts set balance = balance + 1 where name like '%available'");
    db.close();
    const target = join(stack.dir, 'never.db');
    const refused = await vault(['restore', copy], target);
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.output).toContain('does not verify');
    expect(readdirSync(stack.dir).filter((name) => name.startsWith('never.db'))).toEqual([
      'never.db.lock',
    ]);
  });
});

describe('a vault that is restored from a backup taken under load', () => {
  const copy = () => join(stack.dir, 'loaded.db');
  let spent = 0;
  let epoch: string;
  /** Not `spent += await …`: that reads before it waits. */
  const pay = (cost: number): void => {
    spent += cost;
  };

  it('is backed up while it works', async () => {
    let busy = true;
    const load = Array.from({ length: 8 }, async (_, worker) => {
      for (let n = 0; busy; n++) pay(await costOf(await ask(`Load ${worker} ${n}.`)));
    });
    await until(() => spent > 0);
    expect(await vault(['backup', copy()])).toMatchObject({ code: 0 });
    busy = false;
    await Promise.all(load);
    for (let n = 0; n < 20; n++) pay(await costOf(await ask(`After ${n}.`)));
    expect(await settled(stack, agent)).toBe(FUNDS - spent);
  });

  it('starts in recovery mode, with a new ledger', async () => {
    epoch = (await health()).ledger_epoch;
    await stack.vault!.kill();
    for (const suffix of ['', '-wal', '-shm']) {
      const path = stack.vaultDatabase + suffix;
      if (existsSync(path)) renameSync(path, `${path}.lost`);
    }
    expect(await vault(['restore', copy()])).toMatchObject({ code: 0 });
    await stack.startVault();
    const now = await health();
    expect(now.mode).toBe('recovery');
    expect(now.ledger_epoch).not.toBe(epoch);
    expect(await stack.verify()).toMatchObject({ code: 0 });
  });

  it('T65: holds and pays nothing', async () => {
    const refused = await ask('Too early.');
    expect(refused.status).toBe(503);
    const pay = await fetch(`http://127.0.0.1:${stack.vaultEnv.PORT}/agents/me/pay`, {
      method: 'POST',
      body: JSON.stringify({
        amount_msat: 1000,
        destination_type: 'lightning_address',
        destination: 'a@b.example',
        purpose: 'x',
      }),
      headers: { authorization: `Bearer ${agent.token}`, 'content-type': 'application/json' },
    });
    expect(pay.status).toBe(503);
    expect(((await pay.json()) as { error: { code: string } }).error.code).toBe('recovering');
  });

  it('is told by core what was billed since, once', async () => {
    await until(
      async () => (await stack.balance(agent)).available === FUNDS - spent,
      30_000,
      () => `what was billed since the backup is not booked:\n${stack.core.output()}`,
    );
    expect(await stack.verify()).toMatchObject({ code: 0 });
  });

  it('works again when the operator says so, and says it once', async () => {
    expect(await vault(['recovery', 'finish'])).toMatchObject({ code: 0 });
    expect((await health()).mode).toBe('normal');
    expect((await vault(['recovery', 'finish'])).output).toContain('not_recovering');
    pay(await costOf(await ask('At last.')));
    expect(await settled(stack, agent)).toBe(FUNDS - spent);
    expect(await stack.verify()).toMatchObject({ code: 0 });
  });

  it('stays as it is over a restart', async () => {
    await stack.vault!.kill();
    await stack.startVault();
    expect(await health()).toMatchObject({ mode: 'normal' });
    expect(await stack.verify()).toMatchObject({ code: 0 });
  });
});
