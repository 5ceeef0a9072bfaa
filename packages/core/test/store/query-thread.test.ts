import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openStore, type Store } from '../../src/store/open.ts';
import { createQueryThread, type QueryThread } from '../../src/store/query-thread.ts';

let dir: string;
let store: Store;
const threads: QueryThread[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'arbstr-'));
  store = openStore(join(dir, 'core.db'));
});

afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.stop()));
  store.close();
  rmSync(dir, { recursive: true });
});

function open(answerMsMax = 30_000): QueryThread {
  const thread = createQueryThread({ path: store.db.name, flush() {}, answerMsMax });
  threads.push(thread);
  return thread;
}

function insert(agentId: string, count: number): void {
  store.db
    .prepare(
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)
       insert into requests (correlation_id, agent_id, timestamp_ms, requested_model, provider,
         streaming, status, ending, estimated, disbelieved, cost_msat, attempts, latency_ms, lost_msat)
       select ? || i, ?, i, 'gpt-4o', 'alpha', 0, 200, 'answered', 0, 0, 16, '', i, 0 from n`,
    )
    .run(count, agentId, agentId);
}

const everything = { agentId: null, sinceMs: 0, untilMs: 1_000_000 };

it('reads what was committed before the question, sums and rows alike', async () => {
  const thread = open();
  insert('ag_1', 3);
  insert('ag_2', 1);
  const stats = await thread.stats(everything, 'provider');
  expect(stats).toMatchObject({
    kind: 'ok',
    value: {
      all: { key: null, total: 4, costMsat: 64, latencyMs: { p50: 1, p99: 3 } },
      groups: [{ key: 'alpha', total: 4, latencyMs: { p50: 1, p99: 3 } }],
    },
  });
  insert('ag_3', 2);
  const page = { sort: 'timestamp', order: 'asc', offset: 0, limit: 1 } as const;
  expect(await thread.list({ ...everything, agentId: 'ag_3', ...page })).toMatchObject({
    kind: 'ok',
    value: { rows: [{ correlationId: 'ag_31' }], total: 2 },
  });
});

it('sums for an agent over its own rows alone', async () => {
  const thread = open();
  insert('ag_1', 3);
  insert('ag_2', 1);
  expect(await thread.stats({ ...everything, agentId: 'ag_2' }, null)).toMatchObject({
    kind: 'ok',
    value: { all: { total: 1, costMsat: 16, latencyMs: { p99: 1 } }, groups: null },
  });
});

it('answers all that wait when one takes too long', async () => {
  const slow = open(1);
  insert('ag_1', 1);
  const replies = await Promise.all([slow.stats(everything, null), slow.stats(everything, 'day')]);
  expect(replies).toMatchObject([
    { kind: 'unanswered', reason: expect.stringContaining('shorter time') },
    { kind: 'unanswered' },
  ]);
});

it('starts another thread after one that ended', async () => {
  const thread = open();
  insert('ag_1', 1);
  const cut = thread.stats(everything, null);
  await thread.stop();
  expect(await cut).toMatchObject({ kind: 'unanswered' });
  expect(await thread.stats(everything, null)).toMatchObject({ kind: 'ok' });
});

it('lets only so many wait', async () => {
  const thread = open();
  const replies = await Promise.all(
    Array.from({ length: 33 }, () => thread.stats(everything, null)),
  );
  expect(replies.filter(({ kind }) => kind === 'ok')).toHaveLength(32);
  expect(replies.at(-1)).toMatchObject({
    kind: 'unanswered',
    reason: expect.stringContaining('32 queries wait'),
  });
});

it('says so when the database cannot be read, and asks anew the next time', async () => {
  const thread = open();
  store.db.exec('alter table requests rename to elsewhere');
  await expect(thread.stats(everything, null)).rejects.toThrow('no such table: requests');
  store.db.exec('alter table elsewhere rename to requests');
  expect(await thread.stats(everything, null)).toMatchObject({ kind: 'ok' });
});
