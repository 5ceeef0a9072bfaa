/** The thread behind `books-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { openReader } from '../db/open.ts';
import { createBooks } from './books-queries.ts';
import type { Question, Reply } from './books-thread.ts';

const books = createBooks(openReader(workerData as string));

function answer(question: Question) {
  switch (question.ask) {
    case 'sums':
      return books.sums();
    case 'counts':
      return books.counts();
    case 'usage':
      return books.usage(question.agentNo, question.range);
  }
}

parentPort?.on('message', ({ id, question }: { id: number; question: Question }) => {
  let reply: Reply;
  try {
    reply = { id, ok: true, value: answer(question) };
  } catch (error) {
    reply = { id, ok: false, message: (error as Error).message };
  }
  parentPort?.postMessage(reply);
});
