import type Database from 'better-sqlite3';
import { and, asc, count, desc, eq, gte, inArray, lte, notInArray } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { type RequestFilter, type RequestPage, SUCCESSES } from '../ports.ts';
import { requests } from './schema.ts';

const SORT_COLUMNS = {
  timestamp: requests.seq,
  cost_sats: requests.costMsat,
  latency_ms: requests.latencyMs,
} as const;

/** One page of the request log, and of how many rows. */
export function listRequests(db: Database.Database, filter: RequestFilter): RequestPage {
  const orm = drizzle({ client: db });
  const where = and(
    filter.agentId === null ? undefined : eq(requests.agentId, filter.agentId),
    filter.model === undefined ? undefined : eq(requests.requestedModel, filter.model),
    filter.provider === undefined ? undefined : eq(requests.provider, filter.provider),
    filter.success === undefined
      ? undefined
      : filter.success
        ? inArray(requests.ending, SUCCESSES)
        : notInArray(requests.ending, SUCCESSES),
    filter.streaming === undefined ? undefined : eq(requests.streaming, filter.streaming),
    filter.correlationId === undefined
      ? undefined
      : eq(requests.correlationId, filter.correlationId),
    gte(requests.timestampMs, filter.sinceMs),
    lte(requests.timestampMs, filter.untilMs),
  );
  const direction = filter.order === 'asc' ? asc : desc;
  const rows = orm
    .select()
    .from(requests)
    .where(where)
    // The sequence breaks ties, so that pages neither repeat nor skip a row.
    .orderBy(direction(SORT_COLUMNS[filter.sort]), direction(requests.seq))
    .limit(filter.limit)
    .offset(filter.offset)
    .all();
  const total = orm.select({ n: count() }).from(requests).where(where).get()?.n ?? 0;
  return { rows, total };
}
