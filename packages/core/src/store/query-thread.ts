/**
 * Queries over many rows, in a thread of their own with a connection of their own: sums over millions
 * of requests take seconds, in which nobody's answer may stand still for a dashboard.
 */
import { Worker } from 'node:worker_threads';
import type {
  GroupedStats,
  QueryReply,
  RequestFilter,
  RequestPage,
  RequestQueries,
  StatsFilter,
  StatsGroup,
} from '../ports.ts';

export type Query =
  | {
      readonly kind: 'stats';
      readonly filter: StatsFilter;
      readonly groupBy: StatsGroup | null;
    }
  | { readonly kind: 'list'; readonly filter: RequestFilter };

export interface Question {
  readonly id: number;
  readonly query: Query;
}

export type Reply = { readonly id: number } & (
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string }
);

export interface QueryThread extends RequestQueries {
  /** What is still asked remains unanswered. */
  stop(): Promise<void>;
}

const WAITING_MAX = 32;
/** From the question on, with the waiting for those before it. */
const ANSWER_MS_MAX = 30_000;

const BUSY = `${WAITING_MAX} queries wait already. Try again shortly.`;
const TOO_SLOW =
  'This takes too long to read. Ask for a shorter time, with range, or since and until.';

interface Waiting {
  readonly timer: NodeJS.Timeout;
  readonly resolve: (reply: QueryReply<unknown>) => void;
  readonly reject: (error: Error) => void;
}

export interface QueryThreadOptions {
  readonly path: string;
  /** What still waits to be written, is: who has just had an answer finds its row. */
  readonly flush: () => unknown;
  readonly answerMsMax?: number;
}

/** The thread starts with the first question, and again after one that took too long. */
export function createQueryThread(options: QueryThreadOptions): QueryThread {
  const { path, flush, answerMsMax = ANSWER_MS_MAX } = options;
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let lastId = 0;

  function take(id: number): Waiting | undefined {
    const asked = waiting.get(id);
    waiting.delete(id);
    clearTimeout(asked?.timer);
    return asked;
  }

  function start(): Worker {
    const started = new Worker(new URL('./query-worker.ts', import.meta.url), { workerData: path });
    started.on('message', (reply: Reply) => {
      const asked = take(reply.id);
      if (reply.ok) asked?.resolve({ kind: 'ok', value: reply.value });
      else asked?.reject(new Error(reply.message));
    });
    started.on('error', (error) => {
      if (worker === started) void end(error);
    });
    started.unref();
    return started;
  }

  /** Whoever waits learns of it; the next question starts another thread. */
  async function end(error: Error | null): Promise<void> {
    const ending = worker;
    worker = null;
    for (const id of [...waiting.keys()]) {
      const asked = take(id);
      if (error === null) asked?.resolve({ kind: 'unanswered', reason: TOO_SLOW });
      else asked?.reject(error);
    }
    await ending?.terminate();
  }

  function ask<T>(query: Query): Promise<QueryReply<T>> {
    if (waiting.size >= WAITING_MAX) return Promise.resolve({ kind: 'unanswered', reason: BUSY });
    flush();
    worker ??= start();
    const id = ++lastId;
    const { promise, resolve, reject } = Promise.withResolvers<QueryReply<unknown>>();
    const timer = setTimeout(() => void end(null), answerMsMax);
    waiting.set(id, { timer, resolve, reject });
    worker.postMessage({ id, query } satisfies Question);
    return promise as Promise<QueryReply<T>>;
  }

  return {
    stats: (filter, groupBy) => ask<GroupedStats>({ kind: 'stats', filter, groupBy }),
    list: (filter) => ask<RequestPage>({ kind: 'list', filter }),
    stop: () => end(null),
  };
}
