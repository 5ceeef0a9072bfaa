/** Money in: by invoice or by ecash. */
import type { Msat } from '@arbstr/shared';
import { z } from 'zod';
import type { InvoiceSource } from '../../deposit/deposit.ts';
import { isRefusal, refuse, VaultError } from '../../errors.ts';
import type { OpenDepositCommand } from '../../ledger/command.ts';
import { callWithin } from '../../worker/tasks.ts';
import type { App } from '../app-type.ts';
import { agentByUrl } from '../auth.ts';
import {
  askedFor,
  depositAnswer,
  depositBody,
  depositOfRecord,
  ecashSource,
} from '../deposit-body.ts';
import { markReplay, sendRefusal } from '../errors.ts';
import { WALLET_MS_MAX } from '../limits.ts';
import { decodeCursor, pageBody, pageOf, pageQuery } from '../page.ts';
import type { VaultParts } from '../parts.ts';
import { replayKeyOf } from '../replay-key.ts';
import { agentParams, pageAnswer, refusals } from '../schemas.ts';

const TAGS = ['agent'];
const SECURITY = [{ agent: [] }, { operator: [] }];
/** The ledger decides the same whatever the invoice. */
const NO_INVOICE_YET: InvoiceSource = {
  type: 'invoice',
  paymentRequest: '',
  paymentHash: '',
  expiresAt: 0,
};
const DEPOSIT_ID = /^dep_[0-9A-Z]{26}$/;

export async function depositRoutes(app: App, parts: VaultParts): Promise<void> {
  const { engine, deposits, depositWatcher, receiver, time, newId } = parts;
  const readable = agentByUrl(parts);

  /** A new invoice of the wallet. One that no deposit ever names was never shown to anybody. */
  async function invoiceSource(depositId: string, amountMsat: Msat, expirySecs: number) {
    const createdAtMs = time.now();
    const description = `arbstr deposit ${depositId}`;
    const order = { amountMsat, description, createdAtMs, expirySecs };
    const patience = AbortSignal.timeout(WALLET_MS_MAX);
    const made = await callWithin(patience, (signal) =>
      receiver.createInvoice(order, signal),
    ).catch((error: Error) => {
      throw new VaultError(
        'wallet_unavailable',
        `the wallet gives no invoice: ${error.message}; nothing was changed`,
      );
    });
    const source: InvoiceSource = {
      type: 'invoice',
      paymentRequest: made.invoice,
      paymentHash: made.paymentHash,
      // An invoice knows whole seconds.
      expiresAt: (Math.floor(createdAtMs / 1_000) + expirySecs) * 1_000,
    };
    return source;
  }

  /**
   * None is made where the ledger would refuse it, or has answered before: a wallet keeps each. The
   * ledger still decides: where it refuses all the same, the invoice was shown to nobody, so nobody
   * can pay it.
   */
  async function openByInvoice(open: Omit<OpenDepositCommand, 'source'>, expirySecs: number) {
    const foreseen = engine.foresee({ ...open, source: NO_INVOICE_YET });
    if (isRefusal(foreseen) || foreseen.replayed) return foreseen;
    const source = await invoiceSource(open.depositId, open.amount, expirySecs);
    return engine.execute({ ...open, source });
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
            'recovering',
            'wallet_unavailable',
            'idempotency_conflict',
          ),
        },
      },
    },
    async (request, reply) => {
      const agent = readable(request, request.params.id);
      const depositId = newId('deposit');
      const { token, amountMsat, expirySecs } = askedFor(receiver, request.body);
      const replayKey = replayKeyOf(request);
      const open = {
        kind: 'open_deposit',
        correlationId: request.id,
        replayKey,
        depositId,
        agentId: agent.id,
        rail: receiver.rail,
        amount: amountMsat,
      } as const;
      const opened = token
        ? await engine.execute({ ...open, source: ecashSource(token) })
        : await openByInvoice(open, expirySecs);
      if (isRefusal(opened)) return sendRefusal(reply, opened);
      markReplay(reply, opened);
      // Pending where the mint has not answered: the watcher goes on.
      if (token) await depositWatcher.redeemNow(opened.depositId);
      const deposit = deposits.find(opened.depositId)!;
      if (token && deposit.failure !== null) {
        return sendRefusal(reply, refuse('token_spent', deposit.failure));
      }
      return reply.send(depositOfRecord(deposit, agent.id));
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
      const found = deposits
        .list(agent.no, before, limit + 1)
        .map((deposit) => depositOfRecord(deposit, agent.id));
      const page = pageOf('deposits', found, limit, ({ deposit_id }) => deposit_id);
      return reply.send(pageBody('deposits', page));
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
      return reply.send(depositOfRecord(deposit, agent.id));
    },
  );
}
