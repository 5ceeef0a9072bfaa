import { expect, it } from 'vitest';
import { curveOf } from '../../calibrate/curve.ts';

it('gives a score that says nothing half of the area', () => {
  const curve = curveOf([1, 1, 1, 1], [1, 0, 0, 1]);
  expect(curve.apgr).toBeCloseTo(0.5, 10);
  expect(curve.cpt50).toBe(50);
});

it('gives a perfect order more, and its reverse as much less', () => {
  expect(curveOf([4, 3, 2, 1], [1, 1, 0, 0]).apgr).toBeCloseTo(0.75, 10);
  expect(curveOf([1, 2, 3, 4], [1, 1, 0, 0]).apgr).toBeCloseTo(0.25, 10);
});

it('says what each tenth of the calls recovers', () => {
  const gaps = [1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
  const { deciles } = curveOf([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], gaps);
  expect(deciles.slice(0, 3)).toEqual([0.5, 1, 1]);
  expect(deciles).toHaveLength(9);
});
