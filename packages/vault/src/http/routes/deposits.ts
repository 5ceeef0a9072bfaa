/** Money in: by invoice, by ecash, and, with the simulated wallet, by the operator's word. */
import { hash } from 'node:crypto';
import { HEADERS, idSchema, msatSchema } from '@arbstr/shared';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  DEPOSIT_STATES,
  ECASH_DEPOSIT_MSAT_MAX,
  type EcashSource,
  EXPIRY_SECS,
  INVOICE_DEPOSIT_MSAT_MAX,
  type InvoiceSource,
} from '../../deposit/deposit.ts';
import type { DepositRecord } from '../../deposit/deposit-queries.ts';
import { redeemEcash } from '../../deposit/redeem.ts';
import { isRefusal, type Refusal, VaultError } from '../../errors.ts';
import { decodeToken, type EcashToken, TOKEN_CHARS_MAX } from '../../wallet/ecash.ts';
import type { Receiver } from '../../wallet/receiver.ts';
import { RAILS } from '../../wallet/wallet.ts';
import type { App } from '../app-type.ts';
import { agentReader, readableAgentId, requireOperator } from '../auth.ts';
import { sendRefusal } from '../errors.ts';
import { decodeCursor, encodeCursor, pageBody, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, pageAnswer, refusals, timeSchema } from '../schemas.ts';

const TAGS = ['agent'];
const SECURITY = [{ agent: [] }, { operator: [] }];
const DEPOSIT_ID = /^dep_[0-9A-Z]{26}$/;

const amount = msatSchema.refine((msats) => msats > 0, { error: 'must be above zero' });

const depositBody = z.strictObject({
  /** By invoice. */
  amount_msat: amount.optional(),
  /** Through which rail the invoice is paid; the simulated wallet has one for both. */
  rail: z.enum(['lightning', 'cashu']).optional(),
  expires_in_secs: z.int().min(EXPIRY_SECS.min).max(EXPIRY_SECS.max).optional(),
  /** By ecash; stands alone. */
  cashu_token: z.string().min(1).max(TOKEN_CHARS_MAX).optional(),
});

const depositAnswer = z.object({
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

export async function depositRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, agents, deposits, receiver, time, newId, log } = parts;
  const readerOf = agentReader(parts);

  function readable(request: FastifyRequest, id: string) {
    const agent = agents.find(readableAgentId(readerOf(request), id));
    if (!agent) throw new VaultError('not_found', 'no such agent');
    return agent;
  }

  /** A new invoice of the wallet. One that no deposit ever names was never shown to anybody. */
  async function invoiceSource(
    depositId: string,
    amountMsat: z.infer<typeof amount>,
    expirySecs: number,
  ) {
    const createdAtMs = time.now();
    const description = `arbstr deposit ${depositId}`;
    const made = await receiver.createInvoice({ amountMsat, description, createdAtMs, expirySecs });
    const source: InvoiceSource = {
      type: 'invoice',
      paymentRequest: made.invoice,
      paymentHash: made.paymentHash,
      // An invoice knows whole seconds.
      expiresAt: (Math.floor(createdAtMs / 1_000) + expirySecs) * 1_000,
    };
    return source;
  }

  /** Null where it is credited, or pending because the mint has not answered: the watcher goes on. */
  async function redeem(depositId: string, token: EcashToken): Promise<Refusal | null> {
    try {
      const redeemed = await redeemEcash({ engine, receiver }, depositId, token);
      return isRefusal(redeemed) ? redeemed : null;
    } catch (error) {
      log.warn({ err: error, deposit_id: depositId }, 'the mint does not answer; trying again');
      return null;
    }
  }

  app.post(
    '/agents/:id/deposits',
    {
      schema: {
        summary: 'Ask for an invoice to fund an agent, or hand in ecash',
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        body: depositBody,
        response: {
          200: depositAnswer,
          ...refusals(
            'invalid_token',
            'insufficient_scope',
            'rate_limited',
            'not_found',
            'agent_disabled',
            'already_deposited',
            'token_spent',
            'too_many_deposits',
            'idempotency_conflict',
          ),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const depositId = newId('deposit');
      const { token, amountMsat, expirySecs } = askedFor(receiver, request.body);
      const opened = await engine.execute({
        kind: 'open_deposit',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        depositId,
        agentId: agent.id,
        rail: receiver.rail,
        amount: amountMsat,
        source: token ? ecashSource(token) : await invoiceSource(depositId, amountMsat, expirySecs),
      });
      if (isRefusal(opened)) return sendRefusal(reply, opened);
      if (opened.replayed) reply.header(HEADERS.replayed, 'true');
      const refused = token && (await redeem(opened.depositId, token));
      if (refused) return sendRefusal(reply, refused);
      return reply.send(answer(deposits.find(opened.depositId)!, agent.id));
    },
  );

  app.get(
    '/agents/:id/deposits',
    {
      schema: {
        summary: "An agent's deposits, newest first",
        tags: TAGS,
        security: SECURITY,
        params: agentParams,
        querystring: z.strictObject(pageQuery),
        response: {
          200: z.object({ deposits: z.array(depositAnswer), ...pageAnswer }),
          ...refusals(
            'invalid_token',
            'insufficient_scope',
            'rate_limited',
            'not_found',
            'invalid_cursor',
          ),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const { cursor, limit } = request.query;
      const before = cursor === undefined ? null : decodeCursor('deposits', cursor, DEPOSIT_ID);
      const found = deposits.list(agent.no, before, limit + 1);
      const items = found.slice(0, limit).map((deposit) => answer(deposit, agent.id));
      const next = found.length > limit ? encodeCursor('deposits', items.at(-1)!.deposit_id) : null;
      return reply.send(pageBody('deposits', { items, next }));
    },
  );

  app.get(
    '/agents/:id/deposits/:deposit_id',
    {
      schema: {
        summary: 'One deposit',
        tags: TAGS,
        security: SECURITY,
        params: z.object({ ...agentParams.shape, deposit_id: z.string().max(64) }),
        response: {
          200: depositAnswer,
          ...refusals('invalid_token', 'insufficient_scope', 'rate_limited', 'not_found'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const deposit = deposits.find(request.params.deposit_id);
      if (deposit?.agentNo !== agent.no) throw new VaultError('not_found', 'no such deposit');
      return reply.send(answer(deposit, agent.id));
    },
  );
}

/** Nobody pays a simulated invoice with money, so the operator says when it is paid. */
export async function simulatedDepositRoutes(app: App, parts: VaultParts): Promise<void> {
  const { deposits, depositWatcher, simulated } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  app.post(
    '/operator/simulated/deposits/:id/pay',
    {
      schema: {
        summary: 'Pay a deposit of the simulated wallet, as somebody outside would',
        tags: ['operator'],
        security: [{ operator: [] }],
        params: agentParams,
        body: z.strictObject({ amount_msat: amount.optional() }).nullish(),
        response: { 200: depositAnswer, ...refusals('unauthorized', 'not_found') },
      },
    },
    async (request, reply) => {
      const deposit = deposits.find(request.params.id);
      if (simulated === null || !deposit?.paymentHash) {
        throw new VaultError('not_found', 'no such simulated deposit by invoice');
      }
      const paid = request.body?.amount_msat ?? deposit.amount;
      if (paid < deposit.amount) {
        throw new VaultError('invalid_request', 'less than the invoice asks for', {
          param: 'amount_msat',
        });
      }
      // Paid before: the wallet takes it once, and the answer says what it has taken.
      simulated.receive(deposit.paymentHash, paid);
      await depositWatcher.tick();
      const now = deposits.find(deposit.id)!;
      return reply.send(answer(now, deposits.agentIdOf(now.agentNo)));
    },
  );
}

/** An invoice over an amount, or ecash that is worth one. */
function askedFor(receiver: Receiver, body: z.infer<typeof depositBody>) {
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

function ecashSource(token: EcashToken): EcashSource {
  const { text, key: tokenKey } = token;
  return { type: 'cashu_token', token: text, tokenHash: hash('sha256', text), tokenKey };
}

function checkMax(param: string, asked: number, max: number): void {
  if (asked <= max) return;
  throw badBody(param, `at most ${max} msat are taken at once`);
}

function answer(deposit: DepositRecord, agentId: string) {
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
