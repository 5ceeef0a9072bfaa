/**
 * The least that a billing service in Node can do: Fastify, a JSON schema for what comes in and for
 * what goes out, the fields of reserve and settle at their real lengths. It checks no credentials
 * and stores nothing.
 */
import Fastify from 'fastify';
import { serve } from './serve.ts';

const text = { type: 'string', maxLength: 256 } as const;
const integer = { type: 'integer', minimum: 0 } as const;

const app = Fastify();

app.post<{ Body: { reservation_id: string } }>(
  '/internal/reserve',
  {
    schema: {
      body: {
        type: 'object',
        required: ['agent_token', 'amount_msats', 'correlation_id', 'model'],
        additionalProperties: false,
        properties: {
          agent_token: text,
          amount_msats: integer,
          correlation_id: text,
          model: text,
          requested_model: text,
          reservation_id: text,
          expires_in_secs: integer,
          core_id: text,
        },
      },
      response: {
        200: {
          type: 'object',
          properties: {
            reservation_id: text,
            state: text,
            agent_id: text,
            remaining_balance_msats: integer,
            expires_at: integer,
            ledger_epoch: text,
          },
        },
      },
    },
  },
  async (request) => ({
    reservation_id: request.body.reservation_id,
    state: 'held',
    agent_id: 'ag_01JBENCH0000000000000000000',
    remaining_balance_msats: 999_999_997_500,
    expires_at: 1_700_000_060_000,
    ledger_epoch: 'epoch_01JBENCH0000000000000000000',
  }),
);

app.post<{ Body: { actual_msats: number } }>(
  '/internal/settle',
  {
    schema: {
      body: {
        type: 'object',
        required: ['reservation_id', 'actual_msats'],
        additionalProperties: false,
        properties: {
          reservation_id: text,
          actual_msats: integer,
          tokens_in: integer,
          tokens_out: integer,
          provider: text,
          latency_ms: integer,
          provider_cost_msats: integer,
          estimated: { type: 'boolean' },
          agent_id: text,
          correlation_id: text,
          model: text,
        },
      },
      response: {
        200: {
          type: 'object',
          properties: {
            settled: { type: 'boolean' },
            actual_msats: integer,
            refunded_msats: integer,
            shortfall_msats: integer,
            remaining_balance_msats: integer,
          },
        },
      },
    },
  },
  async (request) => ({
    settled: true,
    actual_msats: request.body.actual_msats,
    refunded_msats: 1_266,
    shortfall_msats: 0,
    remaining_balance_msats: 999_999_998_766,
  }),
);

await app.ready();
serve(app.server);
