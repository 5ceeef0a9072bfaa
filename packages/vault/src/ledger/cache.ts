/**
 * What the ledger keeps in memory of its own tables: balances, heads, policies, spend windows.
 * Always equal to the disk plus the batch that is being applied. After a batch that was not
 * committed nothing here may be believed, so `clear()` drops it all and it is read again.
 */
import { LEDGER_CHAIN, LEDGER_CHAIN_NAME } from '../audit/action.ts';
import { policyOfRow } from '../policy/policy-fields.ts';
import type { PolicyVersion } from '../policy/spend-policy.ts';
import type { HeldReservation, StoredReservation } from '../reservation/reservation.ts';
import { type Account, availableName, heldName } from './account.ts';
import { type LedgerMode, META_MODE } from './meta.ts';
import type { SellerRow } from './payout-rows.ts';
import { reservationOf, tokenOf } from './rows.ts';
import { SpendWindow, WINDOW_MINUTES } from './spend-window.ts';
import type { AccountRow, Statements } from './statements.ts';
import type { AgentState, AgentToken, SellerState } from './view.ts';

/** Agents kept in memory; each has a spend window of up to 1,441 buckets. */
const AGENTS_MAX = 2_000;
const TOKENS_MAX = 10_000;
/** Open holds kept in memory, so that a settle need not read what its reserve has written. */
const HOLDS_MAX = 20_000;

export type CachedAccount = { -readonly [K in keyof Account]: Account[K] };

export interface CachedAgent extends AgentState {
  disabledAt: number | null;
  policy: PolicyVersion | null;
  readonly available: CachedAccount;
  readonly held: CachedAccount;
}

export interface ChainHead {
  readonly chain: number;
  readonly name: string;
  seq: number;
  hash: string;
}

export class LedgerCache {
  readonly #sql: Statements;
  readonly #agents = new Map<number, CachedAgent>();
  readonly #agentNos = new Map<string, number>();
  readonly #accounts = new Map<number, CachedAccount>();
  readonly #tokens = new Map<string, AgentToken>();
  readonly #windows = new Map<number, SpendWindow>();
  readonly #heads = new Map<number, ChainHead>();
  /** All of them, so that a settle finds its seller without asking the disk. */
  #sellers: Map<string, SellerState> | null = null;
  readonly #holds = new Map<string, HeldReservation>();
  /** Idempotency keys by principal. */
  readonly #answers = new Map<string, number>();

  #mode: LedgerMode | null = null;

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  clear(): void {
    this.#agents.clear();
    this.#agentNos.clear();
    this.#accounts.clear();
    this.#tokens.clear();
    this.#windows.clear();
    this.#heads.clear();
    this.#sellers = null;
    this.#holds.clear();
    this.#answers.clear();
    this.#mode = null;
  }

  get mode(): LedgerMode {
    this.#mode ??=
      (this.#sql.selectMeta.get(META_MODE)?.value as LedgerMode | undefined) ?? 'normal';
    return this.#mode;
  }

  set mode(mode: LedgerMode) {
    this.#mode = mode;
  }

  /** Between batches, when disk and memory agree. Dropping all is rare and cheap per agent. */
  bound(): void {
    if (this.#agents.size > AGENTS_MAX) this.clear();
    if (this.#tokens.size > TOKENS_MAX) this.#tokens.clear();
    if (this.#holds.size > HOLDS_MAX) this.#holds.clear();
    if (this.#answers.size > AGENTS_MAX) this.#answers.clear();
  }

  account(id: number): CachedAccount {
    const known = this.#accounts.get(id);
    if (known) return known;
    const row = this.#sql.selectAccount.get(id);
    if (!row) throw new Error(`account ${id} does not exist`);
    return this.#keepAccount(row);
  }

  agent(no: number): CachedAgent {
    const known = this.#agents.get(no);
    if (known) return known;
    const row = this.#sql.selectAgent.get(no);
    if (!row) throw new Error(`agent ${no} does not exist`);
    const policy = this.#sql.selectPolicy.get(no);
    return this.keepAgent({
      no,
      id: row.id,
      disabledAt: row.disabled_at,
      policy: policy ? policyOfRow(policy) : null,
      available: this.#accountByName(availableName(row.id)),
      held: this.#accountByName(heldName(row.id)),
    });
  }

  agentById(id: string): CachedAgent | undefined {
    const no = this.#agentNos.get(id) ?? this.#sql.selectAgentNo.get(id)?.no;
    return no === undefined ? undefined : this.agent(no);
  }

  keepAgent(agent: CachedAgent): CachedAgent {
    this.#agents.set(agent.no, agent);
    this.#agentNos.set(agent.id, agent.no);
    return agent;
  }

  /** Unknown tokens are not remembered: guessing must not fill memory. */
  token(hash: string): AgentToken | undefined {
    const known = this.#tokens.get(hash);
    if (known) return known;
    const row = this.#sql.selectToken.get(hash);
    if (!row) return undefined;
    const token = tokenOf(row);
    this.#tokens.set(hash, token);
    return token;
  }

  forgetToken(hash: string): void {
    this.#tokens.delete(hash);
  }

  window(agentNo: number, nowMinute: number): SpendWindow {
    const known = this.#windows.get(agentNo);
    if (known) return known;
    const buckets = this.#sql.selectBuckets.all(agentNo, nowMinute - WINDOW_MINUTES);
    const window = new SpendWindow(buckets);
    this.#windows.set(agentNo, window);
    return window;
  }

  head(chain: number): ChainHead {
    const known = this.#heads.get(chain);
    if (known) return known;
    const row = this.#sql.selectHead.get(chain);
    const name = chain === LEDGER_CHAIN ? LEDGER_CHAIN_NAME : this.agent(chain).id;
    const head = { chain, name, seq: row?.seq ?? 0, hash: row?.hash ?? '' };
    this.#heads.set(chain, head);
    return head;
  }

  sellers(): Map<string, SellerState> {
    this.#sellers ??= new Map(
      this.#sql.selectSellers.all().map((row) => [row.name, this.sellerOf(row)]),
    );
    return this.#sellers;
  }

  sellerOf(row: SellerRow): SellerState {
    return {
      name: row.name,
      destination: row.payout_destination,
      threshold: row.payout_threshold,
      standing: row.standing,
      payable: this.account(row.payable_account),
      held: this.account(row.held_account),
    };
  }

  reservation(id: string): StoredReservation | undefined {
    const open = this.#holds.get(id);
    if (open) return open;
    const row = this.#sql.selectReservation.get(id);
    return row && reservationOf(row);
  }

  keepReservation(reservation: StoredReservation): void {
    if (reservation.state === 'held') this.#holds.set(reservation.id, reservation);
    else this.#holds.delete(reservation.id);
  }

  answers(principal: string): number {
    const known = this.#answers.get(principal);
    if (known !== undefined) return known;
    const count = this.#sql.countAnswers.get(principal)?.n ?? 0;
    this.#answers.set(principal, count);
    return count;
  }

  addedAnswer(principal: string): void {
    const known = this.#answers.get(principal);
    if (known !== undefined) this.#answers.set(principal, known + 1);
  }

  forgotAnswer(principal: string): void {
    const known = this.#answers.get(principal);
    if (known !== undefined) this.#answers.set(principal, known - 1);
  }

  #accountByName(name: string): CachedAccount {
    const row = this.#sql.selectAccountByName.get(name);
    if (!row) throw new Error(`account ${name} does not exist`);
    return this.#accounts.get(row.id) ?? this.#keepAccount(row);
  }

  #keepAccount(row: AccountRow): CachedAccount {
    const account = { id: row.id, normal: row.normal, balance: row.balance };
    this.#accounts.set(row.id, account);
    return account;
  }
}
