/** What an operator is told where no answer came: whether the command may have been done. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOperatorClient, REQUEST_MAX_MS } from '../../src/cli/client.ts';
import { RUNNER_TIMING } from '../../src/worker/runner.ts';

let answer: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => answer(request, response));
let url: string;

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const client = (key?: string) =>
  createOperatorClient({ VAULT_URL: url, VAULT_ADMIN_TOKEN: 't' }, key, 100);
const KEY = /--idempotency-key ([\w-]+)/;

async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'answered',
    (error: Error) => error.message,
  );
}

test('waits longer than the vault does for a payment', () => {
  expect(REQUEST_MAX_MS).toBeGreaterThan(RUNNER_TIMING.answerMs);
});

describe.each([
  ['no answer in time', () => undefined],
  ['an answer that breaks off', (_: IncomingMessage, { socket }: ServerResponse) => socket?.end()],
  [
    'an answer that is none',
    (_: IncomingMessage, response: ServerResponse) => response.writeHead(502).end('<html>'),
  ],
  [
    'an answer of something between',
    (_: IncomingMessage, response: ServerResponse) => response.writeHead(502).end('{"status":502}'),
  ],
])('%s', (_name, behaviour) => {
  test('to a change: it may be done, and under which key it may be asked again', async () => {
    const keys: unknown[] = [];
    answer = (request, response) => {
      keys.push(request.headers['idempotency-key']);
      behaviour(request, response);
    };
    const message = await refusal(client().call('POST', '/agents/a/deposit', { amount_msat: 1 }));
    expect(message).toContain('may have been done');
    expect(message).not.toContain('start it');
    expect(keys).toEqual([KEY.exec(message)?.[1]]);
    await refusal(client('mine').call('POST', '/agents/a/deposit', { amount_msat: 1 }));
    expect(keys[1]).toBe('mine');
  });

  test('to a question: ask again', async () => {
    answer = behaviour;
    const message = await refusal(client().call('GET', '/agents'));
    expect(message).not.toMatch(KEY);
    expect(message).toContain('nothing was changed');
  });
});

test('nobody there: start it; nothing was done', async () => {
  const { port } = server.address() as AddressInfo;
  const nowhere = { VAULT_URL: `http://127.0.0.1:${port}`, VAULT_ADMIN_TOKEN: 't' };
  server.close();
  await once(server, 'close');
  const message = await refusal(createOperatorClient(nowhere).call('POST', '/agents', {}));
  expect(message).toMatch(/no vault answers .* start it, or set VAULT_URL/);
  expect(message).not.toMatch(/may have been done|--idempotency-key/);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
