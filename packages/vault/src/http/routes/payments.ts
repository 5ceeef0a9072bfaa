/** Money out, as an agent asks for it. */
import { idSchema, msatSchema } from '@arbstr/shared';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { tokenHash } from '../../agent/token.ts';
import { isRefusal, VaultError } from '../../errors.ts';
import { outsideType, readDestination } from '../../payment/destination.ts';
import {
  DESTINATION_TYPES,
  type DestinationType,
  type PaymentKind,
} from '../../payment/payment.ts';
import type { App } from '../app-type.ts';
import { agentByUrl, agentReader, bearerOf, readableAgentId } from '../auth.ts';
import { markReplay, sendOutcome, sendRefusal } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { destinationSchema, paymentAnswer, paymentBody } from '../payment-body.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, pageAnswer, positiveMsat, refusals, timeSchema } from '../schemas.ts';

const TAGS = ['agent'];
const PAYER = [{ agent: [] }];
const READER = [{ agent: [] }, { operator: [] }];
const TRANSACTION_ID = /^tx_[0-9A-Z]{26}$/;
const PURPOSE_CHARS_MAX = 200;

const payBody = z.strictObject({
  amount_msat: positiveMsat.optional().meta({
    description: 'Needed where the destination is not an invoice that names its own amount',
  }),
  destination_type: z.enum(DESTINATION_TYPES, {
    error: `must be one of ${DESTINATION_TYPES.join(', ')}`,
  }),
  destination: destinationSchema.meta({
    description:
      'An invoice, a Lightning address, an agent id, or for ecash a name for whoever gets it',
  }),
  purpose: z.string().min(1).max(PURPOSE_CHARS_MAX),
  preferred_rail: z
    .enum(['lightning', 'cashu'])
    .optional()
    .meta({ description: 'A wish; the simulated wallet has one rail' }),
  max_fee_msat: msatSchema
    .optional()
    .meta({ description: 'Can only lower what the spend policy allows' }),
  asset: z.literal('BTC_simulated').optional(),
});

const withdrawBody = z.strictObject({
  destination: destinationSchema.meta({ description: 'An invoice or a Lightning address' }),
  amount_msat: positiveMsat.optional(),
  max_fee_msat: msatSchema.optional(),
});

const withdrawAnswer = z.object({
  withdrawal_id: idSchema('approval'),
  transaction_id: idSchema('transfer'),
  status: z.literal('PENDING_APPROVAL'),
  amount_msat: msatSchema,
  expires_at: timeSchema,
});

interface Asked {
  readonly mode: PaymentKind;
  readonly type: DestinationType;
  readonly destination: string;
  readonly amount: z.output<typeof msatSchema> | undefined;
  readonly maxFee: z.output<typeof msatSchema> | undefined;
  readonly purpose: string;
}

export async function paymentRoutes(app: App, parts: VaultParts): Promise<void> {
  const { config, engine, agents, payments, runner, time, newId, wallet } = parts;
  const readerOf = agentReader(parts);
  const readable = agentByUrl(parts);

  /** Only an agent pays, and only for itself. */
  function requirePayer(request: FastifyRequest, id: string): void {
    const reader = readerOf(request);
    readableAgentId(reader, id);
    if (reader.role === 'agent') return;
    throw new VaultError(
      'insufficient_scope',
      'an agent pays with its own token; the operator can debit it, or pay from revenue',
    );
  }

  async function ask(request: FastifyRequest, asked: Asked) {
    const nowMs = time.now();
    const { type, destination: text, amount } = asked;
    const read = readDestination({ type, text, amount, nowMs, networks: config.networks });
    if ('refused' in read) return read;
    return engine.execute({
      kind: 'pay',
      mode: asked.mode,
      correlationId: request.id,
      replayKey: replayKeyOf(request),
      tokenHash: tokenHash(bearerOf(request) ?? ''),
      transactionId: newId('transfer'),
      approvalId: newId('approval'),
      destination: read.destination,
      destinationNames: read.names,
      amount: read.amount,
      maxFeeAsked: asked.maxFee ?? null,
      feeBound: wallet.feeBoundMsat,
      purpose: asked.purpose,
      rail: wallet.rail,
    });
  }

  app.post(
    '/agents/:id/pay',
    {
      schema: {
        summary: 'Pay somebody; a denial by policy is an answer (200, DENY, FAILED), not an error',
        tags: TAGS,
        security: PAYER,
        params: agentParams,
        body: payBody,
        response: {
          200: paymentAnswer,
          ...refusals(
            'invalid_token',
            'agent_disabled',
            'insufficient_scope',
            'not_found',
            'already_paid',
            'idempotency_conflict',
            'rate_limited',
            'rail_frozen',
          ),
        },
      },
    },
    async (request, reply) => {
      requirePayer(request, request.params.id);
      const { body } = request;
      const outcome = await ask(request, {
        mode: 'payment',
        type: body.destination_type,
        destination: body.destination,
        amount: body.amount_msat,
        maxFee: body.max_fee_msat,
        purpose: body.purpose,
      });
      if (isRefusal(outcome)) return sendRefusal(reply, outcome);
      // Asked for again it is under way, or the next round's: else each would call the wallet.
      if (outcome.state === 'held' && !outcome.replayed) {
        await runner.sendNow(outcome.transactionId);
      }
      markReplay(reply, outcome);
      const payment = outcome.unkept ?? payments.find(outcome.transactionId)!;
      return reply.send(paymentBody(payment, true));
    },
  );

  app.post(
    '/agents/:id/withdrawals',
    {
      schema: {
        summary: 'Take money out; always waits for the operator',
        tags: TAGS,
        security: PAYER,
        params: agentParams,
        body: withdrawBody,
        response: {
          200: withdrawAnswer,
          ...refusals(
            'invalid_token',
            'insufficient_balance',
            'policy_denied',
            'agent_disabled',
            'insufficient_scope',
            'not_found',
            'already_paid',
            'idempotency_conflict',
            'rate_limited',
            'rail_frozen',
          ),
        },
      },
    },
    async (request, reply) => {
      requirePayer(request, request.params.id);
      const { destination, amount_msat, max_fee_msat } = request.body;
      const type = outsideType(destination);
      if (typeof type !== 'string') return sendRefusal(reply, type);
      const outcome = await ask(request, {
        mode: 'withdrawal',
        type,
        destination,
        amount: amount_msat,
        maxFee: max_fee_msat,
        purpose: 'withdrawal',
      });
      return sendOutcome(reply, outcome, (asked) => ({
        withdrawal_id: asked.approvalId,
        transaction_id: asked.transactionId,
        status: 'PENDING_APPROVAL',
        amount_msat: asked.amount,
        expires_at: asked.expiresAt,
      }));
    },
  );

  app.get(
    '/agents/:id/payments',
    {
      schema: {
        summary: "An agent's payments and withdrawals, newest first",
        tags: TAGS,
        security: READER,
        params: agentParams,
        querystring: z.strictObject(pageQuery),
        response: {
          200: z.object({ payments: z.array(paymentAnswer), ...pageAnswer }),
          ...refusals('invalid_token', 'not_found', 'invalid_cursor', 'rate_limited'),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const { cursor, limit } = request.query;
      const before = cursor === undefined ? null : decodeCursor('payments', cursor, TRANSACTION_ID);
      const found = payments
        .ofAgent(agent.no, before, limit + 1)
        .map((payment) => paymentBody(payment, false));
      const page = pageOf('payments', found, limit, ({ transaction_id }) => transaction_id);
      return reply.send(pageBody('payments', page));
    },
  );

  app.get(
    '/agents/:id/payments/:tx_id',
    {
      schema: {
        summary: 'One payment: its state and its proof',
        tags: TAGS,
        security: READER,
        params: agentParams.extend({ tx_id: z.string().max(64) }),
        response: {
          200: paymentAnswer,
          ...refusals('invalid_token', 'not_found', 'rate_limited'),
        },
      },
    },
    async (request, reply) => {
      const reader = readerOf(request);
      const agent = agents.find(readableAgentId(reader, request.params.id));
      const payment = payments.find(request.params.tx_id);
      if (!agent || payment?.agentNo !== agent.no) {
        throw new VaultError('not_found', 'no such payment');
      }
      const mayTakeEcash = reader.role === 'agent' && reader.agent.scopes.includes('spend');
      return reply.send(paymentBody(payment, mayTakeEcash));
    },
  );
}
