/** The ledger as its decisions see it: from memory where it is kept there, else from the tables. */
import type { InferenceApproval, Pending, PendingApproval } from '../approval/approval.ts';
import type { OpenPayout } from '../payout/payout.ts';
import type { HeldReservation } from '../reservation/reservation.ts';
import { SHARED_ACCOUNTS } from './account.ts';
import type { LedgerCache } from './cache.ts';
import { type DepositRow, depositOf } from './deposit-rows.ts';
import { grantOf } from './grant-rows.ts';
import { webhookOf } from './outbox-rows.ts';
import { approvalOf, paymentOf } from './payment-rows.ts';
import { railOf } from './payment-store.ts';
import { payoutOf } from './payout-rows.ts';
import { reservationOf, tokenOf } from './rows.ts';
import type { Statements } from './statements.ts';
import type { LedgerView } from './view.ts';

export function createView(sql: Statements, cache: LedgerCache, epoch: string): LedgerView {
  const holdOf = (row: Parameters<typeof reservationOf>[0]) =>
    reservationOf(row) as HeldReservation;
  const depositIn = (row: DepositRow | undefined) => row && depositOf(row);
  return {
    epoch,
    get recovering() {
      return cache.mode === 'recovery';
    },
    get revenue() {
      return cache.account(SHARED_ACCOUNTS.revenue.id);
    },
    get loss() {
      return cache.account(SHARED_ACCOUNTS.loss.id);
    },
    get equity() {
      return cache.account(SHARED_ACCOUNTS.equity.id);
    },
    get railSimulated() {
      return cache.account(SHARED_ACCOUNTS.railSimulated.id);
    },
    get feesSimulated() {
      return cache.account(SHARED_ACCOUNTS.feesSimulated.id);
    },
    get transit() {
      return cache.account(SHARED_ACCOUNTS.transit.id);
    },
    token: (hash) => cache.token(hash),
    tokensOf: (agentNo) => sql.selectTokens.all(agentNo).map(tokenOf),
    treasuryNo: () => sql.selectTreasury.get()?.agent_no,
    agent: (no) => cache.agent(no),
    agentById: (id) => cache.agentById(id),
    spent: (agentNo, nowMinute) => cache.window(agentNo, nowMinute).spent(nowMinute),
    pendingInference: (agentNo, model, rule) => {
      const row = sql.selectPendingInference.get(agentNo, model, rule);
      return row && (approvalOf(row) as Pending<InferenceApproval>);
    },
    pendingInferences: (agentNo) => sql.countPendingInferences.get(agentNo)!.n,
    grant: (approvalId) => {
      const row = sql.selectGrant.get(approvalId);
      return row && grantOf(row);
    },
    freeGrant: (agentNo, model, rule, now) => {
      const row = sql.selectFreeGrant.get(agentNo, model, rule, now);
      return row && grantOf(row);
    },
    reservation: (id) => cache.reservation(id),
    reservationByCorrelation: (agentNo, correlationId) => {
      const row = sql.selectByCorrelation.get(agentNo, correlationId);
      return row && reservationOf(row);
    },
    dueHolds: (nowMs, max) => sql.selectDueHolds.all(nowMs, max).map(holdOf),
    openHolds: () => sql.selectOpenHolds.all().map(holdOf),
    lastAlertAt: (agentNo) => sql.selectAlert.get(agentNo)?.at,
    deposit: (id) => depositIn(sql.selectDeposit.get(id)),
    depositByHash: (hash) => depositIn(sql.selectDepositByHash.get(hash)),
    depositByToken: (key) => depositIn(sql.selectDepositByToken.get(key)),
    pendingDeposits: (agentNo) => sql.countPendingDeposits.get(agentNo)?.n ?? 0,
    dueDeposits: (nowMs, max) => sql.selectDueDeposits.all(nowMs, max).map(depositOf),
    seller: (name) => cache.sellers().get(name),
    sellers: () => [...cache.sellers().values()],
    sellerCount: () => cache.sellers().size,
    payout: (id) => {
      const row = sql.selectPayout.get(id);
      return row && payoutOf(row);
    },
    openPayout: (seller) => {
      const row = sql.selectOpenPayout.get(seller);
      return row && (payoutOf(row) as OpenPayout);
    },
    paidOutSince: (ms) => sql.sumPayouts.get(ms)?.msat ?? 0,
    lastPayout: (seller) => {
      const row = sql.selectLastPayout.get(seller);
      return row && payoutOf(row);
    },
    payment: (id) => {
      const row = sql.selectPayment.get(id);
      return row && paymentOf(row);
    },
    paymentByHash: (paymentHash) => {
      const row = sql.selectPaymentByHash.get(paymentHash);
      return row && paymentOf(row);
    },
    askedByHash: (agentNo, paymentHash) => {
      const row = sql.selectAskedByHash.get(paymentHash, agentNo);
      return row && paymentOf(row);
    },
    dearestAsked: (paymentHash) => sql.selectDearestAsked.get(paymentHash)?.id,
    deniedPayments: (agentNo, sinceMs) => sql.countDenied.get(agentNo, sinceMs)!.n,
    madePayment: (agentNo, sinceMs, nth) =>
      sql.selectMadePayment.get(agentNo, sinceMs, nth - 1)?.created_at,
    unpaidPayment: (agentNo, sinceMs, nth) =>
      sql.selectUnpaidPayment.get(agentNo, sinceMs, nth - 1)?.created_at,
    unpaidDeposit: (agentNo, sinceMs, nth) =>
      sql.selectUnpaidDeposit.get(agentNo, sinceMs, nth - 1)?.created_at,
    unmetInference: (agentNo, sinceMs, nth) =>
      sql.selectUnmetInference.get(agentNo, sinceMs, nth - 1)?.created_at,
    approval: (id) => {
      const row = sql.selectApproval.get(id);
      return row && approvalOf(row);
    },
    dueApprovals: (nowMs, max) =>
      sql.selectDueApprovals.all(nowMs, max).map((row) => approvalOf(row) as PendingApproval),
    rail: (name) => {
      const row = sql.selectRail.get(name);
      return row && railOf(row);
    },
    webhook: (eventId) => {
      const row = sql.selectWebhook.get(eventId);
      return row && webhookOf(row);
    },
    episode: (alert, subject) => sql.selectEpisode.get(alert, subject),
    rememberedAnswer: (key) => sql.selectAnswer.get(key),
    answersBefore: (ms, max) => sql.countOldAnswers.get(ms, max)!.n,
    rememberedAnswers: (principal) => cache.answers(principal),
    nextAgentNo: () => (sql.selectLastAgentNo.get()?.no ?? 0) + 1,
    nextAccountId: () => (sql.selectLastAccountId.get()?.id ?? 0) + 1,
  };
}
