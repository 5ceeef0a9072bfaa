/** The operator's commands for events, against a vault in this process. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../support/command.ts';
import {
  answering,
  closeReceivers,
  ok,
  startReceiver,
  WEBHOOK_SECRET,
  type WebhookReceiver,
} from '../support/receiver.ts';
import {
  ADMIN_TOKEN,
  asOperator,
  closeVaults,
  fundedAgent,
  openVault,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let receiver: WebhookReceiver;
let url: string;

beforeAll(async () => {
  receiver = await startReceiver();
  vault = await openVault({ webhook: { url: receiver.url, secret: WEBHOOK_SECRET } });
  url = await vault.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(async () => {
  await closeVaults();
  await closeReceivers();
});

const command = (...args: string[]) =>
  runCommand(args, { VAULT_URL: url, VAULT_ADMIN_TOKEN: ADMIN_TOKEN });

test('webhooks are listed and delivered again', async () => {
  expect(await command('webhooks')).toEqual({ code: 0, stdout: 'nothing\n', stderr: '' });
  const agent = await fundedAgent(vault);
  receiver.behave(answering(503));
  await vault.courier!.tick();
  const { stdout } = await command('webhooks', 'list', '--state', 'pending');
  const [heads, row] = stdout.split('\n');
  expect(heads).toMatch(/^ID +STATE +EVENT +AGENT +NO +SINCE +TRIES +NEXT +FAILURE$/);
  expect(row).toMatch(
    new RegExp(
      `^evt_\\w{26} +pending +deposit_settled +${agent.id} +1 +2026-\\S+ +1 +2026-\\S+ +answered 503$`,
    ),
  );
  const json = await command('webhooks', '--json');
  const { webhooks } = JSON.parse(json.stdout);
  expect(webhooks).toMatchObject([{ event: 'deposit_settled', state: 'pending' }]);

  receiver.behave(ok);
  const replayed = await command('webhooks', 'replay', webhooks[0].event_id);
  expect(replayed.stdout).toBe('1 to be delivered again\n');
  await vault.courier!.tick();
  expect((await command('webhooks', 'list')).stdout).toBe('nothing\n');
  expect(receiver.received).toHaveLength(2);
});

test('all dead letters are delivered again at once', async () => {
  const agent = await fundedAgent(vault, { amount: 0 });
  for (let n = 0; n < 3; n++) {
    await asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat: 1 });
  }
  const excess = { pending: 2, delivered: 0, dead: 0 };
  await vault.engine.execute({ kind: 'sweep_outbox', excess });
  expect((await command('webhooks', 'replay', '--dead')).stdout).toBe('2 to be delivered again\n');
  const { stdout } = await command('webhooks', 'list', '--state', 'pending', '--json');
  expect(JSON.parse(stdout).webhooks).toHaveLength(3);
});

test.each([
  [['webhooks', 'replay'], 2, 'usage:'],
  [['webhooks', 'replay', 'x', 'y', '--idempotency-key', 'k'], 2, 'one id'],
  [['webhooks', 'replay', 'x', '--state', 'dead'], 2, 'does not take --state'],
  [['webhooks', 'replay', 'x', '--dead'], 2, 'usage:'],
  [['webhooks', 'nope'], 2, 'usage:'],
  [['webhooks', 'list', '--state', 'lost'], 1, 'must be one of pending, dead'],
  [['webhooks', 'replay', 'evt_x'], 1, 'not_found'],
])('%j ends with %i and says why', async (args, code, message) => {
  const result = await command(...args);
  expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(message)]);
});
