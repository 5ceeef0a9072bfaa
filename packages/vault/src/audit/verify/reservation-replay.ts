/**
 * Rebuilds one agent's reservations from its audit trail and compares each with its row when it has
 * ended. In memory: open holds, and expired ones whose row says that they were settled late.
 */
import { SHARED_ACCOUNTS } from '../../ledger/account.ts';
import type { AgentBooks } from './agent-books.ts';
import type { Fact } from './chain.ts';
import { FactsError, integer, optionalText, text } from './facts.ts';
import type { GrantReplay } from './grant-replay.ts';
import type { Row } from './lookups.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';
import type { SpendReplay } from './spend-replay.ts';

const REVENUE = SHARED_ACCOUNTS.revenue.id;
const LOSS = SHARED_ACCOUNTS.loss.id;

const NOT_ENDED = { ended_at: null, asked: null, charged: null, balance_after_end: null };

export class ReservationReplay {
  readonly #deps: ReplayDeps;
  readonly #agentNo: number;
  readonly #books: AgentBooks;
  readonly #spend: SpendReplay;
  readonly #grants: GrantReplay;
  readonly #open = new Map<string, Row>();
  readonly #expired = new Map<string, Row>();

  constructor(
    deps: ReplayDeps,
    agentNo: number,
    books: AgentBooks,
    spend: SpendReplay,
    grants: GrantReplay,
  ) {
    this.#deps = deps;
    this.#agentNo = agentNo;
    this.#books = books;
    this.#spend = spend;
    this.#grants = grants;
  }

  hold(fact: Fact, what: string): void {
    const { facts, at } = fact;
    const books = this.#books;
    const amount = integer(facts, 'amount');
    const id = text(facts, 'reservation_id');
    this.#deps.totals.reservations++;
    books.available -= amount;
    books.held += amount;
    books.checkBalance(fact, what);
    books.move(fact, what, id, [[books.availableId, books.heldId, amount, 'hold']]);
    const row: Row = {
      id,
      agent_no: this.#agentNo,
      core_id: optionalText(facts, 'core_id'),
      correlation_id: text(facts, 'correlation_id'),
      model: text(facts, 'model'),
      requested_model: optionalText(facts, 'requested_model'),
      by_correlation: facts.by_correlation === true ? 1 : 0,
      amount,
      state: 'held',
      created_at: at,
      expires_at: integer(facts, 'expires_at'),
      balance_after_hold: integer(facts, 'balance'),
      ...NOT_ENDED,
      usage: null,
      approval_ids: joined(facts, 'approval_ids'),
    };
    this.#grants.take(what, row);
    this.#open.set(id, row);
  }

  moveExpiry({ facts }: Fact, what: string): void {
    const row = this.#take(this.#open, facts, what);
    if (!row) return;
    this.#open.set(String(row.id), { ...row, expires_at: integer(facts, 'expires_at') });
  }

  settle(fact: Fact, what: string): void {
    const { facts, at } = fact;
    const row = this.#take(this.#open, facts, what);
    if (!row) return;
    const books = this.#books;
    const charged = integer(facts, 'charged');
    const refunded = integer(facts, 'refunded');
    if (charged + refunded !== row.amount) {
      this.#deps.report.add(`${what}: charge and refund are not what was held`);
    }
    books.held -= Number(row.amount);
    books.available += refunded;
    books.checkBalance(fact, what);
    this.#spend.charge(Number(row.created_at), charged, at);
    const earning = this.#deps.sellers.earn(fact, what, charged);
    books.move(fact, what, String(row.id), [
      [books.heldId, REVENUE, charged - (earning?.amount ?? 0), 'charge'],
      [books.heldId, earning?.account ?? 0, earning?.amount ?? 0, 'earning'],
      [books.heldId, books.availableId, refunded, 'refund'],
    ]);
    this.#grants.consume(row, at);
    this.#compare({ ...row, ...bill(fact), state: 'settled' });
  }

  giveBack(fact: Fact, what: string, state: 'released' | 'expired'): void {
    const { facts, at } = fact;
    const row = this.#take(this.#open, facts, what);
    if (!row) return;
    const books = this.#books;
    const refunded = integer(facts, 'refunded');
    if (refunded !== row.amount) {
      this.#deps.report.add(`${what}: the refund is not what was held`);
    }
    books.held -= Number(row.amount);
    books.available += refunded;
    books.checkBalance(fact, what);
    const id = String(row.id);
    books.move(fact, what, id, [[books.heldId, books.availableId, refunded, 'refund']]);
    this.#grants.giveBack(row);
    const ended = { ...row, state, ended_at: at };
    // Only such a row may still change; its last state is compared then.
    if (state === 'expired' && this.#deps.lookups.reservation(id)?.state === 'settled_late') {
      this.#expired.set(id, ended);
    } else {
      this.#compare(ended);
    }
  }

  settleLate(fact: Fact, what: string): void {
    const { facts, at } = fact;
    const id = text(facts, 'reservation_id');
    const row =
      facts.unknown === true ? this.#unknown(fact, id) : this.#take(this.#expired, facts, what);
    if (!row) return;
    const books = this.#books;
    const charged = integer(facts, 'charged');
    books.available -= charged;
    books.checkBalance(fact, what);
    this.#spend.charge(Number(row.created_at), charged, at);
    const earning = this.#deps.sellers.earn(fact, what, charged);
    books.move(fact, what, id, [
      [books.availableId, REVENUE, charged - (earning?.amount ?? 0), 'late_charge'],
      [books.availableId, earning?.account ?? 0, earning?.amount ?? 0, 'earning'],
      [LOSS, REVENUE, integer(facts, 'lost'), 'loss'],
    ]);
    this.#grants.consumeLate(row, at);
    this.#compare({ ...row, ...bill(fact), state: 'settled_late' });
  }

  /** What is still open, and what was said to be settled late but never was. */
  finish(): void {
    for (const row of this.#open.values()) this.#compare(row);
    for (const row of this.#expired.values()) this.#compare(row);
  }

  /** A reservation that begins with its bill. */
  #unknown({ facts, at }: Fact, id: string): Row {
    this.#deps.totals.reservations++;
    return {
      id,
      agent_no: this.#agentNo,
      core_id: null,
      correlation_id: optionalText(facts, 'correlation_id'),
      model: optionalText(facts, 'model'),
      requested_model: null,
      by_correlation: 0,
      amount: 0,
      created_at: at,
      expires_at: at,
      balance_after_hold: null,
      approval_ids: null,
    };
  }

  #take(from: Map<string, Row>, facts: Fact['facts'], what: string): Row | undefined {
    const id = text(facts, 'reservation_id');
    const row = from.get(id);
    from.delete(id);
    if (!row) this.#deps.report.add(`${what}: reservation ${id} was not in the state before it`);
    return row;
  }

  #compare(expected: Row): void {
    const { lookups, report } = this.#deps;
    const id = String(expected.id);
    report.counts.reservations++;
    compareRow(report, `reservation ${id}`, expected, lookups.reservation(id));
  }
}

/** A list of ids, as the tables keep it. */
function joined(facts: Fact['facts'], key: string): string | null {
  const ids = facts[key];
  if (ids === undefined) return null;
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'string')) return ids.join(' ');
  throw new FactsError(`${key} is not a list of ids`);
}

function bill({ facts, at }: Fact): Row {
  return {
    ended_at: at,
    asked: integer(facts, 'asked'),
    charged: integer(facts, 'charged'),
    balance_after_end: integer(facts, 'balance'),
    usage: JSON.stringify(facts.usage ?? {}),
  };
}
