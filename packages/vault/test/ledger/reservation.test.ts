import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  asCore,
  balanceOf,
  books,
  closeVaults,
  extend,
  fundedAgent,
  held,
  openVault,
  release,
  reserveBody,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;

beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault, { amount: 10_000 });
});

afterEach(async () => {
  expect(books(vault.path).sum).toBe(0n);
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

async function expired(amount = 1_000): Promise<string> {
  const id = await held(vault, agent, amount, { expires_in_secs: 1 });
  vault.clock.advance(1_000);
  await vault.keeper.tick();
  return id;
}

async function ended(state: string): Promise<string> {
  switch (state) {
    case 'held':
      return held(vault, agent);
    case 'settled': {
      const id = await held(vault, agent);
      await settle(vault, id, 400);
      return id;
    }
    case 'released': {
      const id = await held(vault, agent);
      await release(vault, id);
      return id;
    }
    case 'expired':
      return expired();
    case 'settled_late': {
      const id = await expired();
      await settle(vault, id, 400);
      return id;
    }
    default: {
      const id = vault.newReservationId();
      await release(vault, id);
      return id;
    }
  }
}

const stateOf = async (id: string) =>
  (await asCore(vault, 'GET', `/reservations/${id}`)).body.state;

describe('held', () => {
  test('moves the amount from available to held', async () => {
    await held(vault, agent, 3_000);
    expect(await balanceOf(vault, agent)).toEqual({ available: 7_000, held: 3_000, spent: 0 });
  });

  test('is settled: the charge leaves, the rest comes back', async () => {
    const id = await held(vault, agent, 3_000);
    const answer = await settle(vault, id, 1_250);
    expect(answer.body).toEqual({
      settled: true,
      actual_msats: 1_250,
      refunded_msats: 1_750,
      shortfall_msats: 0,
      remaining_balance_msats: 8_750,
    });
    expect(await balanceOf(vault, agent)).toEqual({ available: 8_750, held: 0, spent: 1_250 });
    expect(books(vault.path).accounts['operator:revenue']).toBe(1_250);
  });

  test('is settled for nothing where the request cost nothing', async () => {
    const id = await held(vault, agent, 3_000);
    expect((await settle(vault, id, 0)).body).toMatchObject({
      actual_msats: 0,
      refunded_msats: 3_000,
    });
  });

  test('is never charged more than was held; the rest is a shortfall', async () => {
    const id = await held(vault, agent, 3_000);
    expect((await settle(vault, id, 500_000)).body).toMatchObject({
      actual_msats: 3_000,
      refunded_msats: 0,
      shortfall_msats: 497_000,
      remaining_balance_msats: 7_000,
    });
    expect((await balanceOf(vault, agent)).available).toBe(7_000);
  });

  test('is released: everything comes back', async () => {
    const id = await held(vault, agent, 3_000);
    expect((await release(vault, id)).body).toEqual({ released: true, refunded_msats: 3_000 });
    expect(await balanceOf(vault, agent)).toEqual({ available: 10_000, held: 0, spent: 0 });
  });

  test('of nothing is legal and can be settled for nothing', async () => {
    const id = await held(vault, agent, 0);
    expect((await settle(vault, id, 0)).body).toMatchObject({ settled: true, actual_msats: 0 });
  });

  test('of nothing passes even where nothing is left', async () => {
    await held(vault, agent, 10_000);
    expect(
      (await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats: 0 })))
        .status,
    ).toBe(200);
  });

  test('is extended to the asked time, at most an hour from now, and never shortened', async () => {
    const id = await held(vault, agent, 1, { expires_in_secs: 60 });
    const start = vault.clock.ms;
    expect((await extend(vault, id, 120)).body).toEqual({ expires_at: start + 120_000 });
    expect((await extend(vault, id, 5)).body).toEqual({ expires_at: start + 120_000 });
    expect((await extend(vault, id, 1_000_000)).body).toEqual({ expires_at: start + 3_600_000 });
  });

  test('that was extended does not expire at its first time', async () => {
    const id = await held(vault, agent, 1_000, { expires_in_secs: 60 });
    await extend(vault, id, 600);
    vault.clock.advance(61_000);
    await vault.keeper.tick();
    expect(await stateOf(id)).toBe('held');
  });
});

describe('expired', () => {
  test('gives the hold back', async () => {
    await expired(3_000);
    expect(await balanceOf(vault, agent)).toEqual({ available: 10_000, held: 0, spent: 0 });
  });

  test('is settled late from what is available, and says so', async () => {
    const id = await expired(3_000);
    expect((await settle(vault, id, 2_000)).body).toEqual({
      settled: true,
      actual_msats: 2_000,
      refunded_msats: 0,
      shortfall_msats: 0,
      remaining_balance_msats: 8_000,
      late: true,
    });
    expect(await stateOf(id)).toBe('settled_late');
    expect((await balanceOf(vault, agent)).spent).toBe(2_000);
  });

  test('is settled late for what is left; the rest is the operator’s loss', async () => {
    const id = await expired(3_000);
    await held(vault, agent, 9_500);
    expect((await settle(vault, id, 2_000)).body).toMatchObject({
      actual_msats: 500,
      shortfall_msats: 1_500,
      remaining_balance_msats: 0,
      late: true,
    });
    const { accounts } = books(vault.path);
    expect(accounts['operator:loss']).toBe(-1_500);
    expect(accounts['operator:revenue']).toBe(2_000);
  });

  test('is never charged more late than was held', async () => {
    const id = await expired(3_000);
    expect((await settle(vault, id, 5_000)).body).toMatchObject({
      actual_msats: 3_000,
      shortfall_msats: 2_000,
    });
    expect(books(vault.path).accounts['operator:loss']).toBe(0);
  });

  test('answers a release with nothing refunded, and stays expired', async () => {
    const id = await expired();
    expect((await release(vault, id)).body).toEqual({ released: true, refunded_msats: 0 });
    expect(await stateOf(id)).toBe('expired');
  });
});

describe('an unknown reservation', () => {
  test('that is released can never be made', async () => {
    const id = vault.newReservationId();
    expect((await release(vault, id)).body).toEqual({ released: true, refunded_msats: 0 });
    expect((await release(vault, id)).body).toEqual({ released: true, refunded_msats: 0 });
    const answer = await asCore(
      vault,
      'POST',
      '/reserve',
      reserveBody(vault, agent, { reservation_id: id }),
    );
    expect(answer.status).toBe(409);
    expect(answer.body.error).toMatchObject({ code: 'already_released', state: 'released' });
    expect((await balanceOf(vault, agent)).held).toBe(0);
  });

  test('is not settled without an agent', async () => {
    const answer = await settle(vault, vault.newReservationId(), 100);
    expect([answer.status, answer.body.error.code]).toEqual([404, 'not_found']);
  });

  test('is not settled for an agent that does not exist', async () => {
    const answer = await settle(vault, vault.newReservationId(), 100, {
      agent_id: 'ag_01JABCDEFGHJKMNPQRSTVWXYZ0',
    });
    expect(answer.status).toBe(404);
  });

  test('is booked late where the agent is named', async () => {
    const id = vault.newReservationId();
    const bill = { agent_id: agent.id, correlation_id: 'corr-9', model: 'gpt-4o' };
    const answer = await settle(vault, id, 12_000, bill);
    expect(answer.body).toEqual({
      settled: true,
      actual_msats: 10_000,
      refunded_msats: 0,
      shortfall_msats: 2_000,
      remaining_balance_msats: 0,
      late: true,
    });
    expect((await settle(vault, id, 12_000, bill)).body).toEqual(answer.body);
    expect((await asCore(vault, 'GET', `/reservations/${id}`)).body).toMatchObject({
      state: 'settled_late',
      amount_msats: 0,
      actual_msats: 10_000,
      correlation_id: 'corr-9',
    });
  });

  test('cannot be extended', async () => {
    expect((await extend(vault, vault.newReservationId(), 60)).status).toBe(404);
  });
});

describe('replays', () => {
  test('of a reserve hold once and answer the same, with the state as it is now', async () => {
    const body = reserveBody(vault, agent, { amount_msats: 2_000 });
    const first = await asCore(vault, 'POST', '/reserve', body);
    const second = await asCore(vault, 'POST', '/reserve', body);
    expect(second.body).toEqual(first.body);
    expect((await balanceOf(vault, agent)).held).toBe(2_000);
    await settle(vault, body.reservation_id, 500);
    expect((await asCore(vault, 'POST', '/reserve', body)).body).toEqual({
      ...first.body,
      state: 'settled',
    });
  });

  test('of a reserve without an id are found by the correlation id', async () => {
    const body = { ...reserveBody(vault, agent), reservation_id: undefined };
    const first = await asCore(vault, 'POST', '/reserve', body);
    expect((await asCore(vault, 'POST', '/reserve', body)).body).toEqual(first.body);
    const other = { ...body, correlation_id: 'corr-2' };
    const third = await asCore(vault, 'POST', '/reserve', other);
    expect(third.body.reservation_id).not.toBe(first.body.reservation_id);
    expect((await balanceOf(vault, agent)).held).toBe(2_000);
  });

  test.each([
    ['amount_msats', 2],
    ['correlation_id', 'corr-other'],
    ['model', 'another-model'],
  ])('of a reserve with another %s conflict and change nothing', async (field, value) => {
    const body = reserveBody(vault, agent, { amount_msats: 1_000 });
    await asCore(vault, 'POST', '/reserve', body);
    const answer = await asCore(vault, 'POST', '/reserve', { ...body, [field]: value });
    expect(answer.status).toBe(409);
    expect(answer.body.error).toMatchObject({
      code: 'idempotency_conflict',
      state: 'held',
      amount_msats: 1_000,
    });
    expect((await balanceOf(vault, agent)).held).toBe(1_000);
  });

  test('of a reserve without an id but with another amount conflict', async () => {
    const body = { ...reserveBody(vault, agent), reservation_id: undefined };
    await asCore(vault, 'POST', '/reserve', body);
    const answer = await asCore(vault, 'POST', '/reserve', { ...body, amount_msats: 1 });
    expect(answer.body.error.code).toBe('idempotency_conflict');
  });

  test('of another agent with the same reservation id conflict', async () => {
    const body = reserveBody(vault, agent);
    await asCore(vault, 'POST', '/reserve', body);
    const other = await fundedAgent(vault);
    const answer = await asCore(vault, 'POST', '/reserve', { ...body, agent_token: other.token });
    expect(answer.body.error.code).toBe('idempotency_conflict');
  });

  test('of a settle answer the same, whatever happened to the balance since', async () => {
    const id = await held(vault, agent);
    const first = await settle(vault, id, 400, { provider: 'alpha', tokens_in: 3 });
    await held(vault, agent, 5_000);
    expect((await settle(vault, id, 400, { provider: 'alpha', tokens_in: 3 })).body).toEqual(
      first.body,
    );
  });

  test('of a release answer the same', async () => {
    const id = await held(vault, agent);
    const first = await release(vault, id);
    expect((await release(vault, id)).body).toEqual(first.body);
  });
});

/** What each command answers in each state in which it must not act. */
const FORBIDDEN = [
  ['settle', 'released', 409, 'already_released'],
  ['settle', 'tombstone', 409, 'already_released'],
  ['settle', 'settled', 409, 'already_settled_differently'],
  ['settle', 'settled_late', 409, 'already_settled_differently'],
  ['release', 'settled', 409, 'already_settled'],
  ['release', 'settled_late', 409, 'already_settled'],
  ['extend', 'settled', 409, 'already_settled'],
  ['extend', 'settled_late', 409, 'already_settled'],
  ['extend', 'released', 409, 'already_released'],
  ['extend', 'tombstone', 409, 'already_released'],
  ['extend', 'expired', 409, 'expired'],
] as const;

describe('forbidden edges', () => {
  test.each(FORBIDDEN)(
    '%s of a %s reservation is %i %s and changes nothing',
    async (command, state, status, code) => {
      const id = await ended(state);
      const before = books(vault.path).accounts;
      const answer =
        command === 'settle'
          ? await settle(vault, id, 777)
          : command === 'release'
            ? await release(vault, id)
            : await extend(vault, id, 60);
      expect([answer.status, answer.body.error.code]).toEqual([status, code]);
      expect(answer.body.error.state).toBe(state === 'tombstone' ? 'released' : state);
      expect(books(vault.path).accounts).toEqual(before);
    },
  );

  test.each(['settled', 'released', 'expired', 'settled_late', 'tombstone'])(
    'a %s reservation is never expired (again)',
    async (state) => {
      const id = await ended(state);
      const before = books(vault.path).accounts;
      vault.clock.advance(3_600_000);
      await vault.keeper.tick();
      expect(books(vault.path).accounts).toEqual(before);
      expect(await stateOf(id)).toBe(state === 'tombstone' ? 'released' : state);
    },
  );
});

describe('amounts', () => {
  test('a provider’s cost above the bill is refused, and the hold stays', async () => {
    const id = await held(vault, agent);
    const answer = await settle(vault, id, 400, { provider_cost_msats: 401 });
    expect([answer.status, answer.body.error.param]).toEqual([400, 'provider_cost_msats']);
    expect(await stateOf(id)).toBe('held');
  });

  test('usage under metadata counts as usage', async () => {
    const id = await held(vault, agent);
    const answer = await settle(vault, id, 400, { metadata: { provider_cost_msats: 401 } });
    expect(answer.status).toBe(400);
  });

  test('a late bill beyond every exact number is refused', async () => {
    const most = { agent_id: agent.id };
    expect(
      (await settle(vault, vault.newReservationId(), Number.MAX_SAFE_INTEGER, most)).status,
    ).toBe(200);
    const answer = await settle(vault, vault.newReservationId(), Number.MAX_SAFE_INTEGER, most);
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid_request']);
  });
});
