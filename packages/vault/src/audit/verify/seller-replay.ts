/**
 * Sellers and their payouts, as the ledger's own chain speaks of them; what each earned stands in
 * the chains of the agents that were charged.
 */
import { payableName, payoutHeldName, SHARED_ACCOUNTS } from '../../ledger/account.ts';
import { checkTransfers, type Movement } from './agent-books.ts';
import type { Fact } from './chain.ts';
import { integer, optionalText, text } from './facts.ts';
import type { Row } from './lookups.ts';
import type { BaseDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

const RAIL = SHARED_ACCOUNTS.railSimulated.id;
const FEES = SHARED_ACCOUNTS.feesSimulated.id;
const LOSS = SHARED_ACCOUNTS.loss.id;

interface Seller {
  row: Row;
  readonly payableId: number;
  readonly heldId: number;
  payable: number;
  held: number;
}

export class SellerReplay {
  readonly #deps: BaseDeps;
  readonly #sellers = new Map<string, Seller>();
  /** By the account that is credited. */
  readonly #names = new Map<number, string>();
  /** Those without an end: the others were compared at it. */
  readonly #payouts = new Map<string, Row>();

  constructor(deps: BaseDeps) {
    this.#deps = deps;
  }

  /** False where the action is not one of a seller. */
  apply(fact: Fact, what: string): boolean {
    switch (fact.action) {
      case 'SELLER_SET':
        this.#set(fact);
        return true;
      case 'PAYOUT_OPENED':
        this.#open(fact, what);
        return true;
      case 'PAYOUT_JUDGED':
        this.#judge(fact, what);
        return true;
      case 'PAYOUT_WAITS':
        this.#change(fact, what, { state: 'waiting' });
        return true;
      case 'PAYOUT_BOOKED':
        this.#book(fact, what);
        return true;
      case 'PAYOUT_SENT': {
        const wallet_identity = text(fact.facts, 'wallet_identity');
        const target = text(fact.facts, 'target');
        this.#change(fact, what, { state: 'in_flight', wallet_identity, target });
        return true;
      }
      case 'PAYOUT_SEEN':
        this.#change(fact, what, { seen: 1, stuck: null });
        return true;
      case 'PAYOUT_STUCK':
        this.#change(fact, what, { stuck: text(fact.facts, 'reason') });
        return true;
      case 'PAYOUT_SUCCEEDED':
        this.#succeed(fact, what);
        return true;
      case 'PAYOUT_FAILED':
        this.#fail(fact, what);
        return true;
      default:
        return false;
    }
  }

  /** What an agent's bill says of a seller's part: it is the seller named, and what it may be. */
  earn(fact: Fact, what: string, charged: number): { account: number; amount: number } | null {
    const { facts } = fact;
    if (facts.earned === undefined) return null;
    const account = integer(facts, 'payable_account');
    const amount = integer(facts, 'earned');
    const usage = (facts.usage ?? {}) as { provider?: unknown; provider_cost_msats?: unknown };
    const name = this.#names.get(account);
    const seller = name === undefined ? undefined : this.#sellers.get(name);
    if (seller === undefined || name !== usage.provider) {
      this.#deps.report.add(`${what}: credits a seller that did not serve it`);
      return { account, amount };
    }
    const cost = usage.provider_cost_msats ?? charged;
    if (amount > charged || amount !== Math.min(Number(cost), charged)) {
      this.#deps.report.add(`${what}: the seller's part is not its cost, or above the charge`);
    }
    seller.payable += amount;
    return { account, amount };
  }

  finish(): void {
    const { lookups, report } = this.#deps;
    for (const [name, { row, payableId, heldId, payable, held }] of this.#sellers) {
      compareRow(report, `seller ${name}`, row, lookups.seller(name));
      const accounts = [
        [payableId, payableName(name), payable],
        [heldId, payoutHeldName(name), held],
      ] as const;
      for (const [id, account, balance] of accounts) {
        const expected = { name: account, normal: 'credit', balance };
        compareRow(report, `account ${account}`, expected, lookups.account(id));
      }
    }
    for (const row of this.#payouts.values()) this.#compare(row);
  }

  #set({ facts, at }: Fact): void {
    const name = text(facts, 'seller');
    const payableId = integer(facts, 'payable_account');
    const heldId = integer(facts, 'held_account');
    const row: Row = {
      name,
      payable_account: payableId,
      held_account: heldId,
      payout_destination: optionalText(facts, 'payout_destination'),
      payout_threshold: integer(facts, 'payout_threshold'),
      standing: text(facts, 'standing'),
      updated_at: at,
    };
    const known = this.#sellers.get(name);
    if (known) {
      known.row = row;
      return;
    }
    this.#deps.totals.sellers++;
    this.#deps.totals.accounts += 2;
    this.#sellers.set(name, { row, payableId, heldId, payable: 0, held: 0 });
    this.#names.set(payableId, name);
  }

  #open(fact: Fact, what: string): void {
    const { facts, at } = fact;
    const id = text(facts, 'payout_id');
    const amount = integer(facts, 'amount');
    const maxFee = integer(facts, 'max_fee');
    const row: Row = {
      id,
      seller: text(facts, 'seller'),
      destination: text(facts, 'destination'),
      amount,
      max_fee: maxFee,
      state: text(facts, 'state'),
      created_at: at,
      wallet_identity: null,
      target: null,
      seen: 0,
      ended_at: null,
      fee: null,
      preimage: null,
      failure: null,
      stuck: null,
    };
    this.#deps.totals.payouts++;
    this.#payouts.set(id, row);
    const seller = this.#sellerOf(row, what);
    if (!seller) return;
    if (row.destination !== seller.row.payout_destination) {
      this.#deps.report.add(`${what}: is not to where the seller is paid`);
    }
    seller.payable -= amount + maxFee;
    seller.held += amount + maxFee;
    this.#move(fact, what, id, [[seller.payableId, seller.heldId, amount + maxFee, 'payout_hold']]);
  }

  #judge(fact: Fact, what: string): void {
    const standing = text(fact.facts, 'standing');
    const row = this.#change(fact, what, standing === 'approved' ? { state: 'held' } : {});
    const seller = row && this.#sellerOf(row, what);
    if (seller) seller.row = { ...seller.row, standing, updated_at: fact.at };
  }

  #book(fact: Fact, what: string): void {
    const { facts } = fact;
    const seller = this.#sellerOf({ seller: text(facts, 'seller') }, what);
    if (!seller) return;
    const amount = integer(facts, 'amount');
    seller.payable -= amount;
    const id = text(facts, 'transaction_id');
    this.#move(fact, what, id, [[seller.payableId, RAIL, amount, 'payout']]);
  }

  #succeed(fact: Fact, what: string): void {
    const { facts, at } = fact;
    const fee = integer(facts, 'fee');
    const preimage = optionalText(facts, 'preimage');
    const row = this.#change(fact, what, {
      state: 'succeeded',
      ended_at: at,
      fee,
      preimage,
      stuck: null,
    });
    const seller = row && this.#sellerOf(row, what);
    if (!seller) return;
    const amount = Number(row.amount);
    const refund = Number(row.max_fee) - fee;
    seller.held -= amount + Number(row.max_fee);
    seller.payable += refund;
    this.#move(fact, what, String(row.id), [
      [seller.heldId, RAIL, amount, 'payout'],
      [seller.heldId, FEES, fee, 'fee'],
      [LOSS, FEES, integer(facts, 'excess'), 'overcharge'],
      [seller.heldId, seller.payableId, refund, 'payout_refund'],
    ]);
  }

  #fail(fact: Fact, what: string): void {
    const failure = text(fact.facts, 'failure');
    const end = { state: 'failed', ended_at: fact.at, failure, stuck: null };
    const row = this.#change(fact, what, end);
    const seller = row && this.#sellerOf(row, what);
    if (!seller) return;
    const hold = Number(row.amount) + Number(row.max_fee);
    seller.held -= hold;
    seller.payable += hold;
    this.#move(fact, what, String(row.id), [
      [seller.heldId, seller.payableId, hold, 'payout_refund'],
    ]);
  }

  #change({ facts }: Fact, what: string, change: Row): Row | undefined {
    const id = text(facts, 'payout_id');
    const row = this.#payouts.get(id);
    if (row === undefined) {
      this.#deps.report.add(`${what}: payout ${id} was not in the state before it`);
      return undefined;
    }
    const changed = { ...row, ...change };
    if (changed.ended_at === null) {
      this.#payouts.set(id, changed);
    } else {
      this.#payouts.delete(id);
      this.#compare(changed);
    }
    return changed;
  }

  #compare(row: Row): void {
    const { lookups, report } = this.#deps;
    compareRow(report, `payout ${row.id}`, row, lookups.payout(String(row.id)));
  }

  #sellerOf(row: Row, what: string): Seller | undefined {
    const seller = this.#sellers.get(String(row.seller));
    if (!seller) this.#deps.report.add(`${what}: there is no seller ${row.seller}`);
    return seller;
  }

  #move(fact: Fact, what: string, ref: string, movements: readonly Movement[]): void {
    checkTransfers(this.#deps, fact, what, ref, movements);
  }
}
