import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ceilDiv,
  createIdSource,
  floorDiv,
  formatSats,
  idSchema,
  MSAT_MAX,
  msat,
  msatSchema,
  subMsat,
} from '../src/index.ts';

describe('msat', () => {
  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -0.1])('refuses %s', (value) => {
    expect(() => msat(value)).toThrow(/not an amount of msat/);
    expect(msatSchema.safeParse(value).success).toBe(false);
  });

  it('refuses strings on the wire', () => {
    expect(msatSchema.safeParse('5').success).toBe(false);
  });

  it('accepts both bounds', () => {
    expect(msat(0)).toBe(0);
    expect(msat(MSAT_MAX)).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('never turns a too large subtraction into a negative amount', () => {
    expect(() => subMsat(msat(1), msat(2))).toThrow();
  });
});

describe('division', () => {
  it('T34: rounds up and down around the exact quotient', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 30n), fc.bigInt(1n, 10n ** 12n), (n, d) => {
        const up = ceilDiv(n, d);
        const down = floorDiv(n, d);
        expect(up * d >= n && (up - 1n) * d < n).toBe(true);
        expect(down * d <= n && (down + 1n) * d > n).toBe(true);
      }),
    );
  });
});

describe('formatSats', () => {
  it.each([
    [0, '0'],
    [1, '0.001'],
    [1234, '1.234'],
    [12_000, '12'],
    [1_500, '1.5'],
    [MSAT_MAX, '9007199254740.991'],
  ])('writes %s msat as %s sats', (amount, text) => {
    expect(formatSats(msat(amount))).toBe(text);
  });
});

describe('ids', () => {
  it('increase within a millisecond and when the clock steps back', () => {
    let now = 1_700_000_000_000;
    const next = createIdSource(
      () => now,
      (n) => new Uint8Array(n).fill(31),
    );
    const ids = [next('reservation'), next('reservation')];
    now -= 5_000;
    ids.push(next('reservation'));
    now += 6_000;
    ids.push(next('reservation'));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(idSchema('reservation').safeParse(id).success).toBe(true);
  });
});
