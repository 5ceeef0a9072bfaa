/** Embeddings: a whole answer whose output costs nothing; vectors pass as they are, floats or base64. */
import { upstreamBody } from '../openai/rewrite-body.ts';
import { createVectorMeter } from '../stream/vector-meter.ts';
import type { Dialect } from './dialect.ts';

export const EMBEDDINGS: Dialect = {
  endpoint: 'embeddings',
  boundKey: () => null,
  callersBoundKey: () => null,
  otherBoundKey: () => null,
  body: upstreamBody,
  newMeter: ({ prompts }) => createVectorMeter(prompts),
  streamOfWhole: () => null,
  whole: (_order, bytes) => bytes,
  newWriter: () => ({ pass: ({ raw }) => raw, end: () => Buffer.alloc(0) }),
};
