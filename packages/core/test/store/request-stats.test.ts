import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { percentiles, requestStats } from '../../src/store/request-stats.ts';

it('takes percentiles by nearest rank', () => {
  expect(percentiles([])).toEqual({ p50: null, p95: null, p99: null });
  expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7 });
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(percentiles(hundred)).toEqual({ p50: 50, p95: 95, p99: 99 });
  expect(percentiles([10, 2])).toEqual({ p50: 2, p95: 10, p99: 10 });
});

it('lists a bounded number of groups, and sums up the others', () => {
  const dir = mkdtempSync(join(tmpdir(), 'arbstr-'));
  const { db, close } = openStore(join(dir, 'core.db'));
  try {
    const insert = db.prepare(
      `insert into requests (correlation_id, timestamp_ms, requested_model, streaming, status,
         ending, estimated, disbelieved, cost_msat, attempts, latency_ms, lost_msat)
       values ('c', ?, ?, 0, 200, 'answered', 0, 0, 16, '', ?, 0)`,
    );
    for (let i = 0; i < 103; i++) insert.run(i * 3_600_000, `invented-${i}`, i);
    insert.run(1, 'gpt-4o', 1_000);
    insert.run(2, 'gpt-4o', 1_000);
    const everything = { agentId: null, sinceMs: 0, untilMs: 1e12 };
    const { all, groups, others } = requestStats(db, everything, 'model');
    expect(all).toMatchObject({ total: 105, sampled: 105, avgLatencyMs: Math.round(7_253 / 105) });
    expect(all).toEqual(requestStats(db, everything, null).all);
    const nothing = { ...everything, untilMs: -1 };
    const none = requestStats(db, nothing, 'model');
    expect(none).toEqual({ ...requestStats(db, nothing, null), groups: [] });
    expect(none.all).toMatchObject({ key: null, total: 0, costMsat: 0, avgLatencyMs: null });
    expect(groups).toHaveLength(100);
    expect(groups?.[0]).toMatchObject({ key: 'gpt-4o', total: 2, sampled: 2, avgLatencyMs: 1_000 });
    expect(others).toMatchObject({ groups: 4, total: 4, success: 4, costMsat: 64, sampled: 4 });
    // Hours are of the clock and not of a caller.
    expect(requestStats(db, everything, 'hour')).toMatchObject({
      groups: { length: 103 },
      others: null,
    });
  } finally {
    close();
    rmSync(dir, { recursive: true });
  }
});
