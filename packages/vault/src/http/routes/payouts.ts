/** Sellers of inference, what they are owed, and what they were paid. */
import { addMsat, idSchema, msat, msatSchema } from '@arbstr/shared';
import { z } from 'zod';
import { isRefusal, VaultError } from '../../errors.ts';
import { parsePayDestination } from '../../net/lnurl.ts';
import { PAYOUT_STATES, THRESHOLD_MSAT_DEFAULT } from '../../payout/payout.ts';
import type { PayoutRecord } from '../../payout/payout-queries.ts';
import type { App } from '../app-type.ts';
import { requireOperator } from '../auth.ts';
import { markReplay, sendOutcome, sendRefusal } from '../errors.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { debitBody, pageAnswer, positiveMsat, refusals, timeSchema } from '../schemas.ts';

const TAGS = ['operator'];
const SECURITY = [{ operator: [] }];
const PAYOUT_ID = /^po_[0-9A-Z]{26}$/;

/** As core's configuration names its providers. */
const sellerParams = z.object({
  name: z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9 ._:-]{0,62}[A-Za-z0-9._:-])?$/),
});

const sellerBody = z.strictObject({
  /** A Lightning address or LNURL; null ends crediting and paying. */
  payout_destination: z.string().min(1).max(2_000).nullable(),
  payout_threshold_msat: positiveMsat.optional(),
});

const sellerAnswer = z.object({
  name: z.string(),
  payout_destination: z.string().nullable(),
  payout_threshold_msat: msatSchema,
  /** All that it is owed, until it has been paid. */
  payable_msat: msatSchema,
  /** Of it: held by a payout that waits or is under way. */
  held_msat: msatSchema,
  destination_standing: z.enum(['new', 'approved', 'denied']).meta({
    description: 'new: the first payout there waits for POST /operator/approvals/{id}/approve',
  }),
  updated_at: timeSchema,
});

const bookedAnswer = z.object({
  name: z.string(),
  /** With its fee. */
  amount_msat: msatSchema,
  /** All that it is still owed. */
  payable_msat: msatSchema,
  transaction_id: idSchema('transfer'),
});

const payoutAnswer = z.object({
  payout_id: idSchema('payout'),
  provider: z.string(),
  payout_destination: z.string(),
  status: z.enum(PAYOUT_STATES),
  amount_msat: msatSchema,
  max_fee_msat: msatSchema,
  fee_msat: msatSchema.nullable(),
  /** Proof of the payment, where the wallet has one. */
  preimage: z.string().nullable(),
  failure: z.string().nullable(),
  created_at: timeSchema,
  ended_at: timeSchema.nullable(),
});

export async function payoutRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, payouts } = parts;
  app.addHook('onRequest', requireOperator(parts.config.adminToken));

  function seller(name: string) {
    const found = payouts.seller(name);
    if (!found) throw new VaultError('not_found', 'no such seller');
    return {
      name: found.name,
      payout_destination: found.payoutDestination,
      payout_threshold_msat: found.payoutThreshold,
      payable_msat: addMsat(found.payable, found.held),
      held_msat: found.held,
      destination_standing: found.standing,
      updated_at: found.updatedAt,
    };
  }

  app.put(
    '/operator/providers/:name',
    {
      schema: {
        summary: 'Where, and from how much on, a seller is paid what it is owed',
        tags: TAGS,
        security: SECURITY,
        params: sellerParams,
        body: sellerBody,
        response: { 200: sellerAnswer, ...refusals('unauthorized', 'idempotency_conflict') },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { payout_destination, payout_threshold_msat } = request.body;
      if (payout_destination !== null && parsePayDestination(payout_destination) === null) {
        throw new VaultError(
          'invalid_request',
          'payout_destination: must be a Lightning address or an LNURL',
          { param: 'payout_destination' },
        );
      }
      const outcome = await engine.execute({
        kind: 'set_seller',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        name,
        destination: payout_destination,
        threshold: payout_threshold_msat ?? msat(THRESHOLD_MSAT_DEFAULT),
        dailyCap: parts.config.payoutDailyCapMsat,
      });
      if (isRefusal(outcome)) return sendRefusal(reply, outcome);
      markReplay(reply, outcome);
      return reply.send(seller(name));
    },
  );

  app.get(
    '/operator/providers/:name',
    {
      schema: {
        summary: 'What a seller is owed',
        tags: TAGS,
        security: SECURITY,
        params: sellerParams,
        response: { 200: sellerAnswer, ...refusals('unauthorized', 'not_found') },
      },
    },
    async (request, reply) => reply.send(seller(request.params.name)),
  );

  app.post(
    '/operator/providers/:name/debit',
    {
      schema: {
        summary: 'Book what a seller was paid and no payout knows of: by hand, or since a backup',
        tags: TAGS,
        security: SECURITY,
        params: sellerParams,
        body: debitBody,
        response: {
          200: bookedAnswer,
          ...refusals('unauthorized', 'not_found', 'insufficient_balance', 'idempotency_conflict'),
        },
      },
    },
    async (request, reply) => {
      const { amount_msat, reason } = request.body;
      const outcome = await engine.execute({
        kind: 'book_payout',
        correlationId: request.id,
        replayKey: replayKeyOf(request),
        transactionId: parts.newId('transfer'),
        seller: request.params.name,
        amount: amount_msat,
        reason,
      });
      return sendOutcome(reply, outcome, (booked) => ({
        name: booked.seller,
        amount_msat: booked.amount,
        payable_msat: booked.payable,
        transaction_id: booked.transactionId,
      }));
    },
  );

  app.get(
    '/operator/payouts',
    {
      schema: {
        summary: 'Payouts to sellers, newest first',
        tags: TAGS,
        security: SECURITY,
        querystring: z.strictObject({
          ...pageQuery,
          status: z.enum(PAYOUT_STATES).optional(),
          provider: sellerParams.shape.name.optional(),
        }),
        response: {
          200: z.object({ payouts: z.array(payoutAnswer), ...pageAnswer }),
          ...refusals('unauthorized', 'invalid_cursor'),
        },
      },
    },
    async (request, reply) => {
      const { cursor, limit, status, provider } = request.query;
      const before = cursor === undefined ? null : decodeCursor('payouts', cursor, PAYOUT_ID);
      const found = payouts.list(before, limit + 1, { status, provider }).map(answer);
      const page = pageOf('payouts', found, limit, ({ payout_id }) => payout_id);
      return reply.send(pageBody('payouts', page));
    },
  );
}

function answer(payout: PayoutRecord) {
  return {
    payout_id: payout.id,
    provider: payout.seller,
    payout_destination: payout.destination,
    status: payout.state,
    amount_msat: payout.amount,
    max_fee_msat: payout.maxFee,
    fee_msat: payout.fee,
    preimage: payout.preimage,
    failure: payout.failure,
    created_at: payout.createdAt,
    ended_at: payout.endedAt,
  };
}
