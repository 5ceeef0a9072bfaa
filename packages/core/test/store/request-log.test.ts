import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { msat } from '@arbstr/shared';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { RequestLog, RequestRow } from '../../src/ports.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { createQueryThread } from '../../src/store/query-thread.ts';
import { listRequests } from '../../src/store/request-list.ts';
import { createRequestLog } from '../../src/store/request-log.ts';
import { createWriter, type Writer } from '../../src/store/writer.ts';

let dir: string;
let store: Store;
let writer: Writer;
let log: RequestLog;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'arbstr-'));
  store = openStore(join(dir, 'core.db'));
  writer = createWriter(store.db, () => {});
  log = createRequestLog(store.db, writer);
});

afterEach(() => {
  writer.close();
  store.close();
  rmSync(dir, { recursive: true });
});

function rowOf(correlationId: string): RequestRow {
  return {
    correlationId,
    reservationId: null,
    agentId: 'ag_1',
    timestampMs: 1_000,
    requestedModel: 'gpt-4o',
    endpoint: 'responses',
    model: 'gpt-4o',
    provider: 'alpha',
    tier: 'standard',
    streaming: false,
    status: 200,
    errorCode: null,
    errorMessage: null,
    ending: 'answered',
    inputTokens: 1,
    cachedInputTokens: 0,
    outputTokens: 1,
    estimated: false,
    disbelieved: false,
    costMsat: msat(16),
    providerCostMsat: msat(16),
    heldMsat: msat(100),
    attempts: '',
    latencyMs: 5,
    firstByteMs: 2,
    policy: null,
    floor: null,
    complexityScore: null,
    dearestMsat: null,
    meanMsat: null,
    lostMsat: msat(0),
  };
}

const everything = {
  agentId: 'ag_1',
  sinceMs: 0,
  untilMs: 2_000,
  sort: 'timestamp',
  order: 'desc',
  offset: 0,
  limit: 20,
} as const;

it('finds a row in the same turn of the event loop in which it was appended', async () => {
  log.append(rowOf('first'));
  expect(log.find('first', 'ag_1')).toMatchObject({ costMsat: 16 });
  const queries = createQueryThread({ path: store.db.name, flush: writer.flush });
  log.append(rowOf('second'));
  const found = await queries.list(everything);
  await queries.stop();
  expect(found).toMatchObject({
    kind: 'ok',
    value: { rows: [{ correlationId: 'second' }, { correlationId: 'first' }], total: 2 },
  });
});

it('gives nobody the row of another agent', () => {
  log.append(rowOf('first'));
  expect(log.find('first', 'ag_2')).toBeUndefined();
  expect(log.find('first', null)).toBeDefined();
});

const appendRows = (count: number, timestampMs: number): void => {
  for (let i = 0; i < count; i++) log.append({ ...rowOf(`${timestampMs}-${i}`), timestampMs });
  writer.flush();
};

it('forgets everything that is too old, in steps', () => {
  appendRows(1_001, 1);
  appendRows(1, 1_000);
  expect(log.prune(1_000)).toBe(true);
  expect(listRequests(store.db, everything).total).toBe(2);
  expect(log.prune(1_000)).toBe(false);
  expect(listRequests(store.db, everything).total).toBe(1);
});

it('keeps no more rows than it may, however young they are', () => {
  log = createRequestLog(store.db, writer, 3);
  appendRows(1_010, 1_000);
  expect(log.prune(0)).toBe(true);
  expect(log.prune(0)).toBe(false);
  expect(listRequests(store.db, everything).rows.map(({ correlationId }) => correlationId)).toEqual(
    ['1000-1009', '1000-1008', '1000-1007'],
  );
});

it('forgets what is older than it is told to keep', () => {
  for (const [id, timestampMs] of [
    ['old', 999],
    ['new', 1_000],
  ] as const) {
    log.append({ ...rowOf(id), timestampMs });
  }
  writer.flush();
  log.prune(1_000);
  expect(listRequests(store.db, everything).rows.map(({ correlationId }) => correlationId)).toEqual(
    ['new'],
  );
});

it('lets only so many rows wait for a disk that refuses, and counts the others', () => {
  const pages = store.db.pragma('page_count', { simple: true }) as number;
  store.db.pragma(`max_page_count = ${pages}`);
  for (let i = 0; i < 6_000; i++) log.append(rowOf(`before-${i}`));
  expect(writer.flush()).toBe(false);
  for (let i = 0; i < 4_005; i++) log.append(rowOf(`after-${i}`));
  expect(log.dropped).toBe(5);
  store.db.pragma('max_page_count = 1000000');
  expect(writer.flush()).toBe(true);
  expect(listRequests(store.db, everything).total).toBe(10_000);
  log.append(rowOf('later'));
  expect(log.dropped).toBe(5);
});
