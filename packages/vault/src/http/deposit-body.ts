/** Deposits on the wire: what may be asked for, and how one is shown. */
import { hash } from 'node:crypto';
import { idSchema, msatSchema } from '@arbstr/shared';
import { z } from 'zod';
import {
  DEPOSIT_STATES,
  ECASH_DEPOSIT_MSAT_MAX,
  type EcashSource,
  EXPIRY_SECS,
  INVOICE_DEPOSIT_MSAT_MAX,
} from '../deposit/deposit.ts';
import type { DepositRecord } from '../deposit/deposit-queries.ts';
import { VaultError } from '../errors.ts';
import { decodeToken, type EcashToken, TOKEN_CHARS_MAX } from '../wallet/ecash.ts';
import type { Receiver } from '../wallet/receiver.ts';
import { RAILS } from '../wallet/wallet.ts';
import { positiveMsat, timeSchema } from './schemas.ts';

export const depositBody = z.strictObject({
  /** By invoice. */
  amount_msat: positiveMsat.optional(),
  /** Through which rail the invoice is paid; the simulated wallet has one for both. */
  rail: z.enum(['lightning', 'cashu']).optional(),
  expires_in_secs: z.int().min(EXPIRY_SECS.min).max(EXPIRY_SECS.max).optional(),
  /** By ecash; stands alone. */
  cashu_token: z.string().min(1).max(TOKEN_CHARS_MAX).optional(),
});

export const depositAnswer = z.object({
  deposit_id: idSchema('deposit'),
  agent_id: idSchema('agent'),
  status: z.enum(DEPOSIT_STATES).meta({
    description: 'expired may still become settled; failed is ecash that was worth nothing',
  }),
  type: z.enum(['invoice', 'cashu_token']),
  rail: z.enum(RAILS),
  /** Asked for; of ecash, what it says it is worth. */
  amount_msat: msatSchema,
  /** What the agent got, after fees; null until settled. */
  credited_msat: msatSchema.nullable(),
  payment_request: z.string().nullable(),
  payment_hash: z.string().nullable(),
  failure: z.string().nullable(),
  created_at: timeSchema,
  expires_at: timeSchema.nullable(),
  settled_at: timeSchema.nullable(),
});

/** An invoice over an amount, or ecash that is worth one. */
export function askedFor(receiver: Receiver, body: z.infer<typeof depositBody>) {
  const { amount_msat, rail, expires_in_secs, cashu_token } = body;
  const expirySecs = expires_in_secs ?? EXPIRY_SECS.default;
  if (cashu_token !== undefined) {
    if (amount_msat !== undefined || rail !== undefined || expires_in_secs !== undefined) {
      throw badBody('cashu_token', 'a token stands alone: it says itself what it is worth');
    }
    const token = acceptable(receiver, cashu_token);
    return { token, amountMsat: token.amountMsat, expirySecs };
  }
  if (amount_msat === undefined) {
    throw badBody('amount_msat', 'either amount_msat or cashu_token is needed');
  }
  checkMax('amount_msat', amount_msat, INVOICE_DEPOSIT_MSAT_MAX);
  return { token: null, amountMsat: amount_msat, expirySecs };
}

const badBody = (param: string, message: string): VaultError =>
  new VaultError('invalid_request', message, { param });

/** Ecash that may be taken: readable, of our mint, not too much. Whether it is spent, the mint says. */
function acceptable(receiver: Receiver, text: string): EcashToken {
  const decoded = decodeToken(text);
  const bad = (message: string) => badBody('cashu_token', message);
  if (!decoded.ok) throw bad(decoded.message);
  const { token } = decoded;
  if (receiver.mintUrl === null) throw bad('this vault takes no ecash');
  if (token.mintUrl.replace(/\/+$/, '') !== receiver.mintUrl) {
    throw bad(`only ecash of ${receiver.mintUrl} is taken`);
  }
  checkMax('cashu_token', token.amountMsat, ECASH_DEPOSIT_MSAT_MAX);
  return token;
}

export function ecashSource(token: EcashToken): EcashSource {
  const { text, key: tokenKey } = token;
  return { type: 'cashu_token', token: text, tokenHash: hash('sha256', text), tokenKey };
}

function checkMax(param: string, asked: number, max: number): void {
  if (asked <= max) return;
  throw badBody(param, `at most ${max} msat are taken at once`);
}

export function depositOfRecord(deposit: DepositRecord, agentId: string) {
  return {
    deposit_id: deposit.id,
    agent_id: agentId,
    status: deposit.state,
    type: deposit.type,
    rail: deposit.rail,
    amount_msat: deposit.amount,
    credited_msat: deposit.received,
    payment_request: deposit.paymentRequest,
    payment_hash: deposit.paymentHash,
    failure: deposit.failure,
    created_at: deposit.createdAt,
    expires_at: deposit.expiresAt,
    settled_at: deposit.state === 'settled' ? deposit.endedAt : null,
  };
}
