/**
 * What must hold after any crash, once everything is back: the books are whole, nothing is held, and
 * every request was billed exactly as it should have been, once.
 */
import { expect } from 'vitest';
import { until } from '../../support/process.ts';
import type { Agent, Stack } from '../../support/stack.ts';
import { type BookedReservation, readBooks } from './books.ts';

/** Msat: exactly, or from … to (and why, for a failure's message). 0 = not charged. */
export type Bill = number | readonly [min: number, max: number, why?: string];

/** By correlation id. */
export type Bills = Readonly<Record<string, Bill>>;

/** The longest that funds may stay held once both services are back. */
const RECOVERY_MS = 30_000;

export interface WholeOptions {
  /** Bills that came after their hold had expired and could not be paid; msat. */
  readonly loss?: number;
}

export async function expectWhole(
  stack: Stack,
  agents: readonly Agent[],
  bills: Bills,
  { loss = 0 }: WholeOptions = {},
): Promise<void> {
  await recovered(stack, agents);
  const health = await healthOf(stack);
  expect(health.settlement_conflicts, 'settlement_conflicts of core').toBe(0);

  const books = readBooks(stack.vaultDatabase);
  expect(books.sum, 'sum of all accounts').toBe(0);
  expect(books.wrong, 'accounts that are not what their transfers say').toEqual([]);
  expect(books.loss, 'loss of the operator').toBe(loss);
  const verified = await stack.verify();
  expect(verified, verified.output).toMatchObject({ code: 0 });

  for (const agent of agents) {
    const own = books.reservations.filter(({ agentId }) => agentId === agent.id);
    await expectHistory(stack, agent, own);
    await expectRequestLog(stack, agent, own);
    await expectBalance(stack, agent, own);
  }
  const ids = new Set(agents.map(({ id }) => id));
  expectBills(
    books.reservations.filter(({ agentId }) => agentId !== null && ids.has(agentId)),
    bills,
  );
}

/** Nothing is held, and core has nothing left to deliver. */
export async function recovered(stack: Stack, agents: readonly Agent[]): Promise<void> {
  let open: unknown = null;
  await until(
    async () => {
      const held = await Promise.all(
        agents.map(async (agent) => (await stack.balance(agent)).held),
      );
      const { undelivered_settlements: undelivered } = await healthOf(stack);
      open = { held, undelivered };
      return undelivered === 0 && held.every((amount) => amount === 0);
    },
    RECOVERY_MS,
    () =>
      `not recovered: ${JSON.stringify(open)}\ncore:\n${stack.core.output()}\nvault:\n${stack.vault?.output()}`,
  );
}

export async function healthOf(stack: Stack): Promise<Record<string, unknown>> {
  const answer = await fetch(`${stack.core.url}/health`);
  return (await answer.json()) as Record<string, unknown>;
}

function expectBills(reservations: readonly BookedReservation[], bills: Bills): void {
  const problems: string[] = [];
  const charges = new Map<string, number[]>();
  for (const { id, correlationId, state, amount, charged, taken } of reservations) {
    if (taken !== (charged ?? 0)) problems.push(`${id}: charged ${charged}, but took ${taken}`);
    if ((charged ?? 0) > amount) problems.push(`${id}: charged ${charged} of a hold of ${amount}`);
    if (state === 'held') problems.push(`${id} is still held`);
    const known = charges.get(correlationId!) ?? [];
    charges.set(correlationId!, charged === null ? known : [...known, charged]);
  }
  for (const [correlationId, amounts] of charges) {
    if (!(correlationId in bills)) problems.push(`${correlationId}: nobody asked this`);
    if (amounts.length > 1) problems.push(`${correlationId}: billed more than once (${amounts})`);
  }
  for (const [correlationId, bill] of Object.entries(bills)) {
    const [min, max, why = ''] = typeof bill === 'number' ? [bill, bill] : bill;
    const billed = (charges.get(correlationId) ?? []).reduce((sum, amount) => sum + amount, 0);
    if (billed < min || billed > max) {
      const wanted = min === max ? String(min) : `${min} to ${max}`;
      problems.push(`${correlationId}: billed ${billed}, should be ${wanted} ${why}`.trim());
    }
  }
  expect(problems).toEqual([]);
}

interface HistoryEntry {
  readonly action: string;
  readonly ref_id: string | null;
  readonly amount_msat: number | null;
}

const ENDS: Readonly<Record<string, string>> = {
  RESERVATION_SETTLED: 'settled',
  RESERVATION_RELEASED: 'released',
  RESERVATION_EXPIRED: 'expired',
  RESERVATION_SETTLED_LATE: 'settled_late',
};

/** The agent reads of each reservation: held once, ended once (late bills after their expiry), as booked. */
async function expectHistory(
  stack: Stack,
  agent: Agent,
  reservations: readonly BookedReservation[],
): Promise<void> {
  const told = new Map<string, { held: number; ends: string[]; charged: number | null }>();
  for (const { action, ref_id: id, amount_msat: amount } of await historyOf(stack, agent)) {
    if (id === null || !id.startsWith('rsv_')) continue;
    const one = told.get(id) ?? { held: 0, ends: [], charged: null };
    told.set(id, one);
    if (action === 'RESERVATION_HELD') one.held++;
    if (action in ENDS) one.ends.push(ENDS[action]!);
    if (ENDS[action]?.startsWith('settled')) one.charged = amount;
  }
  const wanted = reservations.map(({ id, state, charged }) => [
    id,
    { held: 1, ends: state === 'settled_late' ? ['expired', state] : [state], charged },
  ]);
  expect(Object.fromEntries(told), 'history of the agent').toEqual(Object.fromEntries(wanted));
}

async function historyOf(stack: Stack, agent: Agent): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  let cursor: string | null = null;
  do {
    const page = (await getJson(
      `${stack.vault!.url}/agents/me/history?order=asc&limit=100${cursor === null ? '' : `&cursor=${cursor}`}`,
      agent,
    )) as { entries: HistoryEntry[]; next_cursor: string | null };
    entries.push(...page.entries);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return entries;
}

/** Where core has a row of a request (a crash may have taken it), it says what the vault has booked. */
async function expectRequestLog(
  stack: Stack,
  agent: Agent,
  reservations: readonly BookedReservation[],
): Promise<void> {
  const booked = new Map(reservations.map((reservation) => [reservation.id, reservation]));
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const row of await requestsOf(stack, agent)) {
    const { reservation_id: id, cost } = row;
    if (id === null) continue;
    if (seen.has(id)) problems.push(`${id} has two rows`);
    seen.add(id);
    const there = booked.get(id);
    if (there === undefined) problems.push(`${id} is unknown to the vault`);
    else if (there.charged !== cost.msats) {
      problems.push(`${id}: core says ${cost.msats}, the vault ${there.charged} (${there.state})`);
    }
  }
  expect(problems).toEqual([]);
}

interface RequestRow {
  readonly reservation_id: string | null;
  readonly cost: { readonly msats: number | null };
}

async function requestsOf(stack: Stack, agent: Agent): Promise<RequestRow[]> {
  const rows: RequestRow[] = [];
  for (let page = 1; ; page++) {
    const body = (await getJson(
      `${stack.core.url}/v1/requests?per_page=100&order=asc&page=${page}`,
      agent,
    )) as { data: RequestRow[]; total_pages: number };
    rows.push(...body.data);
    if (page >= body.total_pages) return rows;
  }
}

/** What the agent has is what it was given, less what it was charged. */
async function expectBalance(
  stack: Stack,
  agent: Agent,
  reservations: readonly BookedReservation[],
): Promise<void> {
  const charged = reservations.reduce((sum, reservation) => sum + (reservation.charged ?? 0), 0);
  const deposits = (await historyOf(stack, agent)).filter(({ action }) => action === 'DEPOSIT');
  const given = deposits.reduce((sum, { amount_msat: amount }) => sum + (amount ?? 0), 0);
  expect(await stack.balance(agent), 'balance of the agent').toEqual({
    available: given - charged,
    held: 0,
    spent: charged,
  });
}

async function getJson(url: string, agent: Agent): Promise<unknown> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${agent.token}` } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
