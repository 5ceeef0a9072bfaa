/** Sums over the request log. SQL makes the sums; the percentiles are of a sample of the rows. */
import type Database from 'better-sqlite3';
import {
  type GroupedStats,
  type Percentiles,
  type Stats,
  type StatsFilter,
  type StatsGroup,
  SUCCESSES,
} from '../ports.ts';

/** Percentiles are of so many of the newest requests: a sort of more would hold up everybody. */
const SAMPLED_MAX = 100_000;

/** Names that callers write may be as many as their requests. */
const NAMES_MAX = 100;
/** A year of hours. */
const TIMES_MAX = 24 * 366;

const KEYS: Record<StatsGroup, string> = {
  model: 'requested_model',
  provider: 'provider',
  tier: 'tier',
  policy: 'policy',
  hour: `strftime('%Y-%m-%dT%H:00:00Z', timestamp_ms / 1000, 'unixepoch')`,
  day: `strftime('%Y-%m-%d', timestamp_ms / 1000, 'unixepoch')`,
};

const WHERE = `timestamp_ms between @sinceMs and @untilMs
  and (@model is null or requested_model = @model collate nocase or model = @model collate nocase)
  and (@provider is null or provider = @provider collate nocase)`;

const SUMS = `count(*) as total,
  coalesce(sum(ending in (${SUCCESSES.map((ending) => `'${ending}'`).join(', ')})), 0) as success,
  coalesce(sum(streaming), 0) as streaming,
  coalesce(sum(cost_msat), 0) as costMsat, coalesce(sum(lost_msat), 0) as lostMsat,
  coalesce(sum(dearest_msat - cost_msat), 0) as savedDearestMsat,
  coalesce(sum(mean_msat - cost_msat), 0) as savedMeanMsat,
  coalesce(sum(input_tokens), 0) as inputTokens,
  coalesce(sum(output_tokens), 0) as outputTokens,
  coalesce(sum(latency_ms), 0) as latencySumMs`;

interface Params {
  agentId: string | null;
  model: string | null;
  provider: string | null;
  sinceMs: number;
  untilMs: number;
}

interface Sums extends Omit<Stats, 'latencyMs' | 'firstByteMs' | 'sampled' | 'avgLatencyMs'> {
  readonly latencySumMs: number;
}

interface Sample {
  key: string | null;
  latency_ms: number;
  first_byte_ms: number | null;
}

export function requestStats(
  db: Database.Database,
  filter: StatsFilter,
  groupBy: StatsGroup | null,
): GroupedStats {
  // Only so that the index by agent serves: one agent's sums must not read everybody's rows.
  const where = filter.agentId === null ? WHERE : `${WHERE} and agent_id = @agentId`;
  const params: Params = {
    ...filter,
    model: filter.model ?? null,
    provider: filter.provider ?? null,
  };
  const key = groupBy === null ? 'null' : KEYS[groupBy];
  const samples = db
    .prepare<[Params], Sample>(
      `select ${key} as key, latency_ms, first_byte_ms from requests
       where ${where} order by seq desc limit ${SAMPLED_MAX}`,
    )
    .all(params);
  const sums = db.prepare<[Params], Sums>(
    `select ${key} as key, ${SUMS} from requests where ${where} group by 1 order by total desc, 1`,
  );
  if (groupBy === null) {
    return {
      all: withPercentiles(sums.get(params) ?? NOTHING, samples),
      groups: null,
      others: null,
    };
  }
  const byKey = Map.groupBy(samples, (sample) => sample.key);
  const groupsMax = groupBy === 'hour' || groupBy === 'day' ? TIMES_MAX : NAMES_MAX;
  const groups: Stats[] = [];
  let all = NOTHING;
  let others = NOTHING;
  let otherGroups = 0;
  for (const group of sums.iterate(params)) {
    all = added(all, group);
    if (groups.length < groupsMax) {
      groups.push(withPercentiles(group, byKey.get(group.key) ?? []));
      byKey.delete(group.key);
    } else {
      others = added(others, group);
      otherGroups++;
    }
  }
  const whole = withPercentiles(all, samples);
  if (otherGroups === 0) return { all: whole, groups, others: null };
  const rest = withPercentiles(others, [...byKey.values()].flat());
  return { all: whole, groups, others: { ...rest, groups: otherGroups } };
}

const NOTHING: Sums = {
  key: null,
  total: 0,
  success: 0,
  streaming: 0,
  costMsat: 0,
  lostMsat: 0,
  savedDearestMsat: 0,
  savedMeanMsat: 0,
  inputTokens: 0,
  outputTokens: 0,
  latencySumMs: 0,
};

/** `key` stays that of `a`. */
const added = (a: Sums, b: Sums): Sums => ({
  key: a.key,
  total: a.total + b.total,
  success: a.success + b.success,
  streaming: a.streaming + b.streaming,
  costMsat: a.costMsat + b.costMsat,
  lostMsat: a.lostMsat + b.lostMsat,
  savedDearestMsat: a.savedDearestMsat + b.savedDearestMsat,
  savedMeanMsat: a.savedMeanMsat + b.savedMeanMsat,
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  latencySumMs: a.latencySumMs + b.latencySumMs,
});

function withPercentiles({ latencySumMs, ...sums }: Sums, samples: readonly Sample[]): Stats {
  return {
    ...sums,
    avgLatencyMs: sums.total === 0 ? null : Math.round(latencySumMs / sums.total),
    sampled: samples.length,
    latencyMs: percentiles(samples.map(({ latency_ms }) => latency_ms)),
    firstByteMs: percentiles(samples.flatMap(({ first_byte_ms }) => first_byte_ms ?? [])),
  };
}

/** Nearest rank: the smallest value that so many per cent do not exceed. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (percent: number): number | null =>
    sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null;
  return { p50: at(50), p95: at(95), p99: at(99) };
}
