import { formatSats, type Msat } from '@arbstr/shared';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Caller } from '../auth/caller.ts';
import { refuse } from '../errors.ts';
import { type RequestQueries, STATS_GROUPS, type Stats } from '../ports.ts';
import { type AuthDeps, recordReader } from './authenticate.ts';
import { writeRefusal } from './hardening.ts';
import { agentFilterOf } from './requests.ts';
import { badQuery, rangeOf, rangeQuery } from './time-range.ts';

export interface StatsRouteDeps extends AuthDeps {
  readonly queries: RequestQueries;
  readonly nowMs: () => number;
}

const querySchema = z.strictObject({
  ...rangeQuery,
  model: z.string().max(256).optional(),
  provider: z.string().max(256).optional(),
  group_by: z.enum(STATS_GROUPS).optional(),
});

/** Sums over own requests of an agent; over all of them for the operator. */
export function statsRoute(app: FastifyInstance, deps: StatsRouteDeps): void {
  for (const url of ['/v1/stats', '/stats']) {
    app.get(url, async (request, reply) => {
      const caller = await recordReader(deps, request);
      if (caller.kind === 'refused') return writeRefusal(reply, caller);
      const query = querySchema.safeParse(request.query);
      if (!query.success) return writeRefusal(reply, badQuery(query.error));
      const range = rangeOf(query.data, deps.nowMs());
      if (range.sinceMs > range.untilMs) {
        return writeRefusal(
          reply,
          refuse('invalid_request', 'since must not be after until.', { param: 'since' }),
        );
      }
      const stats = await answer(deps, caller, query.data, range);
      return 'kind' in stats ? writeRefusal(reply, stats) : stats;
    });
  }
}

async function answer(
  deps: StatsRouteDeps,
  caller: Caller,
  query: z.output<typeof querySchema>,
  range: { sinceMs: number; untilMs: number },
) {
  const { group_by: groupBy, model, provider } = query;
  const filter = { agentId: agentFilterOf(caller), model, provider, ...range };
  const found = await deps.queries.stats(filter, groupBy ?? null);
  if (found.kind === 'unanswered') return refuse('overloaded', found.reason);
  const { all, groups, others } = found.value;
  const wired = (groups ?? []).map((stats) => ({ key: stats.key, ...wireStats(stats) }));
  const byKey = () => Object.fromEntries(wired.map(({ key, ...rest }) => [key ?? 'unknown', rest]));
  return {
    since: new Date(range.sinceMs).toISOString(),
    until: new Date(range.untilMs).toISOString(),
    ...(all.total === 0 && {
      empty: true,
      message: 'No requests in this range; widen it with range, since or until.',
    }),
    ...wireStats(all),
    ...(groups !== null && {
      groups: wired,
      /** Those with the fewest requests, summed up where there are too many to list. */
      others: others === null ? null : { groups: others.groups, ...wireStats(others) },
    }),
    // Where the originals had them.
    ...(groupBy === 'model' && { models: byKey() }),
    ...(groupBy === 'tier' && { tiers: byKey() }),
  };
}

function wireStats(stats: Stats) {
  const { total, success, streaming, latencyMs, firstByteMs } = stats;
  return {
    counts: { total, success, error: total - success, streaming },
    costs: {
      total_cost_sats: sats(stats.costMsat),
      total_cost_msats: stats.costMsat,
      total_input_tokens: stats.inputTokens,
      total_output_tokens: stats.outputTokens,
      /** The operator's, by failed attempts. */
      lost_msats: stats.lostMsat,
    },
    /** Against what the same tokens would have cost elsewhere, at the prices of then. */
    saved_sats: { dearest: sats(stats.savedDearestMsat), mean: sats(stats.savedMeanMsat) },
    performance: {
      avg_latency_ms: stats.avgLatencyMs,
      /** The newest of the requests: all percentiles are of these. */
      percentiles_of: stats.sampled,
      p50_latency_ms: latencyMs.p50,
      p95_latency_ms: latencyMs.p95,
      p99_latency_ms: latencyMs.p99,
      p50_time_to_first_token_ms: firstByteMs.p50,
      p95_time_to_first_token_ms: firstByteMs.p95,
      p99_time_to_first_token_ms: firstByteMs.p99,
    },
  };
}

/** Negative where the cheapest was not what served (another strategy, a fallback). */
const sats = (msat: number): number =>
  msat < 0 ? -Number(formatSats(-msat as Msat)) : Number(formatSats(msat as Msat));
