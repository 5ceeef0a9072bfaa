/**
 * The Responses API at a provider that has only chat. The provider is sent a chat request and metered
 * as one, so that all that holds for chat holds here; only what the caller sees is written anew.
 */
import type { ApiRequest } from '../openai/api-request.ts';
import { argumentsOf, isObject, type JsonObject } from '../openai/json-object.ts';
import { parseJson } from '../stream/judge-event.ts';
import type { Bill } from '../stream/trailer.ts';
import { CHAT } from './chat.ts';
import { textsOf } from './chat-pieces.ts';
import type { AnswerOrder, Dialect } from './dialect.ts';
import {
  callItem,
  endOf,
  type Item,
  type Part,
  refusalPart,
  rememberItems,
  responseObject,
  responseUsage,
  type Status,
  textPart,
} from './response-object.ts';
import { createResponseScript } from './response-script.ts';

export const RESPONSES_OVER_CHAT: Dialect = {
  ...CHAT,
  callersBoundKey: (request) => CHAT.callersBoundKey(chatOf(request)),
  body: (request, changes) => CHAT.body(chatOf(request), changes),
  whole: (order, bytes, bill) =>
    Buffer.from(JSON.stringify(responseOf(order, parseJson(bytes), bill))),
  newWriter: createResponseScript,
};

function chatOf({ asChat }: ApiRequest): ApiRequest {
  const chat = asChat?.();
  if (chat === undefined || 'untranslatable' in chat) {
    throw new Error('a request without a chat form was sent to a chat provider');
  }
  return chat;
}

/** `completion`: JSON that the meter has called a completion. */
function responseOf(order: AnswerOrder, completion: unknown, bill: Bill): object {
  const body = isObject(completion) ? completion : {};
  const choice = firstOf(body.choices);
  const end = endOf(choice.finish_reason);
  const output = itemsOf(order.id, isObject(choice.message) ? choice.message : {}, end.status);
  rememberItems(order, output);
  return responseObject(order, {
    model: typeof body.model === 'string' ? body.model : order.request.model,
    ...end,
    output,
    usage: responseUsage(bill, body.usage),
  });
}

function itemsOf(id: string, message: JsonObject, status: Status): Item[] {
  const content: Part[] = [
    ...textsOf(message.content).map(textPart),
    ...textsOf(message.refusal).map(refusalPart),
  ];
  const said: Item[] =
    content.length === 0
      ? []
      : [{ type: 'message', id: `msg_${id}0`, role: 'assistant', status, content }];
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls : [];
  return [...said, ...calls.map((call, nth) => itemOf(id, said.length + nth, call, status))];
}

function itemOf(id: string, index: number, call: unknown, status: Status): Item {
  const { id: callId, function: given } = isObject(call) ? call : {};
  const { name, arguments: args } = isObject(given) ? given : {};
  return callItem({ id, index }, { id: callId, name, arguments: argumentsOf(args) }, status);
}

function firstOf(choices: unknown): JsonObject {
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  return isObject(choice) ? choice : {};
}
