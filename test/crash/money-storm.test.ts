/**
 * The vault, killed again and again while money comes in and sellers are paid. Afterwards the
 * wallet's own books, which no crash of the vault touches, must say the same as the ledger's.
 */
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/process.ts';
import type { Agent, Stack } from '../support/stack.ts';
import { type Gated, restartVault, startGated } from './support/gated.ts';
import { type Random, seeded } from './support/random.ts';
import { callVault, newReservationId } from './support/vault-api.ts';

const CALLERS = 8;
const KILLS = 6;
const SELLERS = ['alpha', 'beta', 'gamma'];

let gated: Gated;

beforeAll(async () => {
  gated = await startGated();
  // Only the vault is in question here.
  await gated.stack.core.kill();
});
afterAll(() => gated?.stop());

it('credits what came in once, and pays each seller once', { timeout: 120_000 }, () =>
  seeded(async (random) => {
    const { stack } = gated;
    const agent = await stack.agent({ fundMsat: 100_000_000 });
    for (const name of SELLERS) await sell(stack, name);
    let over = false;
    const callers = Array.from({ length: CALLERS }, async (_, nth) => {
      const own = random.fork(`caller ${nth}`);
      while (!over) await (nth % 2 ? moneyIn(stack, agent) : moneyOut(stack, agent, own));
    });
    await kill(random.fork('blows'));
    over = true;
    await Promise.all(callers);

    await until(
      async () => {
        await approveAll(stack);
        return openPayouts(stack) === 0 && uncredited(stack) === 0;
      },
      30_000,
      () => `${openPayouts(stack)} payouts are open, ${uncredited(stack)} receipts not credited`,
    );
    const { deposits, received, payouts, paid } = bothBooks(stack);
    expect(deposits).toEqual(received);
    expect(payouts).toEqual(paid);
    expect(deposits.length).toBeGreaterThan(5);
    expect(payouts.length).toBeGreaterThan(3);
    expect(await stack.verify()).toMatchObject({ code: 0 });
  }),
);

/** The answer, or null where the vault was away: whether it acted is unknown. */
async function operator(stack: Stack, method: string, path: string, body?: unknown) {
  return stack.asOperator(method, path, body).catch(() => null) as Promise<Record<
    string,
    unknown
  > | null>;
}

const sell = (stack: Stack, name: string) =>
  stack.asOperator('PUT', `/operator/providers/${name}`, {
    payout_destination: `${name}@pay.example`,
    payout_threshold_msat: 1_000,
  });

async function moneyIn(stack: Stack, agent: Agent): Promise<void> {
  const made = await operator(stack, 'POST', `/agents/${agent.id}/deposits`, {
    amount_msat: 1_234,
  });
  if (!made) return pause();
  const path = `/operator/simulated/deposits/${made.deposit_id}/pay`;
  // Twice: the second must credit nothing.
  await Promise.all([operator(stack, 'POST', path), operator(stack, 'POST', path)]);
}

async function moneyOut(stack: Stack, agent: Agent, random: Random): Promise<void> {
  const id = newReservationId();
  const held = await callVault(stack, 'POST', '/reserve', {
    agent_token: agent.token,
    amount_msats: 2_000,
    correlation_id: id,
    model: 'm',
    reservation_id: id,
  });
  if (held?.status !== 200) return pause();
  const provider = SELLERS[random.int(0, SELLERS.length - 1)];
  const bill = { reservation_id: id, actual_msats: 1_500, provider, provider_cost_msats: 1_100 };
  await callVault(stack, 'POST', '/settle', bill);
  await approveAll(stack);
}

async function approveAll(stack: Stack): Promise<void> {
  const found = await operator(stack, 'GET', '/operator/payouts?status=waiting');
  const waiting = (found?.payouts ?? []) as { payout_id: string }[];
  for (const { payout_id } of waiting) {
    await operator(stack, 'POST', `/operator/approvals/${payout_id}/approve`);
  }
}

async function kill(random: Random): Promise<void> {
  for (let nth = 0; nth < KILLS; nth++) {
    await new Promise((resolve) => setTimeout(resolve, random.int(300, 2_000)));
    await restartVault(gated);
  }
}

const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 50));

function query<T>(path: string, sql: string): T[] {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    return db.prepare(sql).all() as T[];
  } finally {
    db.close();
  }
}

const openPayouts = ({ vaultDatabase }: Stack): number =>
  query(vaultDatabase, "SELECT 1 FROM payouts WHERE state IN ('waiting', 'held', 'in_flight')")
    .length;

/** Paid invoices that a deposit asked for and that no deposit has yet. */
function uncredited(stack: Stack): number {
  const { deposits, received } = bothBooks(stack);
  return received.length - deposits.length;
}

function bothBooks({ vaultDatabase }: Stack) {
  const wallet = `${vaultDatabase}.wallet`;
  const known = query<{ payment_hash: string }>(vaultDatabase, 'SELECT payment_hash FROM deposits');
  const asked = new Set(known.map(({ payment_hash }) => payment_hash));
  return {
    deposits: query(
      vaultDatabase,
      `SELECT payment_hash, received FROM deposits WHERE state = 'settled' ORDER BY payment_hash`,
    ),
    // An invoice that the vault died over before it kept its deposit was never shown to anybody.
    received: query<{ payment_hash: string }>(
      wallet,
      'SELECT payment_hash, received FROM invoices WHERE receipt IS NOT NULL ORDER BY payment_hash',
    ).filter(({ payment_hash }) => asked.has(payment_hash)),
    payouts: query(
      vaultDatabase,
      "SELECT id AS reference, amount FROM payouts WHERE state = 'succeeded' ORDER BY id",
    ),
    paid: query(
      wallet,
      "SELECT reference, amount FROM payments WHERE state = 'succeeded' ORDER BY reference",
    ),
  };
}
