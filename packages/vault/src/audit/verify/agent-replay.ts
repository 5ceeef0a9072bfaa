/**
 * Rebuilds one agent from its audit chain and compares every row of it, in every table, with what
 * is stored. Written from the meaning of the actions, not from the code that applied them, so that
 * a mistake there shows here.
 *
 * Memory: open holds, expired ones that were settled late, and 1,441 buckets; ended reservations
 * are compared and forgotten.
 */
import { availableName, heldName, SHARED_ACCOUNTS } from '../../ledger/account.ts';
import { isInWindow, minuteOf, slotOf } from '../../ledger/spend-window.ts';
import type { Fact } from './chain.ts';
import { FactsError, integer, optionalInteger, optionalText, text, transferIds } from './facts.ts';
import type { Lookups, Row } from './lookups.ts';
import { compareRow, type Report } from './report.ts';
import type { Totals } from './totals.ts';

/** debit, credit, amount, kind */
type Movement = readonly [number, number, number, string];

const REVENUE = SHARED_ACCOUNTS.revenue.id;
const LOSS = SHARED_ACCOUNTS.loss.id;
const RAIL = SHARED_ACCOUNTS.railSimulated.id;

export interface ReplayDeps {
  readonly lookups: Lookups;
  readonly report: Report;
  readonly totals: Totals;
  /** Answers to keys as old as this or younger must still be stored, Unix ms. */
  readonly answersSinceMs: number;
}

export class AgentReplay {
  readonly #deps: ReplayDeps;
  readonly #no: number;
  readonly #name: string;
  #registered: Row | null = null;
  #availableId = 0;
  #heldId = 0;
  #available = 0;
  #held = 0;
  readonly #open = new Map<string, Row>();
  readonly #expired = new Map<string, Row>();
  readonly #buckets = new Map<number, { minute: number; msat: number }>();

  constructor(deps: ReplayDeps, no: number, name: string) {
    this.#deps = deps;
    this.#no = no;
    this.#name = name;
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
    this.#checkAccount(this.#availableId, availableName(this.#name), this.#available);
    this.#checkAccount(this.#heldId, heldName(this.#name), this.#held);
    for (const row of [...this.#open.values(), ...this.#expired.values()]) {
      this.#compareReservation(row);
    }
    const stored = lookups.buckets(this.#no);
    totals.spend_buckets += this.#buckets.size;
    for (const [slot, { minute, msat }] of this.#buckets) {
      const found = stored.find((row) => row.slot === slot);
      compareRow(report, `${this.#name}: spend of minute ${minute}`, { minute, msat }, found);
    }
  }

  #apply({ action, at, facts }: Fact, what: string): void {
    switch (action) {
      case 'AGENT_REGISTERED':
        this.#register(facts, at);
        return;
      case 'AGENT_DISABLED':
        if (this.#registered) this.#registered.disabled_at = at;
        return;
      case 'POLICY_UPDATED':
        this.#policy(facts, at);
        return;
      case 'DEPOSIT': {
        const amount = integer(facts, 'amount');
        this.#available += amount;
        this.#move(facts, at, what, text(facts, 'transaction_id'), [
          [RAIL, this.#availableId, amount, 'credit'],
        ]);
        return;
      }
      case 'RESERVATION_HELD':
        this.#hold(facts, at, what);
        return;
      case 'RESERVATION_EXTENDED':
      case 'RESERVATION_PROLONGED': {
        const row = this.#take(this.#open, facts, what);
        if (row) {
          row.expires_at = integer(facts, 'expires_at');
          this.#open.set(String(row.id), row);
        }
        return;
      }
      case 'RESERVATION_SETTLED':
        this.#settle(facts, at, what);
        return;
      case 'RESERVATION_RELEASED':
        this.#giveBack(facts, at, what, 'released');
        return;
      case 'RESERVATION_EXPIRED':
        this.#giveBack(facts, at, what, 'expired');
        return;
      case 'RESERVATION_SETTLED_LATE':
        this.#settleLate(facts, at, what);
        return;
      default:
        throw new FactsError(`${action} is not an action of an agent`);
    }
  }

  #register(facts: Fact['facts'], at: number): void {
    const { lookups, report, totals } = this.#deps;
    totals.agents++;
    totals.agent_tokens++;
    totals.accounts += 2;
    this.#registered = {
      id: text(facts, 'agent_id'),
      name: text(facts, 'name'),
      metadata: text(facts, 'metadata'),
      created_at: at,
      disabled_at: null,
    };
    this.#availableId = integer(facts, 'available_account');
    this.#heldId = integer(facts, 'held_account');
    const tokenId = text(facts, 'token_id');
    compareRow(
      report,
      `agent_tokens ${tokenId}`,
      {
        agent_no: this.#no,
        token_hash: text(facts, 'token_hash'),
        scopes: text(facts, 'scopes'),
        created_at: at,
        expires_at: null,
        revoked_at: null,
      },
      lookups.token(tokenId),
    );
  }

  #policy(facts: Fact['facts'], at: number): void {
    const { lookups, report, totals } = this.#deps;
    totals.policy_versions++;
    const id = text(facts, 'policy_version_id');
    compareRow(
      report,
      `policy_versions ${id}`,
      {
        agent_no: this.#no,
        version: integer(facts, 'version'),
        max_transaction_msat: optionalInteger(facts, 'max_transaction_msat'),
        daily_limit_msat: optionalInteger(facts, 'daily_limit_msat'),
        effective_from: at,
      },
      lookups.policy(id),
    );
  }

  #hold(facts: Fact['facts'], at: number, what: string): void {
    const amount = integer(facts, 'amount');
    const id = text(facts, 'reservation_id');
    this.#deps.totals.reservations++;
    this.#available -= amount;
    this.#held += amount;
    this.#checkBalance(facts, what);
    this.#open.set(id, {
      id,
      agent_no: this.#no,
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
      ended_at: null,
      asked: null,
      charged: null,
      balance_after_end: null,
      usage: null,
    });
    this.#move(facts, at, what, id, [[this.#availableId, this.#heldId, amount, 'hold']]);
  }

  #settle(facts: Fact['facts'], at: number, what: string): void {
    const row = this.#take(this.#open, facts, what);
    if (!row) return;
    const charged = integer(facts, 'charged');
    const refunded = integer(facts, 'refunded');
    this.#held -= Number(row.amount);
    this.#available += refunded;
    this.#checkBalance(facts, what);
    if (charged + refunded !== row.amount) {
      this.#deps.report.add(`${what}: charge and refund are not what was held`);
    }
    this.#spend(minuteOf(Number(row.created_at)), charged, at);
    this.#move(facts, at, what, String(row.id), [
      [this.#heldId, REVENUE, charged, 'charge'],
      [this.#heldId, this.#availableId, refunded, 'refund'],
    ]);
    this.#compareReservation({ ...row, ...bill(facts, at), state: 'settled' });
  }

  #giveBack(facts: Fact['facts'], at: number, what: string, state: 'released' | 'expired'): void {
    const row = this.#take(this.#open, facts, what);
    if (!row) return;
    const refunded = integer(facts, 'refunded');
    this.#held -= Number(row.amount);
    this.#available += refunded;
    this.#checkBalance(facts, what);
    if (refunded !== row.amount) {
      this.#deps.report.add(`${what}: the refund is not what was held`);
    }
    this.#move(facts, at, what, String(row.id), [
      [this.#heldId, this.#availableId, refunded, 'refund'],
    ]);
    const ended = { ...row, state, ended_at: at };
    const stored = this.#deps.lookups.reservation(String(row.id));
    // Only such a row may still change; its last state is compared then.
    if (state === 'expired' && stored?.state === 'settled_late') {
      this.#expired.set(String(row.id), ended);
    } else {
      this.#compareReservation(ended);
    }
  }

  #settleLate(facts: Fact['facts'], at: number, what: string): void {
    const charged = integer(facts, 'charged');
    const lost = integer(facts, 'lost');
    const id = text(facts, 'reservation_id');
    const row =
      facts.unknown === true
        ? this.#unknown(facts, at, id)
        : this.#take(this.#expired, facts, what);
    if (!row) return;
    this.#available -= charged;
    this.#checkBalance(facts, what);
    this.#spend(minuteOf(Number(row.created_at)), charged, at);
    this.#move(facts, at, what, id, [
      [this.#availableId, REVENUE, charged, 'late_charge'],
      [LOSS, REVENUE, lost, 'loss'],
    ]);
    this.#compareReservation({ ...row, ...bill(facts, at), state: 'settled_late' });
  }

  #unknown(facts: Fact['facts'], at: number, id: string): Row {
    this.#deps.totals.reservations++;
    return {
      id,
      agent_no: this.#no,
      core_id: null,
      correlation_id: optionalText(facts, 'correlation_id'),
      model: optionalText(facts, 'model'),
      requested_model: null,
      by_correlation: 0,
      amount: 0,
      created_at: at,
      expires_at: at,
      balance_after_hold: null,
    };
  }

  #take(from: Map<string, Row>, facts: Fact['facts'], what: string): Row | undefined {
    const id = text(facts, 'reservation_id');
    const row = from.get(id);
    from.delete(id);
    if (!row) this.#deps.report.add(`${what}: reservation ${id} was not in the state before it`);
    return row;
  }

  #spend(minute: number, amount: number, at: number): void {
    if (amount === 0 || !isInWindow(minute, minuteOf(at))) return;
    const bucket = this.#buckets.get(slotOf(minute));
    const msat = bucket?.minute === minute ? bucket.msat + amount : amount;
    this.#buckets.set(slotOf(minute), { minute, msat });
  }

  #checkBalance(facts: Fact['facts'], what: string): void {
    const balance = integer(facts, 'balance');
    if (balance !== this.#available) {
      this.#deps.report.add(
        `${what}: says ${balance} msat were available then, the rows before it give ${this.#available}`,
      );
    }
  }

  #checkAccount(id: number, name: string, balance: number): void {
    const expected = { name, normal: 'credit', balance };
    compareRow(this.#deps.report, `account ${name}`, expected, this.#deps.lookups.account(id));
  }

  #compareReservation(expected: Row): void {
    const stored = this.#deps.lookups.reservation(String(expected.id));
    this.#deps.report.counts.reservations++;
    compareRow(this.#deps.report, `reservation ${expected.id}`, expected, stored);
  }

  #move(
    facts: Fact['facts'],
    at: number,
    what: string,
    ref: string,
    movements: readonly Movement[],
  ): void {
    const { lookups, report, totals } = this.#deps;
    const ids = transferIds(facts);
    const moving = movements.filter(([, , amount]) => amount !== 0);
    totals.transfers += ids.length;
    if (ids.length !== moving.length) {
      report.add(`${what}: names ${ids.length} transfers, it moved ${moving.length}`);
      return;
    }
    for (const [index, [debit, credit, amount, kind]] of moving.entries()) {
      const id = ids[index]!;
      const expected = { at, debit, credit, amount, kind, ref };
      compareRow(report, `transfer ${id}`, expected, lookups.transfer(id));
    }
  }
}

function bill(facts: Fact['facts'], at: number): Row {
  return {
    ended_at: at,
    asked: integer(facts, 'asked'),
    charged: integer(facts, 'charged'),
    balance_after_end: integer(facts, 'balance'),
    usage: JSON.stringify(facts.usage ?? {}),
  };
}

/** An operator's replay key: its row must stand as long as it is kept, and say the same. */
function checkRemembered(deps: ReplayDeps, fact: Fact, what: string): void {
  const remembered = fact.facts.remembered as Readonly<Record<string, unknown>> | undefined;
  if (remembered === undefined) return;
  const key = text(remembered, 'key');
  const stored = deps.lookups.answer(key);
  if (stored === undefined && fact.at < deps.answersSinceMs) return;
  // The key may have been used again after its time.
  if (stored !== undefined && Number(stored.created_at) > fact.at) return;
  deps.totals.idempotency_keys++;
  compareRow(
    deps.report,
    `${what}: idempotency key ${key}`,
    {
      fingerprint: text(remembered, 'fingerprint'),
      answer: text(remembered, 'answer'),
      created_at: fact.at,
    },
    stored,
  );
}
