import type Database from 'better-sqlite3';
import { and, desc, eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import type { RequestLog, RequestRow } from '../ports.ts';
import { PRUNE_ROWS_MAX } from './pruning.ts';
import { requests } from './schema.ts';
import type { Writer } from './writer.ts';

/** Some two gigabytes; the oldest go first, whatever their age. */
const ROWS_MAX = 5_000_000;

/** Writes ride with the journal's group commit; before a row is looked for, what waits is written. */
export function createRequestLog(
  db: Database.Database,
  writer: Writer,
  rowsMax = ROWS_MAX,
): RequestLog {
  const orm = drizzle({ client: db });
  const insert = db.prepare(`
    insert into requests (correlation_id, reservation_id, agent_id, timestamp_ms, requested_model,
      model, provider, tier, streaming, status, error_code, error_message, ending, input_tokens,
      cached_input_tokens, output_tokens, estimated, disbelieved, cost_msat, provider_cost_msat,
      held_msat, attempts, latency_ms, first_byte_ms, lost_msat, policy, floor,
      complexity_score, dearest_msat, mean_msat, endpoint)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const remove = (which: string) =>
    db.prepare(`delete from requests where seq in (${which} limit ${PRUNE_ROWS_MAX})`);
  const removeOld = remove('select seq from requests where timestamp_ms < ? order by timestamp_ms');
  const removeBeyond = remove(
    `select seq from requests
     where seq <= (select max(seq) from requests) - ${rowsMax} order by seq`,
  );
  let dropped = 0;
  return {
    append(row) {
      if (!writer.expendable(() => insert.run(...valuesOf(row)))) dropped++;
    },
    get dropped() {
      return dropped;
    },
    prune(beforeMs) {
      const removed = [removeOld.run(beforeMs), removeBeyond.run()];
      return removed.some(({ changes }) => changes === PRUNE_ROWS_MAX);
    },
    find(correlationId, agentId) {
      writer.flush();
      return orm
        .select()
        .from(requests)
        .where(
          and(
            eq(requests.correlationId, correlationId),
            agentId === null ? undefined : eq(requests.agentId, agentId),
          ),
        )
        .orderBy(desc(requests.seq))
        .limit(1)
        .get();
    },
  };
}

function valuesOf(row: RequestRow): unknown[] {
  return [
    row.correlationId,
    row.reservationId,
    row.agentId,
    row.timestampMs,
    row.requestedModel,
    row.model,
    row.provider,
    row.tier,
    row.streaming ? 1 : 0,
    row.status,
    row.errorCode,
    row.errorMessage,
    row.ending,
    row.inputTokens,
    row.cachedInputTokens,
    row.outputTokens,
    row.estimated ? 1 : 0,
    row.disbelieved ? 1 : 0,
    row.costMsat,
    row.providerCostMsat,
    row.heldMsat,
    row.attempts,
    row.latencyMs,
    row.firstByteMs,
    row.lostMsat,
    row.policy,
    row.floor,
    row.complexityScore,
    row.dearestMsat,
    row.meanMsat,
    row.endpoint,
  ];
}
