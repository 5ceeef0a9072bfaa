/** Core's own database: the journal of live reservations and the request log. */
import { index, integer, real, sqliteTable, text } from 'drizzle-orm/sqlite-core';

export const meta = sqliteTable('meta', { key: text().primaryKey(), value: text().notNull() });

/**
 * One row per reservation, from before the reserve call until the vault has its end.
 * state: intent → dispatched → settle | release → delivered. Never a token or a prompt.
 */
export const journal = sqliteTable('journal', {
  reservationId: text('reservation_id').primaryKey(),
  state: text({ enum: ['intent', 'dispatched', 'settle', 'release', 'delivered'] }).notNull(),
  agentId: text('agent_id').notNull(),
  correlationId: text('correlation_id').notNull(),
  requestedModel: text('requested_model').notNull(),
  heldMsat: integer('held_msat').notNull(),
  estimatedInputTokens: integer('estimated_input_tokens').notNull(),
  outputTokens: integer('output_tokens').notNull().default(0),
  /** JSON of DispatchSnapshot: the rates that bill this request, whatever the config says later. */
  snapshot: text().notNull(),
  /** JSON of the settle command, or the reason of the release. */
  ending: text(),
  outcome: text(),
  createdAtMs: integer('created_at_ms').notNull(),
  endedAtMs: integer('ended_at_ms'),
  deliveredAtMs: integer('delivered_at_ms'),
});

export const requests = sqliteTable(
  'requests',
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    correlationId: text('correlation_id').notNull(),
    reservationId: text('reservation_id'),
    agentId: text('agent_id'),
    timestampMs: integer('timestamp_ms').notNull(),
    requestedModel: text('requested_model').notNull(),
    model: text(),
    provider: text(),
    tier: text(),
    streaming: integer({ mode: 'boolean' }).notNull(),
    status: integer().notNull(),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    ending: text().notNull(),
    inputTokens: integer('input_tokens'),
    cachedInputTokens: integer('cached_input_tokens'),
    outputTokens: integer('output_tokens'),
    estimated: integer({ mode: 'boolean' }).notNull(),
    disbelieved: integer({ mode: 'boolean' }).notNull(),
    costMsat: integer('cost_msat'),
    providerCostMsat: integer('provider_cost_msat'),
    heldMsat: integer('held_msat'),
    attempts: text().notNull(),
    latencyMs: integer('latency_ms').notNull(),
    firstByteMs: integer('first_byte_ms'),
    lostMsat: integer('lost_msat').notNull().default(0),
    policy: text(),
    floor: text(),
    complexityScore: real('complexity_score'),
    dearestMsat: integer('dearest_msat'),
    meanMsat: integer('mean_msat'),
    endpoint: text().notNull().default('chat'),
  },
  (table) => [
    index('requests_by_correlation').on(table.correlationId),
    index('requests_by_agent').on(table.agentId, table.seq),
  ],
);
