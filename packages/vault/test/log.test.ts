import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createLogs, LineWriter } from '../src/log.ts';
import {
  ADMIN_TOKEN,
  asAgent,
  asCore,
  asOperator,
  closeVaults,
  fundedAgent,
  held,
  INTERNAL_TOKEN,
  openVault,
  settle,
  temporaryFolder,
} from './support/vault.ts';

afterEach(closeVaults);

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function logFile() {
  const path = join(temporaryFolder(), 'log');
  const fd = openSync(path, 'w');
  return { fd, lines: () => readFileSync(path, 'utf8').split('\n').filter(Boolean) };
}

test('no token and no secret reaches the log, at any level', async () => {
  const { fd, lines } = logFile();
  const vault = await openVault({ logs: createLogs('trace', fd) });
  const agent = await fundedAgent(vault);
  await settle(vault, await held(vault, agent), 400);
  await asAgent(vault, agent.token, '/agents/me/balance');
  await asCore(vault, 'POST', '/authenticate', { agent_token: `${agent.token}x` });
  await asOperator(vault, 'POST', '/agents', { name: 7 });
  await vault.close();
  await turn();
  const text = lines().join('\n');
  expect(text).toContain('/internal/settle');
  for (const secret of [agent.token, ADMIN_TOKEN, INTERNAL_TOKEN])
    expect(text).not.toContain(secret);
});

test('secrets inside an object are redacted', async () => {
  const { fd, lines } = logFile();
  const { log } = createLogs('info', fd);
  log.info({ agent_token: 'secret', req: { headers: { authorization: 'secret' } } }, 'x');
  await turn();
  expect(lines().join()).not.toContain('secret');
});

describe('lines', () => {
  test('of one turn are written when it ends, in order', async () => {
    const { fd, lines } = logFile();
    const writer = new LineWriter(fd);
    writer.write('one\n');
    writer.write('two\n');
    expect(lines()).toEqual([]);
    await turn();
    expect(lines()).toEqual(['one', 'two']);
  });

  test('are written at once before the process ends', () => {
    const { fd, lines } = logFile();
    const writer = new LineWriter(fd);
    writer.write('last words\n');
    writer.flush();
    expect(lines()).toEqual(['last words']);
  });

  test('that nobody reads any more disturb nothing', async () => {
    const { fd } = logFile();
    closeSync(fd);
    const writer = new LineWriter(fd);
    writer.write('lost\n');
    await turn();
    writer.write('lost too\n');
    writer.flush();
  });
});
