/**
 * The ledger's tables and what is cached of them: applies effects and commits them.
 *
 * One batch: begin ▸ effects × n ▸ commit, or abandon. Rows go to SQLite at once; what several
 * commands of a batch change again and again (balances, chain heads, spend buckets, the clock) is
 * changed in memory and written once, before COMMIT.
 */
import type { Database } from 'better-sqlite3';
import type { Seal } from '../audit/seal.ts';
import { eventOf } from '../notify/event.ts';
import { policyRow } from '../policy/policy-fields.ts';
import type { EndedReservation, StoredReservation } from '../reservation/reservation.ts';
import { availableName, heldName, payableName, payoutHeldName } from './account.ts';
import { type CachedAccount, type ChainHead, LedgerCache } from './cache.ts';
import { changedOne } from './changed-one.ts';
import { depositRow } from './deposit-rows.ts';
import type { Audit, Effect, PutSeller, Spend, Transfer } from './effect.ts';
import { applyGrantEffect } from './grant-rows.ts';
import { type LedgerMode, META_EPOCH, META_MODE } from './meta.ts';
import { applyOutboxEffect, insertEvent } from './outbox-rows.ts';
import { applyPaymentEffect } from './payment-store.ts';
import { payoutRow, type SellerRow } from './payout-rows.ts';
import { minuteOf, type SpendBucket, slotOf } from './spend-window.ts';
import { prepareStatements, type Statements } from './statements.ts';
import { createView } from './stored-view.ts';
import type { LedgerView } from './view.ts';

export class LedgerStore {
  readonly view: LedgerView;
  readonly #db: Database;
  readonly #sql: Statements;
  readonly #seal: Seal;
  /** Somebody is told what happens. */
  readonly #tells: boolean;
  readonly #cache: LedgerCache;

  readonly #dirtyAccounts = new Set<CachedAccount>();
  readonly #dirtyHeads = new Set<ChainHead>();
  readonly #dirtyBuckets = new Map<string, { agentNo: number; bucket: SpendBucket }>();
  /** Transfers that no audit row has named yet. */
  #unsealed: number[] = [];
  /** Something in this batch must reach the disk. */
  #changed = false;
  #lastTransferId = 0;
  #ledgerMs = 0;
  /** False after a batch that was not committed. */
  #loaded = false;

  /** @param tells whether events go to the outbox: nothing is written where nobody reads it */
  constructor(db: Database, seal: Seal, epoch: string, tells: boolean) {
    this.#db = db;
    this.#tells = tells;
    this.#sql = prepareStatements(db);
    this.#seal = seal;
    this.#cache = new LedgerCache(this.#sql);
    this.view = createView(this.#sql, this.#cache, epoch);
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
    this.#changed = true;
    for (const effect of effects) this.#applyOne(effect, now);
    if (this.#unsealed.length > 0) throw new Error('a transfer without an audit row');
  }

  /** Durable when it returns. A batch without changes costs no write: false. */
  commit(now: number): boolean {
    const changed = this.#changed;
    if (changed) this.#flush(now);
    this.#sql.commit.run();
    if (changed) this.#ledgerMs = now;
    this.#changed = false;
    this.#dirtyAccounts.clear();
    this.#dirtyHeads.clear();
    this.#dirtyBuckets.clear();
    this.#cache.bound();
    return changed;
  }

  /** Gives up the batch: ends its transaction if SQLite has not, and forgets what memory held. */
  abandon(): void {
    this.#loaded = false;
    this.#changed = false;
    this.#unsealed = [];
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

  #applyOne(effect: Effect, now: number): void {
    const sql = this.#sql;
    switch (effect.effect) {
      case 'transfer':
        this.#transfer(effect, now);
        return;
      case 'audit':
        this.#audit(effect, now);
        return;
      case 'insert_reservation':
        this.#insertReservation(effect.reservation);
        this.#cache.keepReservation(effect.reservation);
        return;
      case 'end_reservation':
        this.#endReservation(effect.from, effect.reservation);
        this.#cache.keepReservation(effect.reservation);
        return;
      case 'insert_grant':
      case 'take_grant':
      case 'return_grant':
      case 'consume_grant':
        applyGrantEffect(sql, effect);
        return;
      case 'move_expiry':
        changedOne(sql.moveExpiry.run(effect.reservation.expiresAt, effect.reservation.id));
        this.#cache.keepReservation(effect.reservation);
        return;
      case 'insert_deposit':
        sql.insertDeposit.run(depositRow(effect.deposit));
        return;
      case 'change_deposit':
        this.#tell(effect, now);
        changedOne(sql.changeDeposit.run({ ...depositRow(effect.deposit), from: effect.from }));
        return;
      case 'put_seller':
        this.#putSeller(effect);
        return;
      case 'insert_payout':
        this.#tell(effect, now);
        sql.insertPayout.run(payoutRow(effect.payout));
        return;
      case 'change_payout':
        this.#tell(effect, now);
        changedOne(sql.changePayout.run({ ...payoutRow(effect.payout), from: effect.from }));
        return;
      case 'spend':
        this.#spend(effect, minuteOf(now));
        return;
      case 'insert_agent':
        sql.insertAgent.run(effect.no, effect.id, effect.name, effect.metadata, effect.createdAt);
        sql.insertAccount.run(effect.availableId, availableName(effect.id));
        sql.insertAccount.run(effect.heldId, heldName(effect.id));
        return;
      case 'set_treasury':
        sql.insertTreasury.run(effect.agentNo);
        return;
      case 'insert_token': {
        const { id, agentNo, hash, scopes, createdAt, expiresAt } = effect;
        sql.insertToken.run(id, agentNo, hash, scopes.join(' '), createdAt, expiresAt);
        return;
      }
      case 'end_token':
        changedOne(sql.endToken.run({ id: effect.id, at: effect.at }));
        this.#cache.forgetToken(effect.hash);
        return;
      case 'insert_policy': {
        const { policy, agentNo } = effect;
        sql.insertPolicy.run({ ...policyRow(policy), agent_no: agentNo });
        this.#cache.agent(agentNo).policy = policy;
        return;
      }
      case 'disable_agent':
        changedOne(sql.disableAgent.run(effect.at, effect.agentNo));
        this.#cache.agent(effect.agentNo).disabledAt = effect.at;
        return;
      case 'balance_alert':
        this.#tell(effect, now);
        sql.upsertAlert.run(effect.agentNo, effect.at);
        return;
      case 'remember_answer': {
        const { key, principal, fingerprint } = effect.replayKey;
        sql.insertAnswer.run(key, principal, fingerprint, effect.answer, now);
        this.#cache.addedAnswer(principal);
        return;
      }
      case 'forget_answers':
        for (const { principal } of sql.deleteOldAnswers.all(effect.before, effect.max)) {
          this.#cache.forgotAnswer(principal);
        }
        return;
      case 'insert_payment':
      case 'change_payment':
      case 'insert_approval':
      case 'resolve_approval':
      case 'set_rail':
        this.#tell(effect, now);
        applyPaymentEffect(sql, effect);
        return;
      case 'notify':
        this.#tell(effect, now);
        return;
      case 'change_webhook':
      case 'sweep_outbox':
      case 'begin_episode':
      case 'end_episode':
        applyOutboxEffect(sql, effect, now);
        return;
      case 'begin_recovery':
        sql.upsertMeta.run(META_EPOCH, effect.epoch);
        sql.upsertMeta.run(META_MODE, 'recovery' satisfies LedgerMode);
        this.#cache.mode = 'recovery';
        return;
      case 'set_mode':
        sql.upsertMeta.run(META_MODE, effect.mode);
        this.#cache.mode = effect.mode;
        return;
      case 'beat':
        return;
    }
  }

  /** Before the effect is applied; never reached by a hold or a bill of inference. */
  #tell(effect: Effect, now: number): void {
    if (!this.#tells) return;
    const draft = eventOf(effect, this.view);
    if (draft !== null) insertEvent(this.#sql, this.view, draft, now);
  }

  #putSeller({ seller, isNew, at }: PutSeller): void {
    if (isNew) {
      this.#sql.insertAccount.run(seller.payableId, payableName(seller.name));
      this.#sql.insertAccount.run(seller.heldId, payoutHeldName(seller.name));
    }
    const row: SellerRow = {
      name: seller.name,
      payable_account: seller.payableId,
      held_account: seller.heldId,
      payout_destination: seller.destination,
      payout_threshold: seller.threshold,
      standing: seller.standing,
      updated_at: at,
    };
    this.#sql.upsertSeller.run(row);
    this.#cache.sellers().set(row.name, this.#cache.sellerOf(row));
  }

  #transfer({ debit, credit, amount, kind, ref }: Transfer, now: number): void {
    // Throws where an account does not exist, as a foreign key would.
    const from = this.#cache.account(debit);
    const to = this.#cache.account(credit);
    const id = ++this.#lastTransferId;
    this.#sql.insertTransfer.run(id, now, debit, credit, amount, kind, ref);
    from.balance -= amount;
    to.balance += amount;
    this.#dirtyAccounts.add(from).add(to);
    this.#unsealed.push(id);
  }

  /** One row that seals the transfers before it into the agent's chain. */
  #audit({ chain, action, facts }: Audit, now: number): void {
    const head = this.#cache.head(chain);
    const transfers = this.#unsealed;
    const text = JSON.stringify(transfers.length === 0 ? facts : { ...facts, transfers });
    const seq = head.seq + 1;
    const hash = this.#seal.row(head.hash, head.name, seq, now, action, text);
    this.#sql.insertAudit.run(chain, seq, now, action, text, hash);
    head.seq = seq;
    head.hash = hash;
    this.#dirtyHeads.add(head);
    this.#unsealed = [];
  }

  #spend({ agentNo, minute, amount }: Spend, nowMinute: number): void {
    const bucket = this.#cache.window(agentNo, nowMinute).add(minute, amount, nowMinute);
    if (bucket) this.#dirtyBuckets.set(`${agentNo}:${minute}`, { agentNo, bucket });
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

  #insertReservation(r: StoredReservation): void {
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
        r.approvalIds.length === 0 ? null : r.approvalIds.join(' '),
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
}

/** asked, charged, balance_after_end, usage. */
function billColumns(r: EndedReservation) {
  return 'charged' in r
    ? ([r.asked, r.charged, r.balanceAfterEnd, JSON.stringify(r.usage)] as const)
    : ([null, null, null, null] as const);
}
