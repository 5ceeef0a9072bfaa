/** The objects of the Responses API that core writes itself, for answers that came as chat. */
import type { ApiRequest } from '../openai/api-request.ts';
import { isObject } from '../openai/json-object.ts';
import { normalizeUsage } from '../openai/usage.ts';
import type { Bill } from '../stream/trailer.ts';
import type { AnswerOrder } from './dialect.ts';

export type Item = MessageItem | CallItem;

export interface MessageItem {
  readonly type: 'message';
  readonly id: string;
  readonly role: 'assistant';
  readonly status: Status;
  readonly content: readonly Part[];
}

export interface CallItem {
  readonly type: 'function_call';
  readonly id: string;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
  readonly status: Status;
}

export type Part =
  | {
      readonly type: 'output_text';
      readonly text: string;
      readonly annotations: readonly never[];
      readonly logprobs: readonly never[];
    }
  | { readonly type: 'refusal'; readonly refusal: string };

export type Status = 'in_progress' | 'completed' | 'incomplete';

export const textPart = (text: string): Part => ({
  type: 'output_text',
  text,
  annotations: [],
  logprobs: [],
});
export const refusalPart = (refusal: string): Part => ({ type: 'refusal', refusal });

/** What chat calls a call; `id` is that of the answer, and `index` the item's place in it. */
export function callItem(
  { id, index }: { readonly id: string; readonly index: number },
  call: { readonly id: unknown; readonly name: unknown; readonly arguments: string },
  status: Status,
): CallItem {
  return {
    type: 'function_call',
    id: `fc_${id}${index}`,
    call_id: typeof call.id === 'string' && call.id !== '' ? call.id : `call_${id}${index}`,
    name: typeof call.name === 'string' ? call.name : '',
    arguments: call.arguments,
    status,
  };
}

/** How an answer ended, by chat's finish reason. */
export function endOf(finish: unknown): Pick<ResponseState, 'status' | 'incomplete'> {
  if (finish === 'length') return { status: 'incomplete', incomplete: 'max_output_tokens' };
  if (finish === 'content_filter') return { status: 'incomplete', incomplete: 'content_filter' };
  return { status: 'completed', incomplete: null };
}

export interface ResponseState {
  readonly model: string;
  readonly status: Status;
  readonly incomplete: string | null;
  readonly output: readonly Item[];
  readonly usage: object | null;
}

/** A response with everything that OpenAI's SDKs expect to find; it says what was asked, as theirs does. */
export function responseObject(order: AnswerOrder, state: ResponseState): object {
  const { request, id, createdSecs } = order;
  const { body } = request;
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: createdSecs,
    status: state.status,
    background: false,
    error: null,
    incomplete_details: state.incomplete === null ? null : { reason: state.incomplete },
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    metadata: body.metadata ?? {},
    model: state.model,
    output: state.output,
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null, ...(isObject(body.reasoning) ? body.reasoning : {}) },
    service_tier: body.service_tier ?? 'default',
    // It cannot be fetched, and its items are remembered for a while at best.
    store: false,
    temperature: body.temperature ?? null,
    text: { format: { type: 'text' }, ...(isObject(body.text) ? body.text : {}) },
    tool_choice: body.tool_choice ?? 'auto',
    tools: toolsOf(request),
    top_p: body.top_p ?? null,
    truncation: body.truncation ?? 'disabled',
    usage: state.usage,
    user: body.user ?? null,
  };
}

/** As a client would send them itself: ids and states mean nothing to whoever reads them then. */
export function rememberItems({ remember }: AnswerOrder, items: readonly Item[]): void {
  for (const { id, status: _, ...item } of items) remember(id, item);
}

const toolsOf = ({ body }: ApiRequest): readonly unknown[] =>
  Array.isArray(body.tools) ? body.tools : [];

/** As it was billed: by the provider's word, or by our own count. */
export function responseUsage(bill: Bill, reported: unknown): object | null {
  const usage = normalizeUsage(bill.estimated ? bill.usage : reported);
  if (usage === null) return null;
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedInputTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}
