/** The thread behind `books-thread.ts`. */
import { parentPort, workerData } from 'node:worker_threads';
import { openReader } from '../db/open.ts';
import { createAgentBoard } from './agent-board.ts';
import { createBooks } from './books-queries.ts';
import type { Question, Reply } from './books-thread.ts';

const reader = openReader(workerData as string);
const books = createBooks(reader);
const board = createAgentBoard(reader);

function answer(question: Question) {
  switch (question.ask) {
    case 'sums':
      return books.sums();
    case 'counts':
      return books.counts();
    case 'usage':
      return books.usage(question.agentNo, question.range);
    case 'board':
      return board(question.query);
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
