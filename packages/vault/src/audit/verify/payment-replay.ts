/**
 * Rebuilds one agent's payments and approvals from its audit trail and compares each with its row
 * when it has ended; what is still open is compared at the end.
 */
import { hash } from 'node:crypto';
import { SHARED_ACCOUNTS } from '../../ledger/account.ts';
import type { AgentBooks } from './agent-books.ts';
import type { Fact } from './chain.ts';
import { integer, optionalInteger, optionalText, text } from './facts.ts';
import type { GrantReplay } from './grant-replay.ts';
import type { Row } from './lookups.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';
import type { SpendReplay } from './spend-replay.ts';

const RAIL = SHARED_ACCOUNTS.railSimulated.id;
const FEES = SHARED_ACCOUNTS.feesSimulated.id;
const TRANSIT = SHARED_ACCOUNTS.transit.id;
const LOSS = SHARED_ACCOUNTS.loss.id;

export class PaymentReplay {
  readonly #deps: ReplayDeps;
  readonly #agentNo: number;
  readonly #books: AgentBooks;
  readonly #spend: SpendReplay;
  readonly #grants: GrantReplay;
  readonly #open = new Map<string, Row>();
  readonly #pending = new Map<string, Row>();

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

  denied(fact: Fact, what: string): void {
    const row = this.#created(fact);
    this.#books.checkBalance(fact, what);
    this.#books.move(fact, what, String(row.id), []);
    const failure = text(fact.facts, 'decision_reason');
    this.#compare({ ...row, state: 'failed', ended_at: fact.at, failure });
  }

  held(fact: Fact, what: string, state: 'held' | 'requested'): void {
    const row: Row = { ...this.#created(fact), state };
    const books = this.#books;
    const hold = holdOf(row);
    books.available -= hold;
    books.held += hold;
    books.checkBalance(fact, what);
    const id = String(row.id);
    books.move(fact, what, id, [[books.availableId, books.heldId, hold, 'hold']]);
    this.#open.set(id, row);
  }

  asked(fact: Fact, what: string): void {
    const { facts, at } = fact;
    const type = text(facts, 'approval_type');
    const isInference = type === 'inference';
    if (!isInference) this.held(fact, what, 'requested');
    this.#deps.totals.approvals++;
    const id = text(facts, 'approval_id');
    this.#pending.set(id, {
      id,
      agent_no: this.#agentNo,
      type,
      transaction_id: isInference ? null : text(facts, 'transaction_id'),
      amount: integer(facts, 'amount'),
      max_fee: isInference ? 0 : integer(facts, 'max_fee'),
      destination_type: isInference ? null : text(facts, 'destination_type'),
      destination: isInference ? null : text(facts, 'destination'),
      model: isInference ? text(facts, 'model') : null,
      rule: text(facts, 'rule'),
      correlation_id: text(facts, 'correlation_id'),
      status: 'pending',
      created_at: at,
      expires_at: integer(facts, 'expires_at'),
      resolved_at: null,
      reason: null,
    });
  }

  granted(fact: Fact, what: string): void {
    this.#resolve(fact, what, 'approved');
    if (fact.facts.approval_type === 'inference') {
      this.#grants.give(fact);
      return;
    }
    const row = this.#take(fact, what);
    if (row) this.#open.set(String(row.id), { ...row, state: 'held' });
  }

  sent(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (!row) return;
    const wallet_identity = text(fact.facts, 'wallet_identity');
    const sent = { ...row, state: 'in_flight', wallet_identity, sent_at: fact.at };
    this.#open.set(String(row.id), sent);
  }

  seen(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (row) this.#open.set(String(row.id), { ...row, seen: 1, stuck: null });
  }

  stuck(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    const reason = text(fact.facts, 'reason');
    if (row) this.#open.set(String(row.id), { ...row, stuck: reason });
  }

  settled(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (!row) return;
    const { facts, at } = fact;
    const books = this.#books;
    const fee = integer(facts, 'fee');
    const refunded = integer(facts, 'refunded');
    const excess = optionalInteger(facts, 'excess') ?? 0;
    this.#checkCharge(fact, what, Number(row.amount) + fee);
    if (fee + refunded !== row.max_fee) {
      this.#deps.report.add(`${what}: fee and refund are not what was held for fees`);
    }
    books.held -= holdOf(row);
    books.available += refunded;
    books.checkBalance(fact, what);
    this.#spend.charge(Number(row.created_at), Number(row.amount) + fee, at);
    books.move(fact, what, String(row.id), [
      [books.heldId, RAIL, Number(row.amount), 'payment'],
      [books.heldId, FEES, fee, 'fee'],
      [LOSS, FEES, excess, 'overcharge'],
      [books.heldId, books.availableId, refunded, 'refund'],
    ]);
    this.#compare(
      {
        ...row,
        state: 'succeeded',
        ended_at: at,
        fee,
        preimage: optionalText(facts, 'preimage'),
      },
      optionalText(facts, 'token_hash'),
    );
  }

  /** To another agent: from the hold where a human let it, else at once. */
  moved(fact: Fact, what: string): void {
    const wasHeld = fact.facts.approval_id !== undefined;
    const row = wasHeld ? this.#take(fact, what) : this.#created(fact);
    if (!row) return;
    const books = this.#books;
    const amount = Number(row.amount);
    this.#checkCharge(fact, what, amount);
    if (wasHeld) books.held -= amount;
    else books.available -= amount;
    books.checkBalance(fact, what);
    this.#spend.charge(Number(row.created_at), amount, fact.at);
    const from = wasHeld ? books.heldId : books.availableId;
    books.move(fact, what, String(row.id), [[from, TRANSIT, amount, 'payment']]);
    this.#compare({ ...row, state: 'succeeded', ended_at: fact.at, fee: 0 });
  }

  received(fact: Fact, what: string): void {
    const books = this.#books;
    const amount = integer(fact.facts, 'amount');
    const id = text(fact.facts, 'transaction_id');
    books.available += amount;
    books.checkBalance(fact, what);
    books.move(fact, what, id, [[TRANSIT, books.availableId, amount, 'payment']]);
    const payment = this.#deps.lookups.payment(id);
    const expected = { payee_no: this.#agentNo, amount, state: 'succeeded', ended_at: fact.at };
    compareRow(this.#deps.report, `${what}: payment ${id}`, expected, payment);
  }

  failed(fact: Fact, what: string): void {
    const row = this.#take(fact, what);
    if (!row) return;
    const { facts, at } = fact;
    const books = this.#books;
    const refunded = integer(facts, 'refunded');
    if (refunded !== holdOf(row)) {
      this.#deps.report.add(`${what}: the refund is not what was held`);
    }
    books.held -= refunded;
    books.available += refunded;
    books.checkBalance(fact, what);
    const id = String(row.id);
    books.move(fact, what, id, [[books.heldId, books.availableId, refunded, 'refund']]);
    this.#compare({ ...row, state: 'failed', ended_at: at, failure: text(facts, 'failure') });
  }

  refused(fact: Fact, what: string, status: 'denied' | 'timed_out'): void {
    this.#resolve(fact, what, status);
    if (fact.facts.approval_type !== 'inference') this.failed(fact, what);
  }

  finish(): void {
    for (const row of this.#open.values()) this.#compare(row);
    for (const row of this.#pending.values()) this.#compareApproval(row);
  }

  #created({ facts, at }: Fact): Row {
    this.#deps.totals.payments++;
    return {
      id: text(facts, 'transaction_id'),
      agent_no: this.#agentNo,
      kind: text(facts, 'kind'),
      destination_type: text(facts, 'destination_type'),
      destination: text(facts, 'destination'),
      payment_hash: optionalText(facts, 'payment_hash'),
      invoice_expires_at: optionalInteger(facts, 'invoice_expires_at'),
      payee_no: optionalInteger(facts, 'payee_no'),
      amount: integer(facts, 'amount'),
      max_fee: integer(facts, 'max_fee'),
      purpose: text(facts, 'purpose'),
      rail: text(facts, 'rail'),
      decision: text(facts, 'decision'),
      decision_reason: text(facts, 'decision_reason'),
      approval_id: optionalText(facts, 'approval_id'),
      correlation_id: text(facts, 'correlation_id'),
      created_at: at,
      wallet_identity: null,
      sent_at: null,
      seen: 0,
      ended_at: null,
      fee: null,
      preimage: null,
      failure: null,
      stuck: null,
    };
  }

  #checkCharge(fact: Fact, what: string, charge: number): void {
    if (integer(fact.facts, 'charged') === charge) return;
    this.#deps.report.add(`${what}: the charge is not amount and fee`);
  }

  #resolve({ facts, at }: Fact, what: string, status: string): void {
    const id = text(facts, 'approval_id');
    const row = this.#pending.get(id);
    this.#pending.delete(id);
    if (!row) {
      this.#deps.report.add(`${what}: approval ${id} was not pending before it`);
      return;
    }
    const reason = optionalText(facts, 'reason');
    this.#compareApproval({ ...row, status, resolved_at: at, reason });
  }

  #take({ facts }: Fact, what: string): Row | undefined {
    const id = text(facts, 'transaction_id');
    const row = this.#open.get(id);
    this.#open.delete(id);
    if (!row) this.#deps.report.add(`${what}: payment ${id} was not in the state before it`);
    return row;
  }

  #compareApproval(row: Row): void {
    const { lookups, report } = this.#deps;
    compareRow(report, `approval ${row.id}`, row, lookups.approval(String(row.id)));
  }

  /** The audit trail knows ecash only by its hash. */
  #compare(row: Row, tokenHash: string | null = null): void {
    const { lookups, report } = this.#deps;
    const stored = lookups.payment(String(row.id));
    const stuck = row.state === 'in_flight' ? row.stuck! : null;
    compareRow(report, `payment ${row.id}`, { ...row, stuck }, stored);
    const token = stored?.token ?? null;
    if ((token === null ? null : hash('sha256', String(token))) === tokenHash) return;
    report.add(`payment ${row.id}: its token is not the one that the audit trail knows by hash`);
  }
}

const holdOf = (row: Row): number => Number(row.amount) + Number(row.max_fee);
