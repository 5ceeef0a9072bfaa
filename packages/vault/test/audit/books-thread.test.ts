import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BooksThread, createBooksThread } from '../../src/audit/books-thread.ts';
import {
  closeVaults,
  fundedAgent,
  held,
  openVault,
  settle,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let thread: BooksThread;
beforeEach(async () => {
  vault = await openVault();
  thread = createBooksThread(vault.path);
});
afterEach(async () => {
  await thread.stop();
  await closeVaults();
});

test('sums what was committed before the question', async () => {
  const agent = await fundedAgent(vault, { amount: 1_000 });
  expect(await thread.sums()).toMatchObject({ agentsAvailable: 1_000, revenue: 0 });
  const usage = { provider: 'p', tokens_in: 3, tokens_out: 4 };
  await settle(vault, await held(vault, agent, 300, { model: 'm' }), 200, usage);
  await settle(vault, await held(vault, agent, 300, { model: 'n' }), 100);
  await held(vault, agent, 50);
  expect(await thread.sums()).toMatchObject({ agentsHeld: 50, revenue: 300, railsBacking: 1_000 });
  expect(await thread.counts()).toMatchObject({ agents: 1, holds: 1 });
  const row = { requests: 1, tokens_in: 0, tokens_out: 0 };
  expect(await thread.usage(1, { low: 1, high: 100 })).toEqual({
    model: [
      { ...row, key: 'm', charged_msat: 200, tokens_in: 3, tokens_out: 4 },
      { ...row, key: 'n', charged_msat: 100 },
    ],
    provider: [
      { ...row, key: 'p', charged_msat: 200, tokens_in: 3, tokens_out: 4 },
      { ...row, key: null, charged_msat: 100 },
    ],
    day: [{ key: '2026-01-01', requests: 2, charged_msat: 300, tokens_in: 3, tokens_out: 4 }],
  });
});

test('refuses all that wait when one takes too long, and starts anew', async () => {
  const slow = createBooksThread(vault.path, 1);
  const refusals = await Promise.all([slow.sums(), slow.counts()]);
  expect(refusals).toMatchObject([{ refused: 'overloaded' }, { refused: 'overloaded' }]);
  await slow.stop();
  const cut = thread.sums();
  await thread.stop();
  expect(await cut).toMatchObject({ refused: 'overloaded' });
  expect(await thread.sums()).toMatchObject({ revenue: 0 });
});

test('lets only so many wait', async () => {
  const answers = await Promise.all(Array.from({ length: 33 }, () => thread.counts()));
  expect(answers.filter((answer) => !('refused' in answer))).toHaveLength(32);
  expect(answers.at(-1)).toMatchObject({ refused: 'overloaded' });
});

test('an agent that asks for its usage on and on holds up nobody else', async () => {
  const range = { low: 1, high: 100 };
  const asked = Array.from({ length: 40 }, () => thread.usage(1, range));
  const others = [thread.usage(2, range), thread.sums()];
  const answers = await Promise.all(asked);
  expect(answers.filter((answer) => 'refused' in answer)).toHaveLength(39);
  expect(answers.at(-1)).toMatchObject({ refused: 'rate_limited' });
  for (const answer of await Promise.all(others)) expect(answer).not.toHaveProperty('refused');
  expect(await thread.usage(1, range)).not.toHaveProperty('refused');
});

test('says so when the database cannot be read', async () => {
  vault.writer.exec('ALTER TABLE payouts RENAME TO elsewhere');
  await expect(thread.counts()).rejects.toThrow('no such table');
});
