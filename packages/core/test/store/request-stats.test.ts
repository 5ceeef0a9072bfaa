import { expect, it } from 'vitest';
import { percentiles } from '../../src/store/request-stats.ts';

it('takes percentiles by nearest rank', () => {
  expect(percentiles([])).toEqual({ p50: null, p95: null, p99: null });
  expect(percentiles([7])).toEqual({ p50: 7, p95: 7, p99: 7 });
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(percentiles(hundred)).toEqual({ p50: 50, p95: 95, p99: 99 });
  expect(percentiles([10, 2])).toEqual({ p50: 2, p95: 10, p99: 10 });
});
