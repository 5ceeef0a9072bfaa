/** The thread behind `query-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { Question, Reply } from './query-thread.ts';
import { listRequests } from './request-list.ts';
import { requestStats } from './request-stats.ts';

const db = new Database(workerData as string, { readonly: true, fileMustExist: true });

function answer({ query }: Question): unknown {
  switch (query.kind) {
    case 'stats':
      return requestStats(db, query.filter, query.groupBy);
    case 'list':
      return listRequests(db, query.filter);
  }
}

parentPort?.on('message', (question: Question) => {
  const { id } = question;
  let reply: Reply;
  try {
    reply = { id, ok: true, value: answer(question) };
  } catch (error) {
    reply = { id, ok: false, message: (error as Error).message };
  }
  parentPort?.postMessage(reply);
});
