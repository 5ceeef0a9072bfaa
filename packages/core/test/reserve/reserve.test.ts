import { msat, type ReserveAnswer, type VaultErrorCode } from '@arbstr/shared';
import { beforeEach, describe, expect, it } from 'vitest';
import type {
  JournalEnd,
  JournalStore,
  ReserveCommand,
  UndeliveredRow,
  Vault,
  VaultReply,
} from '../../src/ports.ts';
import { isHold, type ReserveDeps, reserve } from '../../src/reserve/reserve.ts';

const AGENT = 'ag_01ARZ3NDEKTSV4RRFFQ69G5FAV';
const rates = {
  inputMsatPerMtok: 1,
  outputMsatPerMtok: 1,
  cachedInputMsatPerMtok: null,
  baseFeeMsat: msat(0),
};

/** What happened, in order. */
let log: string[];
let replies: VaultReply<ReserveAnswer>[];
let commands: ReserveCommand[];
let ends: JournalEnd[];
let queued: UndeliveredRow[];
let diskError: Error | null;
let live: Set<string>;
let overdue: number;

const held = (state: ReserveAnswer['state'] = 'held'): VaultReply<ReserveAnswer> => ({
  kind: 'ok',
  value: {
    reservation_id: 'rsv_1',
    state,
    agent_id: AGENT,
    remaining_balance_msats: msat(900),
    expires_at: 1,
    ledger_epoch: 'e',
  },
});
const refusal = (code: VaultErrorCode, details = {}): VaultReply<ReserveAnswer> => ({
  kind: 'refused',
  code,
  status: 400,
  message: code,
  details,
});
const silence: VaultReply<ReserveAnswer> = { kind: 'unreachable', reason: 'timeout' };

beforeEach(() => {
  log = [];
  replies = [];
  commands = [];
  ends = [];
  queued = [];
  diskError = null;
  live = new Set();
  overdue = 0;
});

function deps(): ReserveDeps {
  return {
    vault: {
      reserve: async (command: ReserveCommand) => {
        log.push('reserve');
        expect(live.has(command.reservationId)).toBe(true);
        commands.push(command);
        return replies.shift() ?? held();
      },
    } as unknown as Vault,
    journal: {
      trouble: null,
      intend: async () => {
        log.push('intend');
        if (diskError !== null) throw diskError;
      },
      end: async (_id: string, end: JournalEnd) => {
        ends.push(end);
      },
      delivered: (_id: string, _at: number, outcome: string) => log.push(`closed ${outcome}`),
    } as unknown as JournalStore,
    deliveries: {
      get overdue() {
        return overdue;
      },
      add: (row: UndeliveredRow) => queued.push(row),
    } as unknown as ReserveDeps['deliveries'],
    live: {
      add: (id: string) => live.add(id),
      remove: (id: string) => live.delete(id),
      has: (id: string) => live.has(id),
      size: 0,
      stop() {},
    } as unknown as ReserveDeps['live'],
    nowMs: () => 1_000,
    newReservationId: () => 'rsv_1',
    pendingThreshold: 100,
  };
}

const order = {
  agentToken: 'vtk_x',
  agentId: AGENT,
  correlationId: 'c1',
  requestedModel: 'gpt-4o',
  heldMsat: msat(100),
  estimatedInputTokens: 5,
  snapshot: { provider: 'alpha', model: 'gpt-4o', rates, providerRates: rates },
};

describe('reserve', () => {
  it('asks the vault and writes the journal at the same time, and needs both', async () => {
    const hold = await reserve(deps(), order);
    expect(log).toEqual(['reserve', 'intend']);
    expect(isHold(hold) && hold).toMatchObject({
      reservationId: 'rsv_1',
      heldMsat: 100,
      balanceMsat: 900,
    });
    expect(live.has('rsv_1')).toBe(true);
  });

  it('asks once more under the same id where the answer got lost', async () => {
    replies = [silence, held()];
    expect(isHold(await reserve(deps(), order))).toBe(true);
    expect(commands.map(({ reservationId }) => reservationId)).toEqual(['rsv_1', 'rsv_1']);
  });

  it('fails closed where the vault stays silent, and releases what it may hold', async () => {
    replies = [silence, silence];
    expect(await reserve(deps(), order)).toMatchObject({ code: 'vault_unavailable', status: 503 });
    expect(ends).toEqual([{ kind: 'release', reason: 'reserve_failed' }]);
    expect(queued).toHaveLength(1);
    expect(live.size).toBe(0);
  });

  it('forbids the id where one try went unanswered and the other was refused: the first may still arrive', async () => {
    replies = [silence, refusal('insufficient_balance')];
    expect(await reserve(deps(), order)).toMatchObject({ code: 'insufficient_balance' });
    expect(queued.map(({ end }) => end.kind)).toEqual(['release']);
  });

  it('does not ask a vault twice that has kept it waiting', async () => {
    replies = [silence];
    let now = 0;
    await reserve({ ...deps(), nowMs: () => (now += 3_000) }, order);
    expect(commands).toHaveLength(1);
    expect(queued).toHaveLength(1);
  });

  it('dispatches nothing without a journal row, and gives the hold back', async () => {
    diskError = new Error('database or disk is full');
    expect(await reserve(deps(), order)).toMatchObject({
      code: 'storage_unavailable',
      status: 503,
    });
    expect(queued.map(({ end }) => end.kind)).toEqual(['release']);
  });

  it.each(['released', 'expired', 'settled'] as const)(
    'does not take a replay that is %s for a hold',
    async (state) => {
      replies = [held(state)];
      expect(isHold(await reserve(deps(), order))).toBe(false);
      expect(queued).toHaveLength(1);
    },
  );

  it('refuses new work while too many settlements wait', async () => {
    overdue = 100;
    expect(await reserve(deps(), order)).toMatchObject({ code: 'vault_unavailable' });
    expect(log).toEqual([]);
  });

  it.each<[VaultErrorCode, object, object]>([
    ['invalid_token', {}, { status: 401, code: 'invalid_api_key' }],
    [
      'insufficient_balance',
      { current_balance_msats: 7, requested_msats: 100 },
      {
        status: 402,
        code: 'insufficient_balance',
        details: { available_msats: 7, required_msats: 100 },
      },
    ],
    [
      'policy_denied',
      { rule: 'daily_limit_msat' },
      { status: 403, code: 'policy_denied', details: { rule: 'daily_limit_msat' } },
    ],
    [
      'approval_required',
      { approval_id: 'apr_1', expires_at: 5, rule: 'daily_limit_msat' },
      {
        status: 403,
        code: 'approval_required',
        details: { approval_id: 'apr_1', expires_at: 5 },
        message: expect.stringContaining('/operator/approvals/apr_1/approve'),
        shouldRetry: false,
      },
    ],
    ['agent_disabled', {}, { status: 403, code: 'agent_disabled' }],
    ['insufficient_scope', {}, { status: 403, code: 'insufficient_scope' }],
    ['already_released', {}, { status: 503, code: 'vault_unavailable' }],
  ])('passes on the vault’s %s and closes the row', async (code, details, seen) => {
    replies = [refusal(code, details)];
    expect(await reserve(deps(), order)).toMatchObject(seen);
    expect(log).toContain(`closed refused:${code}`);
    expect(queued).toEqual([]);
  });
});
