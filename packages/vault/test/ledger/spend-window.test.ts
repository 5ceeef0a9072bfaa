import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MINUTE_MS,
  minuteOf,
  SpendWindow,
  slotOf,
  WINDOW_MINUTES,
} from '../../src/ledger/spend-window.ts';

const DAY_MINUTES = 1_440;

describe('a charge', () => {
  test('counts for 24 hours to the millisecond, and at most a minute longer', () => {
    const reservedMs = 90_000_030_000;
    const window = new SpendWindow();
    window.add(minuteOf(reservedMs), 10, minuteOf(reservedMs));
    const dayLater = reservedMs + DAY_MINUTES * MINUTE_MS;
    expect(window.spent(minuteOf(dayLater))).toBe(10);
    expect(window.spent(minuteOf(dayLater + MINUTE_MS))).toBe(0);
  });

  test('of a minute that has left is not added', () => {
    const window = new SpendWindow();
    expect(window.add(100, 10, 100 + WINDOW_MINUTES)).toBeNull();
    expect(window.spent(100 + WINDOW_MINUTES)).toBe(0);
  });

  test('shares its bucket with others of its minute', () => {
    const window = new SpendWindow();
    window.add(5, 10, 5);
    expect(window.add(5, 7, 6)).toEqual({ minute: 5, msat: 17 });
  });
});

test('two minutes of one window never share a row', () => {
  const slots = new Set(Array.from({ length: WINDOW_MINUTES }, (_, n) => slotOf(30_000_000 + n)));
  expect(slots.size).toBe(WINDOW_MINUTES);
});

test('any charges at any times add up as on paper, also after being read again', () => {
  const step = fc.record({
    passed: fc.integer({ min: 0, max: 400 }),
    age: fc.integer({ min: 0, max: 1_600 }),
    msat: fc.integer({ min: 1, max: 1_000 }),
    reload: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let window = new SpendWindow();
      const charges: { minute: number; msat: number }[] = [];
      let now = 10_000;
      for (const { passed, age, msat, reload } of steps) {
        now += passed;
        if (window.add(now - age, msat, now)) charges.push({ minute: now - age, msat });
        const inside = charges.filter(({ minute }) => now - minute <= DAY_MINUTES);
        if (reload) {
          const minutes = [...new Set(inside.map(({ minute }) => minute))].sort((a, b) => a - b);
          window = new SpendWindow(
            minutes.map((minute) => ({
              minute,
              msat: inside.filter((c) => c.minute === minute).reduce((sum, c) => sum + c.msat, 0),
            })),
          );
        }
        expect(window.spent(now)).toBe(inside.reduce((sum, charge) => sum + charge.msat, 0));
      }
    }),
    { numRuns: 60 },
  );
});
