import { formatSats, msat } from '@arbstr/shared';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Caller } from '../auth/caller.ts';
import { refuse } from '../errors.ts';
import { type RequestLog, type RequestQueries, type StoredRequest, SUCCESSES } from '../ports.ts';
import { type AuthDeps, recordReader } from './authenticate.ts';
import { writeRefusal } from './hardening.ts';
import { badQuery, rangeOf, rangeQuery } from './time-range.ts';

export interface RequestsRouteDeps extends AuthDeps {
  readonly log: RequestLog;
  readonly queries: RequestQueries;
  readonly nowMs: () => number;
}

const flagSchema = z.enum(['true', 'false']).transform((text) => text === 'true');
const querySchema = z.strictObject({
  page: z.coerce.number().int().min(1).max(1_000_000).default(1),
  per_page: z.coerce.number().int().min(1).max(100).default(20),
  ...rangeQuery,
  model: z.string().max(256).optional(),
  provider: z.string().max(256).optional(),
  success: flagSchema.optional(),
  streaming: flagSchema.optional(),
  correlation_id: z.string().max(128).optional(),
  sort: z.enum(['timestamp', 'cost_sats', 'latency_ms']).default('timestamp'),
  order: z.enum(['asc', 'desc']).default('desc'),
});

/** Own requests of an agent; all of them for the operator (and for anybody in open free mode). */
export function requestsRoute(app: FastifyInstance, deps: RequestsRouteDeps): void {
  for (const url of ['/v1/requests', '/requests']) {
    app.get(url, async (request, reply) => {
      const caller = await recordReader(deps, request);
      if (caller.kind === 'refused') return writeRefusal(reply, caller);
      const query = querySchema.safeParse(request.query);
      if (!query.success) return writeRefusal(reply, badQuery(query.error));
      const page = await list(deps, caller, query.data);
      return 'kind' in page ? writeRefusal(reply, page) : page;
    });
    app.get<{ Params: { id: string } }>(`${url}/:id`, async (request, reply) => {
      const caller = await recordReader(deps, request);
      if (caller.kind === 'refused') return writeRefusal(reply, caller);
      const row = deps.log.find(request.params.id, agentFilterOf(caller));
      if (row === undefined) {
        return writeRefusal(
          reply,
          refuse(
            'not_found',
            'There is no request of yours with this id. It is the x-request-id of an answer.',
          ),
        );
      }
      return wireRequest(row);
    });
  }
}

/** Whose rows the caller may see; null = everybody's. */
export const agentFilterOf = (caller: Caller): string | null =>
  caller.kind === 'agent' ? caller.agentId : null;

async function list(deps: RequestsRouteDeps, caller: Caller, query: z.output<typeof querySchema>) {
  const { sinceMs, untilMs } = rangeOf(query, deps.nowMs());
  const found = await deps.queries.list({
    agentId: agentFilterOf(caller),
    model: query.model,
    provider: query.provider,
    success: query.success,
    streaming: query.streaming,
    correlationId: query.correlation_id,
    sinceMs,
    untilMs,
    sort: query.sort,
    order: query.order,
    offset: (query.page - 1) * query.per_page,
    limit: query.per_page,
  });
  if (found.kind === 'unanswered') return refuse('overloaded', found.reason);
  const { rows, total } = found.value;
  return {
    data: rows.map(wireRequest),
    page: query.page,
    per_page: query.per_page,
    total,
    total_pages: Math.ceil(total / query.per_page),
    since: new Date(sinceMs).toISOString(),
    until: new Date(untilMs).toISOString(),
  };
}

function wireRequest(row: StoredRequest) {
  return {
    id: row.correlationId,
    correlation_id: row.correlationId,
    reservation_id: row.reservationId,
    agent_id: row.agentId,
    timestamp: new Date(row.timestampMs).toISOString(),
    model: row.requestedModel,
    served_model: row.model,
    endpoint: row.endpoint,
    provider: row.provider,
    tier: row.tier,
    floor: row.floor,
    complexity_score: row.complexityScore,
    policy: row.policy,
    streaming: row.streaming,
    success: SUCCESSES.includes(row.ending),
    /** answered | replayed | client_gone | broken | refused */
    ending: row.ending,
    status: row.status,
    tokens: {
      input: row.inputTokens,
      cached_input: row.cachedInputTokens,
      output: row.outputTokens,
      estimated: row.estimated,
      usage_disbelieved: row.disbelieved,
    },
    cost: {
      sats: row.costMsat === null ? null : Number(formatSats(msat(row.costMsat))),
      msats: row.costMsat,
      provider_msats: row.providerCostMsat,
      held_msats: row.heldMsat,
      /** The same tokens elsewhere, at the prices of then. */
      dearest_msats: row.dearestMsat,
      mean_msats: row.meanMsat,
      /** The operator's, by failed attempts; the agent was not charged for them. */
      lost_msats: row.lostMsat,
    },
    timing: { latency_ms: row.latencyMs, time_to_first_byte_ms: row.firstByteMs },
    retries: row.attempts === '' ? null : row.attempts,
    error:
      row.errorCode === null && row.errorMessage === null
        ? null
        : { status: row.status, code: row.errorCode, message: row.errorMessage },
  };
}
