/** The older completions: prompts instead of messages, `text` instead of messages in the choices. */
import { isObject } from '../openai/json-object.ts';
import { upstreamBody } from '../openai/rewrite-body.ts';
import { createMeter } from '../stream/meter.ts';
import { choicesWriter, unlessTooDeep } from './chat.ts';
import type { Dialect } from './dialect.ts';

export const COMPLETIONS: Dialect = {
  endpoint: 'completions',
  boundKey: () => 'max_tokens',
  callersBoundKey: () => null,
  otherBoundKey: () => null,
  body: upstreamBody,
  newMeter: ({ n }) => createMeter(n),
  streamOfWhole: unlessTooDeep(streamOfWhole),
  whole: (_order, bytes) => bytes,
  newWriter: (order) => choicesWriter(order, 'text_completion', `cmpl-${order.id}`),
};

/** Its choices are the same whole or in pieces, so they make one chunk; a whole choice has ended. */
function streamOfWhole(answer: unknown): Buffer {
  const { usage, choices, ...rest } = answer as { usage?: unknown; choices: readonly unknown[] };
  const ended = choices
    .filter(isObject)
    .map((choice) => ({ ...choice, finish_reason: choice.finish_reason ?? 'stop' }));
  const chunks: object[] = [{ ...rest, choices: ended }];
  if (typeof usage === 'object' && usage !== null) chunks.push({ ...rest, choices: [], usage });
  const events = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  return Buffer.from(`${events.join('')}data: [DONE]\n\n`);
}
