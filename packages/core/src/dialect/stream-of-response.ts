/**
 * A whole response as the stream that was asked for, for servers that ignore `stream: true`: each
 * item and each part in one piece, with the events that OpenAI's SDKs put an answer together from.
 */
import { isObject, type JsonObject } from '../openai/json-object.ts';
import { createEventLog, type EventLog } from './event-log.ts';

/** `answer`: JSON that the meter has called whole. */
export function streamOfResponse(answer: unknown): Buffer {
  const response = answer as JsonObject;
  const { emit, flush } = createEventLog();
  const begun = { response: { ...response, status: 'in_progress', output: [], usage: null } };
  emit('response.created', begun);
  emit('response.in_progress', begun);
  const items = Array.isArray(response.output) ? response.output : [];
  for (const [index, item] of items.entries()) {
    if (!isObject(item)) continue;
    emit('response.output_item.added', { output_index: index, item: opened(item) });
    emitInside(emit, item, { item_id: item.id, output_index: index });
    emit('response.output_item.done', { output_index: index, item });
  }
  const status = response.status === 'incomplete' ? 'incomplete' : 'completed';
  emit(`response.${status}`, { response });
  return flush() ?? Buffer.alloc(0);
}

function opened(item: JsonObject): JsonObject {
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] };
  if (item.type === 'function_call') return { ...item, status: 'in_progress', arguments: '' };
  return item;
}

function emitInside(emit: EventLog['emit'], item: JsonObject, at: object): void {
  if (item.type === 'function_call') {
    emit('response.function_call_arguments.delta', { ...at, delta: item.arguments });
    emit('response.function_call_arguments.done', { ...at, arguments: item.arguments });
  }
  if (item.type !== 'message' || !Array.isArray(item.content)) return;
  for (const [index, part] of item.content.entries()) {
    if (!isObject(part)) continue;
    const place = { ...at, content_index: index };
    const isText = part.type === 'output_text';
    const [event, key] = isText ? ['output_text', 'text'] : ['refusal', 'refusal'];
    emit('response.content_part.added', { ...place, part: { ...part, [key!]: '' } });
    const logprobs = isText ? { logprobs: [] } : {};
    emit(`response.${event}.delta`, { ...place, delta: part[key!], ...logprobs });
    emit(`response.${event}.done`, { ...place, [key!]: part[key!], ...logprobs });
    emit('response.content_part.done', { ...place, part });
  }
}
