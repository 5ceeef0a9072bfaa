import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  asAgent,
  asOperator,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  START_MS,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault);
});
afterEach(closeVaults);

interface Entry {
  sequence: number;
  action: string;
}

/** All entries, page by page; `between` runs after the first page. */
async function walk(query: string, between: () => Promise<unknown> = async () => {}) {
  const entries: Entry[] = [];
  let cursor = '';
  do {
    const url = `/agents/me/history?limit=3${query}${cursor}`;
    const { body } = await asAgent(vault, agent.token, url);
    if (entries.length === 0) await between();
    entries.push(...body.entries);
    cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
  } while (cursor);
  return entries;
}

const requests = async (n: number) => {
  for (let i = 0; i < n; i++) {
    vault.clock.advance(1_000);
    await settle(vault, await held(vault, agent, 10), 4);
  }
};

test('tells what happened, newest first, with who asked', async () => {
  await settle(vault, await held(vault, agent, 900, { correlation_id: 'req-7' }), 250, {
    provider: 'alpha',
    tokens_in: 12,
  });
  const { body } = await asAgent(vault, agent.token, '/agents/me/history');
  expect(body.entries.map(({ action }: Entry) => action)).toEqual([
    'RESERVATION_SETTLED',
    'RESERVATION_HELD',
    'DEPOSIT',
    'POLICY_UPDATED',
    'AGENT_REGISTERED',
  ]);
  expect(body.entries[0]).toMatchObject({
    amount_msat: 250,
    correlation_id: 'req-7',
    metadata: { usage: { provider: 'alpha', tokens_in: 12 } },
  });
  expect(body.entries[1]).toMatchObject({ amount_msat: 900, policy_decision: 'ALLOW' });
  expect(body.entries[2]).toMatchObject({ amount_msat: 1_000_000 });
});

test('can be read oldest first, complete while new entries arrive', async () => {
  await requests(4);
  const entries = await walk('&order=asc', () => requests(2));
  expect(entries.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 3 + 12 }, (_, n) => n + 1),
  );
});

test('read newest first has no entry twice and none missing while new entries arrive', async () => {
  await requests(4);
  const entries = await walk('', () => requests(2));
  expect(entries.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 11 }, (_, n) => 11 - n),
  );
});

describe('filters', () => {
  test('by action', async () => {
    await requests(4);
    const entries = await walk('&action_type=RESERVATION_SETTLED');
    expect(entries.map(({ sequence }) => sequence)).toEqual([11, 9, 7, 5]);
  });

  test('by time, both ends included', async () => {
    await requests(4);
    const entries = await walk(
      `&start_date=${START_MS + 2_000}&end_date=${START_MS + 3_000}&order=asc`,
    );
    expect(entries.map(({ sequence }) => sequence)).toEqual([6, 7, 8, 9]);
    expect(await walk(`&start_date=${START_MS + 9_000}`)).toEqual([]);
    expect(await walk('&end_date=5')).toEqual([]);
  });
});

test('of a million entries is answered at once, also where a filter matches nothing', async () => {
  const insert = vault.writer.prepare(
    "INSERT INTO audit (chain, seq, at, action, facts, hash) VALUES (1, ?, ?, 'RESERVATION_HELD', '{}', '')",
  );
  vault.writer.transaction(() => {
    for (let seq = 4; seq <= 60_000; seq++) insert.run(seq, START_MS + seq);
  })();
  const url = `/agents/me/history?action_type=AGENT_REGISTERED`;
  let pages = 0;
  let cursor = '';
  const found: Entry[] = [];
  do {
    const { body } = await asAgent(vault, agent.token, url + cursor);
    pages++;
    found.push(...body.entries);
    cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
  } while (cursor);
  expect(found.map(({ action }) => action)).toEqual(['AGENT_REGISTERED']);
  expect(pages).toBe(6);
});

test('shows the operator’s request id of what the operator did', async () => {
  await asOperator(
    vault,
    'POST',
    `/agents/${agent.id}/deposit`,
    { amount_msat: 5 },
    { 'x-request-id': 'op-1' },
  );
  const { body } = await asAgent(vault, agent.token, '/agents/me/history?limit=1');
  expect(body.entries[0]).toMatchObject({ action: 'DEPOSIT', correlation_id: 'op-1' });
});
