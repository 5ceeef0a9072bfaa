import { type Msat, msat } from '@arbstr/shared';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { tokenHash } from '../../src/agent/token.ts';
import { isRefusal } from '../../src/errors.ts';
import type { Command } from '../../src/ledger/command.ts';
import type { Outcome } from '../../src/ledger/outcome.ts';
import {
  balanceOf,
  books,
  closeVaults,
  fundedAgent,
  openVault,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';
import { Model, type ModelAgent } from './model.ts';

afterEach(closeVaults);

type Op =
  | { op: 'reserve'; id: number; agent: number; amount: number; holdSecs: number }
  | { op: 'settle'; id: number; asked: number }
  | { op: 'release'; id: number }
  | { op: 'extend'; id: number; secs: number }
  | { op: 'credit'; agent: number; amount: number }
  | { op: 'expire' }
  | { op: 'prolong'; byMs: number };

const id = fc.integer({ min: 0, max: 11 });
const agent = fc.integer({ min: 0, max: 1 });
const amount = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 400 }));

const anyOp: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('reserve' as const),
      id,
      agent,
      amount,
      holdSecs: fc.integer({ min: 1, max: 90 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('settle' as const), id, asked: amount }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('release' as const), id }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('extend' as const),
      id,
      secs: fc.integer({ min: 1, max: 5_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('credit' as const),
      agent,
      amount: fc.integer({ min: 1, max: 300 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('expire' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('prolong' as const),
      byMs: fc.integer({ min: 0, max: 90_000 }),
    }),
  },
);

/** Commands that arrive together, then time that passes; sometimes the vault restarts. */
const anyStep = fc.record({
  ops: fc.array(anyOp, { minLength: 1, maxLength: 8 }),
  passMs: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 60_000 }),
    fc.integer({ min: 60_000, max: 30 * 3_600_000 }),
  ),
  restart: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
});

const limit = fc.option(fc.integer({ min: 50, max: 900 }));

function reservationId(n: number): string {
  return `rsv_01JABCDEFGHJKMNPQRSTVW${String(n).padStart(4, '0')}`;
}

function commandOf(op: Op, agents: TestAgent[], txNo: number): Command {
  switch (op.op) {
    case 'reserve':
      return {
        kind: 'reserve',
        tokenHash: tokenHash(agents[op.agent]!.token),
        amount: msat(op.amount),
        correlationId: 'corr',
        model: 'model',
        requestedModel: null,
        coreId: null,
        reservationId: reservationId(op.id),
        byCorrelation: false,
        approvalId: 'apr_0',
        holdMs: op.holdSecs * 1_000,
      };
    case 'settle':
      return {
        kind: 'settle',
        reservationId: reservationId(op.id),
        asked: op.asked as Msat,
        usage: {},
        agentId: null,
        correlationId: null,
        model: null,
      };
    case 'release':
      return { kind: 'release', reservationId: reservationId(op.id), reason: null };
    case 'extend':
      return { kind: 'extend', reservationId: reservationId(op.id), holdMs: op.secs * 1_000 };
    case 'credit':
      return {
        kind: 'credit',
        replayKey: undefined,
        correlationId: 'corr',
        agentId: agents[op.agent]!.id,
        amount: op.amount as Msat,
        transactionId: `tx_01JABCDEFGHJKMNPQRSTVW${String(txNo).padStart(4, '0')}`,
      };
    case 'expire':
      return { kind: 'expire', holdsMax: 1_000 };
    case 'prolong':
      return { kind: 'prolong', byMs: op.byMs };
  }
}

function expectedOf(model: Model, op: Op, nowMs: number): string {
  const rsv = 'id' in op ? reservationId(op.id) : '';
  switch (op.op) {
    case 'reserve':
      return model.reserve(rsv, op.agent, op.amount, op.holdSecs * 1_000, nowMs);
    case 'settle':
      return model.settle(rsv, op.asked);
    case 'release':
      return model.release(rsv, nowMs);
    case 'extend':
      return model.extend(rsv, op.secs * 1_000, nowMs);
    case 'credit':
      return model.credit(op.agent, op.amount);
    case 'expire':
      return model.expire(nowMs);
    case 'prolong':
      return model.prolong(op.byMs);
  }
}

/** The outcome in the model's words. */
function wordsOf(outcome: Outcome): string {
  if (isRefusal(outcome)) return outcome.refused;
  if ('settled' in outcome) return `charged ${outcome.actual_msats}`;
  if ('released' in outcome) return `refunded ${outcome.refunded_msats}`;
  if ('state' in outcome) return outcome.state;
  if ('expires_at' in outcome) return `until ${outcome.expires_at}`;
  if ('expired' in outcome) return `expired ${outcome.expired.length}`;
  if ('prolonged' in outcome) return `prolonged ${outcome.prolonged}`;
  return 'ok';
}

async function expectSame(vault: TestVault, model: Model, agents: TestAgent[]): Promise<void> {
  for (const [n, testAgent] of agents.entries()) {
    const { available, held } = model.agents[n]!;
    const spent = model.spent(n, vault.clock.ms);
    expect(await balanceOf(vault, testAgent)).toEqual({ available, held, spent });
  }
  const { sum, accounts } = books(vault.path);
  expect(sum).toBe(0n);
  expect(accounts['operator:revenue']).toBe(model.revenue);
  expect(accounts['operator:loss']).toBe(0 - model.loss);
  expect(accounts['rail:simulated']).toBe(0 - model.deposited);
}

test('any interleaving of commands, time and restarts gives what paper gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 1, maxLength: 12 }),
      fc.tuple(limit, limit),
      fc.tuple(limit, limit),
      async (steps, maxTransactions, dailyLimits) => {
        let vault = await openVault();
        const agents: TestAgent[] = [];
        const onPaper: ModelAgent[] = [];
        for (const n of [0, 1]) {
          const maxTransaction = maxTransactions[n] ?? null;
          const dailyLimit = dailyLimits[n] ?? null;
          const policy = { max_transaction_msat: maxTransaction, daily_limit_msat: dailyLimit };
          agents.push(await fundedAgent(vault, { amount: 1_000, policy }));
          onPaper.push({ available: 1_000, held: 0, maxTransaction, dailyLimit, charges: [] });
        }
        const model = new Model(onPaper);
        model.deposited = 2_000;
        let txNo = 0;
        for (const { ops, passMs, restart } of steps) {
          const now = vault.clock.ms;
          const outcomes = ops.map((op) =>
            vault.engine.execute(commandOf(op, agents, txNo++) as Command),
          );
          const expected = ops.map((op) => expectedOf(model, op, now));
          expect((await Promise.all(outcomes)).map(wordsOf)).toEqual(expected);
          vault.clock.advance(passMs);
          if (restart) {
            await vault.close();
            vault = await openVault({ path: vault.path, clock: vault.clock, start: false });
          }
          await expectSame(vault, model, agents);
        }
        for (const [rsv, known] of model.reservations) {
          const stored = vault.writer
            .prepare<[string], { state: string; charged: number | null }>(
              'SELECT state, charged FROM reservations WHERE id = ?',
            )
            .get(rsv);
          const billed = known.state === 'settled' || known.state === 'settled_late';
          expect(stored).toEqual({ state: known.state, charged: billed ? known.charged : null });
        }
        expect(vault.verify().findings).toEqual([]);
        await vault.close();
      },
    ),
    { numRuns: 30 },
  );
});
