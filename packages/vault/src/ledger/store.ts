/**
 * The ledger's tables and what is cached of them: applies effects and makes them durable.
 *
 * One batch: begin ▸ effects × n ▸ commit. What several commands of a batch
 * change again and again (balances, chain heads, spend buckets, the clock) is written once, before
 * COMMIT.
 */
import type { Database } from 'better-sqlite3';
import type { Seal } from '../audit/seal.ts';
import type {
  EndedReservation,
  HeldReservation,
  StoredReservation,
} from '../reservation/reservation.ts';
import { availableName, heldName, SHARED_ACCOUNTS } from './account.ts';
import { type CachedAccount, type ChainHead, LedgerCache } from './cache.ts';
import type { Audit, Effect, InsertAgent } from './effect.ts';
import { reservationOf } from './rows.ts';
import { minuteOf, type SpendBucket, slotOf } from './spend-window.ts';
import { prepareStatements, type Statements } from './statements.ts';
import type { LedgerView } from './view.ts';

/** What the rows of one command came to; memory takes it over when all of them are written. */
interface Staged {
  transfers: number;
  readonly heads: Map<number, { seq: number; hash: string }>;
  /** Chains that begin with this command: memory must not know them before it has succeeded. */
  readonly newChains: Map<number, string>;
}

export class LedgerStore {
  readonly view: LedgerView;
  readonly #db: Database;
  readonly #sql: Statements;
  readonly #seal: Seal;
  readonly #epoch: string;
  readonly #cache: LedgerCache;

  readonly #dirtyAccounts = new Set<CachedAccount>();
  readonly #dirtyHeads = new Set<ChainHead>();
  readonly #dirtyBuckets = new Map<string, { agentNo: number; bucket: SpendBucket }>();
  /** Something in this batch must reach the disk. */
  #changed = false;
  #lastTransferId = 0;
  #ledgerMs = 0;
  /** False after a batch that was not committed. */
  #loaded = false;

  constructor(db: Database, seal: Seal, epoch: string) {
    this.#db = db;
    this.#sql = prepareStatements(db);
    this.#seal = seal;
    this.#epoch = epoch;
    this.#cache = new LedgerCache(this.#sql);
    this.view = this.#createView();
    this.#load();
  }

  /** The time of the last commit; the next one is never earlier. */
  get ledgerMs(): number {
    return this.#ledgerMs;
  }

  begin(): void {
    this.#sql.begin.run();
    if (!this.#loaded) this.#load();
  }

  /** Applies one command's effects. Where it throws, the batch must be abandoned. */
  apply(effects: readonly Effect[], now: number): void {
    const staged: Staged = { transfers: 0, heads: new Map(), newChains: new Map() };
    this.#write(effects, staged, now);
    this.#merge(effects, staged, now);
  }

  /** Durable when it returns. A batch without changes costs no write. */
  commit(now: number): void {
    if (this.#changed) this.#flush(now);
    this.#sql.commit.run();
    if (this.#changed) this.#ledgerMs = now;
    this.#changed = false;
    this.#dirtyAccounts.clear();
    this.#dirtyHeads.clear();
    this.#dirtyBuckets.clear();
    this.#cache.bound();
  }

  /** Gives up the batch: ends its transaction if SQLite has not, and forgets what memory held. */
  abandon(): void {
    this.#loaded = false;
    this.#changed = false;
    this.#cache.clear();
    this.#dirtyAccounts.clear();
    this.#dirtyHeads.clear();
    this.#dirtyBuckets.clear();
    if (this.#db.inTransaction) this.#sql.rollback.run();
  }

  close(): void {
    this.#db.close();
  }

  #load(): void {
    this.#lastTransferId = this.#sql.selectLastTransferId.get()?.id ?? 0;
    this.#ledgerMs = Math.max(this.#ledgerMs, this.#sql.selectClock.get()?.ledger_ms ?? 0);
    this.#loaded = true;
  }

  #write(effects: readonly Effect[], staged: Staged, now: number): void {
    const sql = this.#sql;
    // Transfers that no audit row has named yet.
    let unsealed: number[] = [];
    for (const effect of effects) {
      switch (effect.effect) {
        case 'transfer': {
          // Throws where an account does not exist, as a foreign key would.
          this.#cache.account(effect.debit);
          this.#cache.account(effect.credit);
          const id = this.#lastTransferId + ++staged.transfers;
          const { debit, credit, amount, kind, ref } = effect;
          sql.insertTransfer.run(id, now, debit, credit, amount, kind, ref);
          unsealed.push(id);
          break;
        }
        case 'insert_reservation':
          this.#insertReservation(effect.reservation);
          break;
        case 'end_reservation':
          this.#endReservation(effect.from, effect.reservation);
          break;
        case 'move_expiry':
          changedOne(sql.moveExpiry.run(effect.reservation.expiresAt, effect.reservation.id));
          break;
        case 'audit':
          this.#insertAudit(effect, unsealed, staged, now);
          unsealed = [];
          break;
        case 'insert_agent':
          this.#insertAgent(effect);
          staged.newChains.set(effect.no, effect.id);
          break;
        case 'insert_token': {
          const { id, agentNo, hash, scopes, createdAt, expiresAt } = effect;
          sql.insertToken.run(id, agentNo, hash, scopes.join(' '), createdAt, expiresAt);
          break;
        }
        case 'insert_policy': {
          const { id, version, maxTransactionMsat, dailyLimitMsat, effectiveFrom } = effect.policy;
          sql.insertPolicy.run(
            id,
            effect.agentNo,
            version,
            maxTransactionMsat,
            dailyLimitMsat,
            effectiveFrom,
          );
          break;
        }
        case 'disable_agent':
          changedOne(sql.disableAgent.run(effect.at, effect.agentNo));
          break;
        case 'remember_answer':
          sql.insertAnswer.run(
            effect.replayKey.key,
            effect.replayKey.fingerprint,
            effect.answer,
            now,
          );
          break;
        case 'forget_answers':
          sql.deleteOldAnswers.run(effect.before, effect.max);
          break;
        case 'spend':
        case 'beat':
          break;
      }
    }
    if (unsealed.length > 0) throw new Error('a transfer without an audit row');
  }

  #merge(effects: readonly Effect[], staged: Staged, now: number): void {
    const cache = this.#cache;
    this.#changed = true;
    this.#lastTransferId += staged.transfers;
    for (const [chain, { seq, hash }] of staged.heads) {
      const head = cache.head(chain);
      head.seq = seq;
      head.hash = hash;
      this.#dirtyHeads.add(head);
    }
    for (const effect of effects) {
      switch (effect.effect) {
        case 'transfer': {
          const debit = cache.account(effect.debit);
          const credit = cache.account(effect.credit);
          debit.balance -= effect.amount;
          credit.balance += effect.amount;
          this.#dirtyAccounts.add(debit).add(credit);
          break;
        }
        case 'spend': {
          const { agentNo, minute, amount } = effect;
          const bucket = cache.window(agentNo, minuteOf(now)).add(minute, amount, minuteOf(now));
          if (bucket) this.#dirtyBuckets.set(`${agentNo}:${minute}`, { agentNo, bucket });
          break;
        }
        case 'insert_reservation':
        case 'end_reservation':
        case 'move_expiry':
          cache.keepReservation(effect.reservation);
          break;
        case 'insert_policy':
          cache.agent(effect.agentNo).policy = effect.policy;
          break;
        case 'disable_agent':
          cache.agent(effect.agentNo).disabledAt = effect.at;
          break;
        default:
          // The rest is read from disk when it is asked for.
          break;
      }
    }
  }

  #flush(now: number): void {
    const sql = this.#sql;
    for (const account of this.#dirtyAccounts) sql.updateBalance.run(account.balance, account.id);
    for (const head of this.#dirtyHeads) sql.upsertHead.run(head.chain, head.seq, head.hash);
    for (const { agentNo, bucket } of this.#dirtyBuckets.values()) {
      sql.upsertBucket.run(agentNo, slotOf(bucket.minute), bucket.minute, bucket.msat);
    }
    sql.upsertClock.run(now, this.#seal.clock(now));
  }

  #insertAgent(agent: InsertAgent): void {
    const sql = this.#sql;
    sql.insertAgent.run(agent.no, agent.id, agent.name, agent.metadata, agent.createdAt);
    sql.insertAccount.run(agent.availableId, availableName(agent.id));
    sql.insertAccount.run(agent.heldId, heldName(agent.id));
  }

  #insertAudit(audit: Audit, transfers: number[], staged: Staged, now: number): void {
    const newName = staged.newChains.get(audit.chain);
    const head =
      newName === undefined ? this.#cache.head(audit.chain) : { name: newName, seq: 0, hash: '' };
    const previous = staged.heads.get(audit.chain) ?? head;
    const seq = previous.seq + 1;
    const facts = JSON.stringify(
      transfers.length === 0 ? audit.facts : { ...audit.facts, transfers },
    );
    const hash = this.#seal.row(previous.hash, head.name, seq, now, audit.action, facts);
    this.#sql.insertAudit.run(audit.chain, seq, now, audit.action, facts, hash);
    staged.heads.set(audit.chain, { seq, hash });
  }

  #insertReservation(reservation: StoredReservation): void {
    const r = reservation;
    const byCorrelation = r.byCorrelation ? 1 : 0;
    if (r.state === 'held') {
      this.#sql.insertHold.run(
        r.id,
        r.agentNo,
        r.coreId,
        r.correlationId,
        r.model,
        r.requestedModel,
        byCorrelation,
        r.amount,
        r.createdAt,
        r.expiresAt,
        r.balanceAfterHold,
      );
      return;
    }
    this.#sql.insertEnded.run(
      r.id,
      r.agentNo,
      r.coreId,
      r.correlationId,
      r.model,
      r.requestedModel,
      byCorrelation,
      r.amount,
      r.state,
      r.createdAt,
      r.expiresAt,
      r.endedAt,
      ...billColumns(r),
    );
  }

  #endReservation(from: 'held' | 'expired', r: EndedReservation): void {
    changedOne(this.#sql.endReservation.run(r.state, r.endedAt, ...billColumns(r), r.id, from));
  }

  #createView(): LedgerView {
    const cache = this.#cache;
    const sql = this.#sql;
    const holdOf = (row: Parameters<typeof reservationOf>[0]) =>
      reservationOf(row) as HeldReservation;
    return {
      epoch: this.#epoch,
      get revenue() {
        return cache.account(SHARED_ACCOUNTS.revenue.id);
      },
      get loss() {
        return cache.account(SHARED_ACCOUNTS.loss.id);
      },
      get railSimulated() {
        return cache.account(SHARED_ACCOUNTS.railSimulated.id);
      },
      token: (hash) => cache.token(hash),
      agent: (no) => cache.agent(no),
      agentById: (id) => cache.agentById(id),
      spent: (agentNo, nowMinute) => cache.window(agentNo, nowMinute).spent(nowMinute),
      reservation: (id) => cache.reservation(id),
      reservationByCorrelation: (agentNo, correlationId) => {
        const row = sql.selectByCorrelation.get(agentNo, correlationId);
        return row && reservationOf(row);
      },
      dueHolds: (nowMs, max) => sql.selectDueHolds.all(nowMs, max).map(holdOf),
      openHolds: () => sql.selectOpenHolds.all().map(holdOf),
      rememberedAnswer: (key) => sql.selectAnswer.get(key),
      nextAgentNo: () => (sql.selectLastAgentNo.get()?.no ?? 0) + 1,
      nextAccountId: () => (sql.selectLastAccountId.get()?.id ?? 0) + 1,
    };
  }
}

/** asked, charged, balance_after_end, usage. */
function billColumns(r: EndedReservation) {
  return 'charged' in r
    ? ([r.asked, r.charged, r.balanceAfterEnd, JSON.stringify(r.usage)] as const)
    : ([null, null, null, null] as const);
}

/** A conditional write that hit nothing means that memory and disk disagree. */
function changedOne(result: { changes: number }): void {
  if (result.changes !== 1) throw new Error(`expected to change 1 row, changed ${result.changes}`);
}
