import { randomBytes } from 'node:crypto';
import { createIdSource } from '@arbstr/shared';
import { Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  balanceOf,
  books,
  closeVaults,
  fundedAgent,
  INTERNAL_TOKEN,
  openVault,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let pool: Pool;
const newId = createIdSource(Date.now, randomBytes);

beforeEach(async () => {
  vault = await openVault();
  pool = new Pool(await vault.app.listen({ host: '127.0.0.1', port: 0 }), { connections: 64 });
});
afterEach(async () => {
  await pool.close();
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

async function post(
  path: string,
  body: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await pool.request({
    method: 'POST',
    path: `/internal${path}`,
    headers: { 'x-internal-token': INTERNAL_TOKEN, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return {
    status: answer.statusCode,
    body: (await answer.body.json()) as Record<string, unknown>,
  };
}

const reserve = (agent: TestAgent, amount: number, id = newId('reservation')) =>
  post('/reserve', {
    agent_token: agent.token,
    amount_msats: amount,
    correlation_id: id,
    model: 'gpt-4o-mini',
    reservation_id: id,
  });

const times = <T>(n: number, make: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: n }, (_, index) => make(index)));

const countBy = (answers: { status: number }[], status: number) =>
  answers.filter((answer) => answer.status === status).length;

describe('hundreds of reserves at once', () => {
  test('on one balance admit exactly as many as it covers', async () => {
    const agent = await fundedAgent(vault, { amount: 1_000 });
    const answers = await times(400, () => reserve(agent, 7));
    expect([countBy(answers, 200), countBy(answers, 402)]).toEqual([142, 258]);
    expect(await balanceOf(vault, agent)).toEqual({ available: 6, held: 994, spent: 0 });
  });

  test('under one daily limit admit exactly as many as it covers', async () => {
    const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 500 } });
    const answers = await times(300, () => reserve(agent, 7));
    expect([countBy(answers, 200), countBy(answers, 403)]).toEqual([71, 229]);
  });

  test('of one reservation hold once', async () => {
    const agent = await fundedAgent(vault, { amount: 1_000 });
    const id = newId('reservation');
    const answers = await times(200, () => reserve(agent, 7, id));
    expect(countBy(answers, 200)).toBe(200);
    expect((await balanceOf(vault, agent)).held).toBe(7);
  });
});

test('settles and releases of one hold race to one end', async () => {
  const agent = await fundedAgent(vault, { amount: 10_000 });
  const ids = (await times(50, () => reserve(agent, 100))).map(({ body }) => body.reservation_id);
  const answers = await times(500, (n) =>
    n % 2 === 0
      ? post('/settle', { reservation_id: ids[n % 50], actual_msats: 40 })
      : post('/release', { reservation_id: ids[n % 50] }),
  );
  for (const { status } of answers) expect([200, 409]).toContain(status);
  const { available, held, spent } = await balanceOf(vault, agent);
  expect([held, available + spent]).toEqual([0, 10_000]);
  expect(books(vault.path).sum).toBe(0n);
});

test('whole requests of many agents keep every balance apart', async () => {
  const agents = await Promise.all(
    Array.from({ length: 8 }, () => fundedAgent(vault, { amount: 100_000 })),
  );
  await times(400, async (n) => {
    const { body } = await reserve(agents[n % 8]!, 100);
    const answer = await post('/settle', {
      reservation_id: body.reservation_id,
      actual_msats: n % 7,
    });
    expect(answer.status).toBe(200);
  });
  let spent = 0;
  for (const agent of agents) {
    const balance = await balanceOf(vault, agent);
    expect(balance.available + balance.spent).toBe(100_000);
    spent += balance.spent;
  }
  expect(books(vault.path).accounts['operator:revenue']).toBe(spent);
});
