/**
 * Sums over many rows, in a thread of their own with a connection of their own: over a hundred
 * thousand accounts or bills they take seconds, in which no hold and no bill may stand still.
 */
import { Worker } from 'node:worker_threads';
import { type Refusal, refuse } from '../errors.ts';
import type { BoardAgent, BoardQuery } from './agent-board.ts';
import type { Books, Counts, SeqRange, Sums, Usage } from './books-queries.ts';

export type Question =
  | { readonly ask: 'sums' | 'counts' }
  | { readonly ask: 'usage'; readonly agentNo: number; readonly range: SeqRange }
  | { readonly ask: 'board'; readonly query: BoardQuery };

export type Reply = { readonly id: number } & (
  | { readonly ok: true; readonly value: ReturnType<Books[keyof Books]> | BoardAgent[] }
  | { readonly ok: false; readonly message: string }
);

/** What is not answered is refused as `overloaded` or `rate_limited`; rejects where the database cannot be read. */
export interface BooksThread {
  sums(): Promise<Sums | Refusal>;
  counts(): Promise<Counts | Refusal>;
  /** Of the audit rows of one agent in this range. One at a time is summed up for each agent. */
  usage(agentNo: number, range: SeqRange): Promise<Usage | Refusal>;
  board(query: BoardQuery): Promise<BoardAgent[] | Refusal>;
  /** What is still asked is refused. */
  stop(): Promise<void>;
}

const WAITING_MAX = 32;
/** From the question on, with the waiting for those before it. */
const ANSWER_MS_MAX = 30_000;

interface Waiting {
  readonly question: Question;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The thread starts with the first question, and again after one that took too long. */
export function createBooksThread(path: string, answerMsMax = ANSWER_MS_MAX): BooksThread {
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
    const started = new Worker(new URL('./books-worker.ts', import.meta.url), { workerData: path });
    started.on('message', (reply: Reply) => {
      const asked = take(reply.id);
      if (reply.ok) asked?.resolve(reply.value);
      else asked?.reject(new Error(reply.message));
    });
    started.on('error', (error) => {
      if (worker === started) void end(({ reject }) => reject(error));
    });
    started.unref();
    return started;
  }

  /** Whoever waits learns of it; the next question starts another thread. */
  async function end(tell: (asked: Waiting) => void): Promise<void> {
    const ending = worker;
    worker = null;
    for (const id of [...waiting.keys()]) tell(take(id)!);
    await ending?.terminate();
  }
  const refuseAll = (why: string) => end(({ resolve }) => resolve(refuse('overloaded', why)));

  /** Agents ask, too: one that asks on and on must not take the places of all others. */
  const isAsked = (agentNo: number): boolean =>
    [...waiting.values()].some(
      ({ question }) => question.ask === 'usage' && question.agentNo === agentNo,
    );

  function ask<T>(question: Question): Promise<T | Refusal> {
    if (waiting.size >= WAITING_MAX) {
      return Promise.resolve(refuse('overloaded', `${WAITING_MAX} sums are asked for already`));
    }
    if (question.ask === 'usage' && isAsked(question.agentNo)) {
      return Promise.resolve(refuse('rate_limited', 'this is being summed up already'));
    }
    worker ??= start();
    const id = ++lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => void refuseAll('this takes too long to sum up'), answerMsMax);
    waiting.set(id, { question, timer, resolve, reject });
    worker.postMessage({ id, question });
    return promise as Promise<T | Refusal>;
  }

  return {
    sums: () => ask<Sums>({ ask: 'sums' }),
    counts: () => ask<Counts>({ ask: 'counts' }),
    usage: (agentNo, range) => ask<Usage>({ ask: 'usage', agentNo, range }),
    board: (query) => ask<BoardAgent[]>({ ask: 'board', query }),
    stop: () => refuseAll('the vault is stopping'),
  };
}
