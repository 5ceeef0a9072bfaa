/**
 * A whole completion as the stream that was asked for. Some servers ignore `stream: true` (a gateway
 * that cannot stream this model, a proxy that buffers). The answer is there, complete and charged by
 * the provider: failing it would cost the caller a second wait and the operator a second prompt, and
 * an SDK that iterates over a stream cannot read a JSON body. So it becomes one chunk per choice,
 * then usage, then the end mark.
 */
import { isObject, type JsonObject } from '../openai/json-object.ts';

/** `completion`: JSON that the meter has called a completion. */
export function streamOfWhole(completion: unknown): Buffer {
  const { choices, usage, object: _, ...rest } = completion as JsonObject & { choices: unknown[] };
  const envelope = { ...rest, object: 'chat.completion.chunk' };
  const chunks: object[] = choices.flatMap((choice, position) =>
    isObject(choice) ? chunksOf(envelope, choice, position) : [],
  );
  if (isObject(usage)) chunks.push({ ...envelope, choices: [], usage });
  const events = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
  return Buffer.from(`${events.join('')}data: [DONE]\n\n`);
}

function chunksOf(envelope: object, choice: JsonObject, position: number): object[] {
  const { message, finish_reason: finish, index, ...rest } = choice;
  const at = Number.isInteger(index) ? index : position;
  return [
    {
      ...envelope,
      choices: [{ ...rest, index: at, delta: deltaOf(message), finish_reason: null }],
    },
    // The body is whole, so the choice has ended, whether the provider says how or not.
    { ...envelope, choices: [{ index: at, delta: {}, finish_reason: finish ?? 'stop' }] },
  ];
}

/** Only streams number their tool calls. */
function deltaOf(message: unknown): JsonObject {
  if (!isObject(message)) return {};
  const { tool_calls: calls } = message;
  if (!Array.isArray(calls)) return message;
  return {
    ...message,
    tool_calls: calls.map((call, index) => (isObject(call) ? { index, ...call } : call)),
  };
}
