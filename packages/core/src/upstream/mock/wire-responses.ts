/** The Responses API of a mock, written apart from core's own translation so that neither hides the other's mistakes. */
import type { MockChoice, MockUsage } from './answer.ts';
import {
  asArray,
  asObject,
  asText,
  checkBody,
  type Json,
  type MockRefusal,
  type MockRequest,
  readContent,
  readFormat,
  refusal,
} from './request.ts';
import { callId, type Envelope, type MockEndpoint, type StreamEvent } from './wire.ts';

export const RESPONSES: MockEndpoint = {
  idPrefix: 'resp_',
  read,
  whole: (envelope) => JSON.stringify(responseBody(envelope, itemsOf(envelope))),
  events,
  usage: usageOf,
};

function usageOf({ prompt, completion, reasoning, cached }: MockUsage): object {
  return {
    input_tokens: prompt,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: completion,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: prompt + completion,
  };
}

// ── The request ──────────────────────────────────────────────────────────────────────────────────

function read(body: unknown): MockRequest | MockRefusal {
  const wrong = checkBody(body, ['max_output_tokens']);
  if (wrong !== null) return wrong;
  const json = body as Json;
  const input =
    typeof json.input === 'string'
      ? [{ role: 'user', content: json.input }]
      : asArray(json.input).map(asObject);
  if (input.length === 0) {
    return refusal(400, "Missing required parameter: 'input'.", null, 'input');
  }
  const contents = input.map((item) => readContent(item.content ?? item.output ?? item.arguments));
  const lastUser = input.findLastIndex((item) => 'role' in item && item.role === 'user');
  const last: Json = input.at(-1)!;
  const format = asObject(asObject(json.text).format);
  return {
    model: asText(json.model),
    streaming: json.stream === true,
    includeUsage: true,
    hasStreamOptions: json.stream_options !== undefined && json.stream_options !== null,
    texts: [asText(json.instructions), ...contents.map(({ text }) => text)],
    lastRole: last.type === 'function_call_output' ? 'tool' : asText(last.role),
    lastUserText: contents[lastUser]?.text ?? '',
    images: contents.reduce((sum, { images }) => sum + images, 0),
    choices: 1,
    plain: false,
    ids: 0,
    maxTokens: (json.max_output_tokens ?? null) as number | null,
    json: readFormat(format.type),
    schema: format.schema,
    tools: asArray(json.tools).map((tool) => {
      const { name, parameters } = asObject(tool);
      return { name: asText(name), parameters };
    }),
    toolChoice: readToolChoice(json.tool_choice),
    parallel: json.parallel_tool_calls !== false,
    toolsText: json.tools === undefined ? '' : JSON.stringify(json.tools),
  };
}

function readToolChoice(choice: unknown): MockRequest['toolChoice'] {
  if (choice === 'none' || choice === 'required') return choice;
  const name = asText(asObject(choice).name);
  return name === '' ? 'auto' : { name };
}

// ── The answer ───────────────────────────────────────────────────────────────────────────────────

interface Item {
  readonly type: string;
  readonly id: string;
  readonly [member: string]: unknown;
}

const bareId = ({ id }: Envelope): string => id.replace(/^resp_/, '');
const choiceOf = ({ answer }: Envelope): MockChoice => answer.choices[0]!;
const isCut = (envelope: Envelope): boolean => choiceOf(envelope).finishReason === 'length';

const textPart = (text: string): object => ({ type: 'output_text', text, annotations: [] });

function itemsOf(envelope: Envelope): Item[] {
  const { pieces, calls } = choiceOf(envelope);
  const status = isCut(envelope) ? 'incomplete' : 'completed';
  const id = bareId(envelope);
  if (calls.length > 0) {
    return calls.map(({ name, pieces: args }, nth) => ({
      type: 'function_call',
      id: `fc_${id}_${nth}`,
      call_id: callId(id, 0, nth),
      name,
      arguments: args.join(''),
      status,
    }));
  }
  const content = [textPart(pieces.join(''))];
  return [{ type: 'message', id: `msg_${id}`, role: 'assistant', status, content }];
}

function responseBody(envelope: Envelope, output: readonly Item[], status?: string): object {
  const { id, createdSecs, request, usage } = envelope;
  const cut = isCut(envelope);
  return {
    id,
    object: 'response',
    created_at: createdSecs,
    status: status ?? (cut ? 'incomplete' : 'completed'),
    error: null,
    incomplete_details: cut && status === undefined ? { reason: 'max_output_tokens' } : null,
    model: request.model,
    output,
    parallel_tool_calls: request.parallel,
    tool_choice: request.toolChoice,
    tools: [],
    store: true,
    usage: status === undefined ? usage : null,
  };
}

/** As OpenAI sends them: typed, numbered, each item opened and closed. */
function events(envelope: Envelope): StreamEvent[] {
  const events: StreamEvent[] = [];
  const total = envelope.answer.usage.completion;
  let said = 0;
  const emit = (event: string, fields: object, kind: StreamEvent['kind'] = 'delta'): void => {
    if (event.endsWith('.delta')) said++;
    const data = JSON.stringify({ type: event, sequence_number: events.length, ...fields });
    events.push({ kind, event, data, tokens: kind === 'done' ? total : Math.min(said, total) });
  };
  const begun = { response: responseBody(envelope, [], 'in_progress') };
  emit('response.created', begun);
  emit('response.in_progress', begun);
  const items = itemsOf(envelope);
  items.forEach((item, index) => {
    if (item.type === 'message') emitMessage(emit, item, index, choiceOf(envelope).pieces);
    else emitCall(emit, item, index, choiceOf(envelope).calls[index]!.pieces);
  });
  const last = isCut(envelope) ? 'response.incomplete' : 'response.completed';
  emit(last, { response: responseBody(envelope, items) }, 'done');
  return events;
}

type Emit = (event: string, fields: object) => void;

function emitMessage(emit: Emit, item: Item, index: number, pieces: readonly string[]): void {
  const at = { item_id: item.id, output_index: index, content_index: 0 };
  const text = pieces.join('');
  const open = { ...item, status: 'in_progress', content: [] };
  emit('response.output_item.added', { output_index: index, item: open });
  emit('response.content_part.added', { ...at, part: textPart('') });
  for (const delta of pieces) emit('response.output_text.delta', { ...at, delta });
  emit('response.output_text.done', { ...at, text });
  emit('response.content_part.done', { ...at, part: textPart(text) });
  emit('response.output_item.done', { output_index: index, item });
}

function emitCall(emit: Emit, item: Item, index: number, pieces: readonly string[]): void {
  const at = { item_id: item.id, output_index: index };
  const open = { ...item, status: 'in_progress', arguments: '' };
  emit('response.output_item.added', { output_index: index, item: open });
  for (const delta of pieces) emit('response.function_call_arguments.delta', { ...at, delta });
  emit('response.function_call_arguments.done', { ...at, arguments: item.arguments });
  emit('response.output_item.done', { output_index: index, item });
}
