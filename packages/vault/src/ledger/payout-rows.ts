/** Sellers and payouts as SQLite keeps them, and the SQL that reads and writes them. */
import type { Msat } from '@arbstr/shared';
import type { Database } from 'better-sqlite3';
import type { Payout, PayoutState, Sending, Standing } from '../payout/payout.ts';
import type { PaymentTarget } from '../wallet/wallet.ts';

export interface SellerRow {
  name: string;
  payable_account: number;
  held_account: number;
  payout_destination: string | null;
  payout_threshold: number;
  standing: Standing;
  updated_at: number;
}

export interface PayoutRow {
  id: string;
  seller: string;
  destination: string;
  amount: number;
  max_fee: number;
  state: PayoutState;
  created_at: number;
  wallet_identity: string | null;
  /** JSON. */
  target: string | null;
  seen: number;
  ended_at: number | null;
  fee: number | null;
  preimage: string | null;
  failure: string | null;
  stuck: string | null;
}

export function preparePayoutStatements(db: Database) {
  return {
    selectSellers: db.prepare<[], SellerRow>('SELECT * FROM sellers'),
    upsertSeller: db.prepare<[SellerRow]>(
      `INSERT INTO sellers (name, payable_account, held_account, payout_destination,
         payout_threshold, standing, updated_at)
       VALUES (@name, @payable_account, @held_account, @payout_destination, @payout_threshold,
         @standing, @updated_at)
       ON CONFLICT DO UPDATE SET payout_destination = excluded.payout_destination,
         payout_threshold = excluded.payout_threshold, standing = excluded.standing,
         updated_at = excluded.updated_at`,
    ),
    insertPayout: db.prepare<[PayoutRow]>(
      `INSERT INTO payouts (id, seller, destination, amount, max_fee, state, created_at, seen)
       VALUES (@id, @seller, @destination, @amount, @max_fee, @state, @created_at, @seen)`,
    ),
    // The state in the condition is the last guard against two ends of one payout.
    changePayout: db.prepare<[PayoutRow & { from: PayoutState }]>(
      `UPDATE payouts SET state = @state, wallet_identity = @wallet_identity, target = @target,
         seen = @seen, ended_at = @ended_at, fee = @fee, preimage = @preimage, failure = @failure,
         stuck = @stuck
       WHERE id = @id AND state = @from`,
    ),
    selectPayout: db.prepare<[string], PayoutRow>('SELECT * FROM payouts WHERE id = ?'),
    selectOpenPayout: db.prepare<[string], PayoutRow>(
      "SELECT * FROM payouts WHERE seller = ? AND state IN ('waiting', 'held', 'in_flight')",
    ),
    sumPayouts: db.prepare<[number], { msat: number }>(
      // Open ones count whatever their age. In two parts, so that each finds its index.
      `SELECT (SELECT coalesce(sum(amount + fee), 0) FROM payouts
               WHERE state = 'succeeded' AND ended_at > ?)
            + (SELECT coalesce(sum(amount + max_fee), 0) FROM payouts
               WHERE state IN ('waiting', 'held', 'in_flight')) AS msat`,
    ),
    selectLastPayout: db.prepare<[string], PayoutRow>(
      'SELECT * FROM payouts WHERE seller = ? ORDER BY id DESC LIMIT 1',
    ),
  };
}

export function payoutRow(payout: Payout): PayoutRow {
  const sending = 'sending' in payout ? payout.sending : null;
  const succeeded = payout.state === 'succeeded' ? payout : null;
  return {
    id: payout.id,
    seller: payout.seller,
    destination: payout.destination,
    amount: payout.amount,
    max_fee: payout.maxFee,
    state: payout.state,
    created_at: payout.createdAt,
    wallet_identity: sending?.walletIdentity ?? null,
    target: sending && JSON.stringify(sending.target),
    seen: sending?.seen ? 1 : 0,
    ended_at: 'endedAt' in payout ? payout.endedAt : null,
    fee: succeeded?.fee ?? null,
    preimage: succeeded?.preimage ?? null,
    failure: payout.state === 'failed' ? payout.failure : null,
    stuck: payout.state === 'in_flight' ? payout.stuck : null,
  };
}

/** The database's checks make sure that each state has its columns. */
export function payoutOf(row: PayoutRow): Payout {
  const identity = {
    id: row.id,
    seller: row.seller,
    destination: row.destination,
    amount: row.amount as Msat,
    maxFee: row.max_fee as Msat,
    createdAt: row.created_at,
  };
  const sending = sendingOf(row);
  const endedAt = row.ended_at as number;
  switch (row.state) {
    case 'waiting':
    case 'held':
      return { ...identity, state: row.state };
    case 'in_flight':
      return {
        ...identity,
        state: 'in_flight',
        sending: sending as Sending,
        stuck: row.stuck,
      };
    case 'succeeded':
      return {
        ...identity,
        state: 'succeeded',
        sending: sending as Sending,
        endedAt,
        fee: row.fee as Msat,
        preimage: row.preimage,
      };
    case 'failed':
      return { ...identity, state: 'failed', sending, endedAt, failure: row.failure as string };
  }
}

function sendingOf({ wallet_identity, target, seen }: PayoutRow): Sending | null {
  if (wallet_identity === null || target === null) return null;
  return {
    walletIdentity: wallet_identity,
    target: JSON.parse(target) as PaymentTarget,
    seen: seen === 1,
  };
}
