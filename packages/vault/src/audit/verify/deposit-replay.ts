/**
 * One agent's deposits, as its audit trail opens, credits and ends them. In memory: open ones, and
 * expired ones whose row says that they were paid all the same.
 */
import { hash } from 'node:crypto';
import { SHARED_ACCOUNTS } from '../../ledger/account.ts';
import type { AgentBooks } from './agent-books.ts';
import type { Fact } from './chain.ts';
import { integer, optionalInteger, optionalText, text } from './facts.ts';
import type { Row } from './lookups.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

const RAIL = SHARED_ACCOUNTS.railSimulated.id;

export class DepositReplay {
  readonly #deps: ReplayDeps;
  readonly #agentNo: number;
  readonly #books: AgentBooks;
  readonly #open = new Map<string, Row>();

  constructor(deps: ReplayDeps, agentNo: number, books: AgentBooks) {
    this.#deps = deps;
    this.#agentNo = agentNo;
    this.#books = books;
  }

  open({ facts, at }: Fact): void {
    const id = text(facts, 'deposit_id');
    this.#deps.totals.deposits++;
    this.#open.set(id, {
      id,
      agent_no: this.#agentNo,
      rail: text(facts, 'rail'),
      type: text(facts, 'type'),
      amount: integer(facts, 'amount'),
      payment_request: optionalText(facts, 'payment_request'),
      payment_hash: optionalText(facts, 'payment_hash'),
      expires_at: optionalInteger(facts, 'expires_at'),
      token_hash: optionalText(facts, 'token_hash'),
      token_key: optionalText(facts, 'token_key'),
      correlation_id: text(facts, 'correlation_id'),
      state: 'pending',
      created_at: at,
      ended_at: null,
      received: null,
      receipt_index: null,
      balance_after: null,
      failure: null,
    });
  }

  settle(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (!row) return;
    const { facts, at } = fact;
    const books = this.#books;
    const received = integer(facts, 'amount');
    books.available += received;
    books.checkBalance(fact, what);
    books.move(fact, what, String(row.id), [[RAIL, books.availableId, received, 'deposit']]);
    this.#compare({
      ...row,
      state: 'settled',
      ended_at: at,
      received,
      receipt_index: optionalInteger(facts, 'receipt_index'),
      balance_after: integer(facts, 'balance'),
    });
  }

  expire(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (!row) return;
    const id = String(row.id);
    const expired = { ...row, state: 'expired' };
    // Only such a row may still change; its last state is compared then.
    if (this.#deps.lookups.deposit(id)?.state === 'settled') this.#open.set(id, expired);
    else this.#compare(expired);
  }

  fail(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (!row) return;
    const failure = text(fact.facts, 'failure');
    this.#compare({ ...row, state: 'failed', ended_at: fact.at, failure });
  }

  /** What is still open, and what was said to be settled but never was. */
  finish(): void {
    for (const row of this.#open.values()) this.#compare(row);
  }

  #take({ facts }: Fact, what: string): Row | undefined {
    const id = text(facts, 'deposit_id');
    const row = this.#open.get(id);
    this.#open.delete(id);
    if (!row) this.#deps.report.add(`${what}: deposit ${id} was not in the state before it`);
    return row;
  }

  #compare(expected: Row): void {
    const { lookups, report } = this.#deps;
    const actual = lookups.deposit(String(expected.id));
    compareRow(report, `deposit ${expected.id}`, expected, actual);
    // The trail has the ecash's hash only. It stands in the row while it is worth something.
    const waits = expected.type === 'cashu_token' && expected.state === 'pending';
    const token = actual?.token;
    const tokenHash = typeof token === 'string' ? hash('sha256', token) : null;
    if (actual && tokenHash !== (waits ? expected.token_hash : null)) {
      report.add(`deposit ${expected.id}: token is not the one that the audit trail speaks of`);
    }
  }
}
