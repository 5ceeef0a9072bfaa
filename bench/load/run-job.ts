import { quantile } from '../statistics.ts';
import { Connection } from './connection.ts';
import type { Findings, Job, Latency } from './job.ts';
import { createTurns, type TurnSource } from './turns.ts';

/** Beyond the planned time, before a job that hangs is given up. */
const GRACE_MS = 10_000;

interface Record {
  readonly turn: number[];
  readonly requests: readonly number[][];
  readonly firstByte: number[];
  turns: number;
}

/** Closed loop: as many requests are under way as there are connections, never more. */
export async function runJob(job: Job): Promise<Findings> {
  const source = createTurns(job.turns);
  const record: Record = {
    turn: [],
    requests: Array.from({ length: source.length }, () => []),
    firstByte: [],
    turns: 0,
  };
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () => Connection.open(job.port)),
  );
  const limit = setTimeout(
    () => {
      for (const connection of connections) connection.close();
    },
    job.warmMs + job.measureMs + GRACE_MS,
  );
  try {
    const fromMs = performance.now() + job.warmMs;
    const window = { fromMs, toMs: fromMs + job.measureMs, turnsMax: job.turnsMax };
    await Promise.all(connections.map((connection) => drive(connection, source, window, record)));
  } finally {
    clearTimeout(limit);
    for (const connection of connections) connection.close();
  }
  return {
    perSecond: record.turn.length / (job.measureMs / 1000),
    turns: record.turns,
    turn: latencyOf(record.turn),
    requests: record.requests.map(latencyOf),
    firstByte: latencyOf(record.firstByte),
  };
}

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  readonly turnsMax: number;
}

async function drive(
  connection: Connection,
  source: TurnSource,
  { fromMs, toMs, turnsMax }: Window,
  record: Record,
): Promise<void> {
  const ends: number[] = [];
  while (performance.now() < toMs) {
    if (record.turns >= turnsMax) throw new Error(`more than ${turnsMax} turns in one job`);
    const requests = source.next();
    const startMs = performance.now();
    let firstByteMs = 0;
    for (const [nth, request] of requests.entries()) {
      const timed = await connection.send(request, source.streamed);
      ends[nth] = timed.endMs;
      if (nth === 0) firstByteMs = timed.firstByteMs;
    }
    record.turns++;
    const endMs = ends[requests.length - 1]!;
    if (endMs < fromMs || endMs > toMs) continue;
    record.turn.push(endMs - startMs);
    record.firstByte.push(firstByteMs - startMs);
    for (let nth = 0; nth < requests.length; nth++) {
      record.requests[nth]!.push(ends[nth]! - (nth === 0 ? startMs : ends[nth - 1]!));
    }
  }
}

function latencyOf(valuesMs: readonly number[]): Latency {
  const sorted = Float64Array.from(valuesMs).sort();
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}
