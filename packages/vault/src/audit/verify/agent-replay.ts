/**
 * Rebuilds one agent from its audit chain and compares every row of it, in every table, with what
 * is stored. Written from the meaning of the actions, not from the code that applied them, so that
 * a mistake there shows here.
 */
import { SHARED_ACCOUNTS } from '../../ledger/account.ts';
import { AgentBooks } from './agent-books.ts';
import type { Fact } from './chain.ts';
import { DepositReplay } from './deposit-replay.ts';
import { FactsError, integer, optionalInteger, optionalList, text } from './facts.ts';
import { GrantReplay } from './grant-replay.ts';
import type { Row } from './lookups.ts';
import { PaymentReplay } from './payment-replay.ts';
import { checkRemembered } from './remembered.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';
import { ReservationReplay } from './reservation-replay.ts';
import { SpendReplay } from './spend-replay.ts';
import { TokenReplay } from './token-replay.ts';

const RAIL = SHARED_ACCOUNTS.railSimulated.id;
const REVENUE = SHARED_ACCOUNTS.revenue.id;
const EQUITY = SHARED_ACCOUNTS.equity.id;

export class AgentReplay {
  readonly #deps: ReplayDeps;
  readonly #no: number;
  readonly #name: string;
  readonly #books: AgentBooks;
  readonly #spend = new SpendReplay();
  readonly #reservations: ReservationReplay;
  readonly #deposits: DepositReplay;
  readonly #payments: PaymentReplay;
  readonly #tokens: TokenReplay;
  readonly #grants: GrantReplay;
  #registered: Row | null = null;
  #alertedAt: number | null = null;

  constructor(deps: ReplayDeps, no: number, name: string) {
    this.#deps = deps;
    this.#no = no;
    this.#name = name;
    this.#books = new AgentBooks(deps);
    this.#tokens = new TokenReplay(deps, no);
    this.#deposits = new DepositReplay(deps, no, this.#books);
    this.#grants = new GrantReplay(deps, no);
    this.#payments = new PaymentReplay(deps, no, this.#books, this.#spend, this.#grants);
    this.#reservations = new ReservationReplay(deps, no, this.#books, this.#spend, this.#grants);
  }

  apply(fact: Fact): void {
    const what = `${this.#name}: audit row ${fact.seq} (${fact.action})`;
    try {
      this.#apply(fact, what);
      checkRemembered(this.#deps, fact, what);
    } catch (error) {
      if (!(error instanceof FactsError)) throw error;
      this.#deps.report.add(`${what} cannot be understood: ${error.message}`);
    }
  }

  /** After the last row: what must still be open, and the sums. */
  finish(): void {
    const { lookups, report, totals } = this.#deps;
    if (this.#registered === null) {
      report.add(`${this.#name}: its audit chain does not say that it was registered`);
      return;
    }
    compareRow(report, this.#name, this.#registered, lookups.agent(this.#no));
    this.#books.finish(this.#name);
    if (this.#alertedAt !== null) {
      totals.balance_alerts++;
      const alert = { at: this.#alertedAt };
      compareRow(report, `balance alert of ${this.#name}`, alert, lookups.alert(this.#no));
    }
    this.#tokens.finish();
    this.#reservations.finish();
    this.#deposits.finish();
    this.#payments.finish();
    this.#grants.finish();
    this.#spend.finish(this.#deps, this.#no, this.#name);
  }

  #apply(fact: Fact, what: string): void {
    switch (fact.action) {
      case 'AGENT_REGISTERED':
        this.#register(fact);
        this.#tokens.issue(fact);
        return;
      case 'TREASURY_CREATED':
        this.#register(fact);
        this.#deps.totals.treasury++;
        compareRow(
          this.#deps.report,
          'treasury',
          { agent_no: this.#no },
          this.#deps.lookups.treasury(1),
        );
        return;
      case 'REVENUE_TAKEN':
        this.#takeRevenue(fact, what);
        return;
      case 'AGENT_DISABLED':
        if (this.#registered) this.#registered.disabled_at = fact.at;
        return;
      case 'TOKEN_ISSUED':
        this.#tokens.issue(fact);
        return;
      case 'TOKEN_REVOKED':
        this.#tokens.revoke(fact);
        return;
      case 'POLICY_UPDATED':
        this.#policy(fact);
        return;
      case 'DEPOSIT':
        this.#deposit(fact, what);
        return;
      case 'DEPOSIT_OPENED':
        this.#deposits.open(fact);
        return;
      case 'DEPOSIT_SETTLED':
        this.#deposits.settle(fact, what);
        return;
      case 'DEPOSIT_EXPIRED':
        this.#deposits.expire(fact, what);
        return;
      case 'DEPOSIT_FAILED':
        this.#deposits.fail(fact, what);
        return;
      case 'DEBIT':
        this.#takeBack(fact, what, 'debit');
        return;
      case 'AGENT_SWEPT':
        this.#takeBack(fact, what, 'sweep');
        return;
      case 'BALANCE_ALERT':
        this.#alertedAt = fact.at;
        this.#books.checkBalance(fact, what);
        return;
      case 'PAYMENT_DENIED':
        this.#payments.denied(fact, what);
        return;
      case 'PAYMENT_HELD':
        this.#payments.held(fact, what, 'held');
        return;
      case 'PAYMENT_SENT':
        this.#payments.sent(fact, what);
        return;
      case 'PAYMENT_SEEN':
        this.#payments.seen(fact, what);
        return;
      case 'PAYMENT_STUCK':
        this.#payments.stuck(fact, what);
        return;
      case 'PAYMENT_SETTLED':
        this.#payments.settled(fact, what);
        return;
      case 'PAYMENT_FAILED':
        this.#payments.failed(fact, what);
        return;
      case 'PAYMENT_MOVED':
        this.#payments.moved(fact, what);
        return;
      case 'PAYMENT_RECEIVED':
        this.#payments.received(fact, what);
        return;
      case 'APPROVAL_REQUESTED':
        this.#payments.asked(fact, what);
        return;
      case 'APPROVAL_GRANTED':
        this.#payments.granted(fact, what);
        return;
      case 'APPROVAL_DENIED':
        this.#payments.refused(fact, what, 'denied');
        return;
      case 'APPROVAL_TIMEOUT':
        this.#payments.refused(fact, what, 'timed_out');
        return;
      case 'RESERVATION_HELD':
        this.#reservations.hold(fact, what);
        return;
      case 'RESERVATION_EXTENDED':
      case 'RESERVATION_PROLONGED':
        this.#reservations.moveExpiry(fact, what);
        return;
      case 'RESERVATION_SETTLED':
        this.#reservations.settle(fact, what);
        return;
      case 'RESERVATION_RELEASED':
        this.#reservations.giveBack(fact, what, 'released');
        return;
      case 'RESERVATION_EXPIRED':
        this.#reservations.giveBack(fact, what, 'expired');
        return;
      case 'RESERVATION_SETTLED_LATE':
        this.#reservations.settleLate(fact, what);
        return;
      default:
        throw new FactsError(`${fact.action} is not an action of an agent`);
    }
  }

  #register(fact: Fact): void {
    const { facts, at } = fact;
    const { totals } = this.#deps;
    totals.agents++;
    totals.accounts += 2;
    this.#registered = {
      id: text(facts, 'agent_id'),
      name: text(facts, 'name'),
      metadata: text(facts, 'metadata'),
      created_at: at,
      disabled_at: null,
    };
    this.#books.availableId = integer(facts, 'available_account');
    this.#books.heldId = integer(facts, 'held_account');
  }

  #policy({ facts, at }: Fact): void {
    const { lookups, report, totals } = this.#deps;
    totals.policy_versions++;
    const id = text(facts, 'policy_version_id');
    const policy = {
      agent_no: this.#no,
      version: integer(facts, 'version'),
      max_transaction_msat: optionalInteger(facts, 'max_transaction_msat'),
      daily_limit_msat: optionalInteger(facts, 'daily_limit_msat'),
      max_fee_msat: optionalInteger(facts, 'max_fee_msat'),
      approval_timeout_ms: optionalInteger(facts, 'approval_timeout_ms'),
      alert_floor_msat: optionalInteger(facts, 'alert_floor_msat'),
      alert_cooldown_ms: optionalInteger(facts, 'alert_cooldown_ms'),
      allowed_models: optionalList(facts, 'allowed_models'),
      allowed_destinations: optionalList(facts, 'allowed_destinations'),
      effective_from: at,
    };
    compareRow(report, `policy_versions ${id}`, policy, lookups.policy(id));
  }

  #deposit(fact: Fact, what: string): void {
    const books = this.#books;
    const amount = integer(fact.facts, 'amount');
    books.available += amount;
    books.checkBalance(fact, what);
    books.move(fact, what, text(fact.facts, 'transaction_id'), [
      [RAIL, books.availableId, amount, 'credit'],
    ]);
  }

  #takeRevenue(fact: Fact, what: string): void {
    const books = this.#books;
    const fromRevenue = integer(fact.facts, 'from_revenue');
    const fromEquity = integer(fact.facts, 'from_equity');
    books.available += fromRevenue + fromEquity;
    books.checkBalance(fact, what);
    books.move(fact, what, text(fact.facts, 'transaction_id'), [
      [REVENUE, books.availableId, fromRevenue, 'withdrawal'],
      [EQUITY, books.availableId, fromEquity, 'withdrawal'],
    ]);
  }

  #takeBack(fact: Fact, what: string, kind: 'debit' | 'sweep'): void {
    const books = this.#books;
    const amount = integer(fact.facts, 'amount');
    books.available -= amount;
    books.checkBalance(fact, what);
    books.move(fact, what, text(fact.facts, 'transaction_id'), [
      [books.availableId, EQUITY, amount, kind],
    ]);
  }
}
