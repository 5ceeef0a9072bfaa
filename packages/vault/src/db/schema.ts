/**
 * The tables as Drizzle sees them, for everyday queries. The migrations are the truth: STRICT
 * tables, checks, partial indexes and triggers stand there, with the reasons.
 */
import type { Msat } from '@arbstr/shared';
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
import { PAYOUT_STATES } from '../payout/payout.ts';
import { RAILS } from '../wallet/wallet.ts';

export const meta = sqliteTable('meta', {
  key: text().primaryKey(),
  value: text().notNull(),
});

export const agents = sqliteTable('agents', {
  no: integer().primaryKey(),
  id: text().notNull(),
  name: text().notNull(),
  metadata: text().notNull(),
  createdAt: integer('created_at').notNull(),
  disabledAt: integer('disabled_at'),
});

export const agentTokens = sqliteTable('agent_tokens', {
  id: text().primaryKey(),
  agentNo: integer('agent_no').notNull(),
  tokenHash: text('token_hash').notNull(),
  scopes: text().notNull(),
  createdAt: integer('created_at').notNull(),
  expiresAt: integer('expires_at'),
  revokedAt: integer('revoked_at'),
});

/** Named as in the table, so that its rows are read by `policyOfRow` as the ledger's are. */
export const policyVersions = sqliteTable('policy_versions', {
  id: text().primaryKey(),
  agent_no: integer().notNull(),
  version: integer().notNull(),
  max_transaction_msat: integer(),
  daily_limit_msat: integer(),
  effective_from: integer().notNull(),
  max_fee_msat: integer(),
  approval_timeout_ms: integer(),
  alert_floor_msat: integer(),
  alert_cooldown_ms: integer(),
  allowed_models: text(),
  allowed_destinations: text(),
});

export const accounts = sqliteTable('accounts', {
  id: integer().primaryKey(),
  name: text().notNull(),
  normal: text({ enum: ['credit', 'debit'] }).notNull(),
  balance: integer().notNull(),
});

export const transfers = sqliteTable('transfers', {
  id: integer().primaryKey(),
  at: integer().notNull(),
  debit: integer().notNull(),
  credit: integer().notNull(),
  amount: integer().$type<Msat>().notNull(),
  kind: text().notNull(),
  ref: text().notNull(),
});

export const reservations = sqliteTable('reservations', {
  id: text().notNull(),
  agentNo: integer('agent_no'),
  coreId: text('core_id'),
  correlationId: text('correlation_id'),
  model: text(),
  requestedModel: text('requested_model'),
  byCorrelation: integer('by_correlation').notNull(),
  amount: integer().$type<Msat>().notNull(),
  state: text({ enum: ['held', 'settled', 'released', 'expired', 'settled_late'] }).notNull(),
  createdAt: integer('created_at').notNull(),
  expiresAt: integer('expires_at').notNull(),
  balanceAfterHold: integer('balance_after_hold').$type<Msat>(),
  endedAt: integer('ended_at'),
  asked: integer().$type<Msat>(),
  charged: integer().$type<Msat>(),
  balanceAfterEnd: integer('balance_after_end').$type<Msat>(),
  usage: text(),
  approvalIds: text('approval_ids'),
});

export const deposits = sqliteTable('deposits', {
  id: text().notNull(),
  agentNo: integer('agent_no').notNull(),
  rail: text({ enum: RAILS }).notNull(),
  type: text({ enum: ['invoice', 'cashu_token'] }).notNull(),
  amount: integer().$type<Msat>().notNull(),
  paymentRequest: text('payment_request'),
  paymentHash: text('payment_hash'),
  expiresAt: integer('expires_at'),
  token: text(),
  tokenHash: text('token_hash'),
  tokenKey: text('token_key'),
  correlationId: text('correlation_id').notNull(),
  state: text({ enum: ['pending', 'settled', 'expired', 'failed'] }).notNull(),
  createdAt: integer('created_at').notNull(),
  endedAt: integer('ended_at'),
  received: integer().$type<Msat>(),
  receiptIndex: integer('receipt_index'),
  balanceAfter: integer('balance_after').$type<Msat>(),
  failure: text(),
});

export const sellers = sqliteTable('sellers', {
  name: text().notNull(),
  payableAccount: integer('payable_account').notNull(),
  heldAccount: integer('held_account').notNull(),
  payoutDestination: text('payout_destination'),
  payoutThreshold: integer('payout_threshold').$type<Msat>().notNull(),
  standing: text({ enum: ['new', 'approved', 'denied'] }).notNull(),
  updatedAt: integer('updated_at').notNull(),
});

export const payouts = sqliteTable('payouts', {
  id: text().notNull(),
  seller: text().notNull(),
  destination: text().notNull(),
  amount: integer().$type<Msat>().notNull(),
  maxFee: integer('max_fee').$type<Msat>().notNull(),
  state: text({ enum: PAYOUT_STATES }).notNull(),
  createdAt: integer('created_at').notNull(),
  walletIdentity: text('wallet_identity'),
  target: text(),
  seen: integer().notNull(),
  endedAt: integer('ended_at'),
  fee: integer().$type<Msat>(),
  preimage: text(),
  failure: text(),
  stuck: text(),
});

export const spendBuckets = sqliteTable('spend_buckets', {
  agentNo: integer('agent_no').notNull(),
  slot: integer().notNull(),
  minute: integer().notNull(),
  msat: integer().$type<Msat>().notNull(),
});

export const audit = sqliteTable('audit', {
  id: integer().primaryKey(),
  chain: integer().notNull(),
  seq: integer().notNull(),
  at: integer().notNull(),
  action: text().notNull(),
  facts: text().notNull(),
  hash: text().notNull(),
});
