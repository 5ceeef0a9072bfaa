import { msat, type VaultErrorCode } from '@arbstr/shared';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JournalStore, UndeliveredRow, Vault, VaultReply } from '../../src/ports.ts';
import { createDeliveries, type Deliveries } from '../../src/settle/deliver.ts';

const unreachable = { kind: 'unreachable', reason: 'connection refused' } as const;
const refused = (code: VaultErrorCode): VaultReply<never> => ({
  kind: 'refused',
  code,
  status: 409,
  message: code,
  details: {},
});
const settledAs = (amount: number): VaultReply<never> =>
  ({ kind: 'ok', value: { settled: true, actual_msats: amount } }) as unknown as VaultReply<never>;

const row = (id: string): UndeliveredRow => ({
  reservationId: id,
  end: { kind: 'settle', settle: { reservation_id: id, actual_msats: msat(5) } },
  endedAtMs: 1_000,
  recovered: false,
});

let calls: string[];
let delivered: [string, string][];
let errors: object[];
let reply: (id: string) => Promise<VaultReply<never>>;
let deliveries: Deliveries;

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  delivered = [];
  errors = [];
  reply = async () => settledAs(5);
  const vault = {
    settle: (command: { reservation_id: string }) => {
      calls.push(command.reservation_id);
      return reply(command.reservation_id);
    },
  } as unknown as Vault;
  const journal = {
    delivered: (id: string, _at: number, outcome: string) => delivered.push([id, outcome]),
  } as unknown as JournalStore;
  deliveries = createDeliveries({
    vault,
    journal,
    nowMs: Date.now,
    random: () => 1,
    log: { info() {}, warn() {}, error: (fields) => errors.push(fields) },
  });
});

afterEach(() => {
  deliveries.stop();
  vi.useRealTimers();
});

describe('deliveries', () => {
  it('delivers at once and forgets the row only then', async () => {
    deliveries.add(row('a'));
    expect(deliveries.undelivered).toBe(1);
    await vi.runAllTimersAsync();
    expect(delivered).toEqual([['a', 'settled']]);
    expect(deliveries.undelivered).toBe(0);
    expect(deliveries.oldestMs()).toBeNull();
  });

  it('tries for ever while the vault is away, one row at a time, and then delivers all', async () => {
    reply = async () => unreachable;
    for (const id of ['a', 'b', 'c']) deliveries.add(row(id));
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(deliveries.undelivered).toBe(3);
    expect(deliveries.overdue).toBe(3);
    expect(deliveries.oldestMs()).toBe(1_000);
    // Capped backoff: an hour holds at least one try per 15 s and no flood.
    expect(calls.length).toBeGreaterThan(200);
    expect(calls.length).toBeLessThan(300);
    reply = async () => settledAs(5);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(delivered.map(([id]) => id).sort()).toEqual(['a', 'b', 'c']);
    expect(deliveries.overdue).toBe(0);
  });

  it('keeps what the vault contradicts as a conflict and tells the operator the amount', async () => {
    reply = async () => refused('already_released');
    deliveries.add(row('a'));
    await vi.runAllTimersAsync();
    expect(delivered).toEqual([['a', 'conflict:already_released']]);
    expect(deliveries.conflicts).toBe(1);
    expect(errors[0]).toMatchObject({ reservation_id: 'a', wanted: 'settle', wanted_msats: 5 });
  });

  it('takes the vault’s word on a row that recovery ended: a power cut may have lost what was billed', async () => {
    reply = async () => refused('already_settled_differently');
    deliveries.add({ ...row('a'), recovered: true });
    await vi.runAllTimersAsync();
    expect(delivered).toEqual([['a', 'ended_before:already_settled_differently']]);
    expect(deliveries.conflicts).toBe(0);
  });

  it.each(['invalid_request', 'not_found', 'internal_error'] as const)(
    'never takes %s for the end of a row, and does not hold up the others',
    async (code) => {
      reply = async (id) => (id === 'a' ? refused(code) : settledAs(5));
      deliveries.add(row('a'));
      deliveries.add(row('b'));
      await vi.advanceTimersByTimeAsync(1_000);
      expect(delivered).toEqual([['b', 'settled']]);
      expect(deliveries.undelivered).toBe(1);
      expect(deliveries.overdue).toBe(1);
      expect(deliveries.oldestMs()).toBe(1_000);
      expect(errors[0]).toMatchObject({ reservation_id: 'a', vault_code: code });
      reply = async () => settledAs(5);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(delivered.map(([id]) => id)).toEqual(['b', 'a']);
      expect(deliveries.undelivered).toBe(0);
    },
  );

  it('sends a bounded number at once', async () => {
    const held: (() => void)[] = [];
    reply = () => new Promise((resolve) => held.push(() => resolve(settledAs(5))));
    for (let i = 0; i < 100; i++) deliveries.add(row(`r${i}`));
    expect(calls).toHaveLength(32);
    held[0]!();
    await vi.advanceTimersByTimeAsync(0);
    expect(calls).toHaveLength(33);
  });

  it('says whether everything was delivered before the end', async () => {
    expect(await deliveries.drained(1_000)).toBe(true);
    reply = async () => unreachable;
    deliveries.add(row('a'));
    const waiting = deliveries.drained(1_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await waiting).toBe(false);
  });
});
