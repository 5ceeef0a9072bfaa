/**
 * Chat chunks → the events of a Responses stream, in the order in which OpenAI sends them:
 *
 *   created ▸ in_progress ▸ per item: added ▸ per part: added ▸ delta … ▸ done ▸ done ▸ item done
 *   ▸ (the bill as a comment) ▸ completed | incomplete
 *
 * Words close before a call begins; calls stay open until the end, since chat does not say when one
 * is over. What a model thinks is not shown: a reasoning item that no seller can read again would be
 * sent back with the next request, by a reference that nobody can follow.
 */
import type { Broken } from '../stream/relay.ts';
import { isObject, type JsonObject } from '../stream/shapes.ts';
import { billComment } from '../stream/trailer.ts';
import type { StreamWriter, Tail } from '../stream/writer.ts';
import { argumentsOf, textsOf } from './chat-pieces.ts';
import type { AnswerOrder } from './dialect.ts';
import {
  type CallItem,
  type Item,
  incompleteReason,
  type MessageItem,
  type Part,
  type ResponseState,
  refusalPart,
  responseObject,
  responseUsage,
  type Status,
  textPart,
} from './response-object.ts';
import { brokenEvent } from './responses.ts';

interface OpenPart {
  readonly kind: 'text' | 'refusal';
  readonly pieces: string[];
}

interface OpenMessage {
  readonly type: 'message';
  readonly index: number;
  readonly id: string;
  readonly parts: Part[];
  part: OpenPart | null;
}

interface OpenCall {
  readonly type: 'function_call';
  readonly index: number;
  readonly id: string;
  readonly callId: string;
  readonly name: string;
  readonly pieces: string[];
}

/** As each kind of part is named in events and in the part itself. */
const PART_EVENTS = { text: 'response.output_text', refusal: 'response.refusal' } as const;
const partOf = ({ kind, pieces }: OpenPart): Part =>
  (kind === 'text' ? textPart : refusalPart)(pieces.join(''));

/**
 * Characters of an answer: all of it stands once more in the last event, so it waits in memory. More
 * than any model writes; each item counts as ITEM_CHARS on top.
 */
export const ANSWER_CHARS_MAX = 4 * 1024 * 1024;
const ITEM_CHARS = 1_024;
const TOO_LONG: Broken = {
  kind: 'broken',
  message: `the answer is longer than the ${ANSWER_CHARS_MAX} characters that can be translated`,
  timedOut: false,
};

export function createResponseScript(order: AnswerOrder): StreamWriter {
  const items: Item[] = [];
  /** By the index that chat gives them. */
  const calls = new Map<number, OpenCall>();
  let message: OpenMessage | null = null;
  let nextIndex = 0;
  let sequence = 0;
  let model: string | null = null;
  let finishReason: string | undefined;
  let out: string[] = [];
  let chars = 0;

  function emit(type: string, fields: object): void {
    const event = { type, sequence_number: sequence++, ...fields };
    out.push(`event: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
  }

  function flush(): Buffer | null {
    if (out.length === 0) return null;
    const bytes = Buffer.from(out.join(''));
    out = [];
    return bytes;
  }

  function response(state: Omit<ResponseState, 'model'>): object {
    return responseObject(order, { ...state, model: model ?? order.request.model });
  }

  function begin(): void {
    if (sequence > 0) return;
    const begun = response({ status: 'in_progress', incomplete: null, output: [], usage: null });
    emit('response.created', { response: begun });
    emit('response.in_progress', { response: begun });
  }

  // ── Words ──────────────────────────────────────────────────────────────────────────────────────

  function say(kind: OpenPart['kind'], text: string): void {
    message ??= openMessage();
    if (message.part !== null && message.part.kind !== kind) closePart(message);
    message.part ??= openPart(message, kind);
    message.part.pieces.push(text);
    chars += text.length;
    const at = placeOf(message);
    const logprobs = kind === 'text' ? { logprobs: [] } : {};
    emit(`${PART_EVENTS[kind]}.delta`, { ...at, delta: text, ...logprobs });
  }

  function openMessage(): OpenMessage {
    const index = nextIndex++;
    chars += ITEM_CHARS;
    const opened: OpenMessage = {
      type: 'message',
      index,
      id: `msg_${order.id}${index}`,
      parts: [],
      part: null,
    };
    const item = messageItem(opened, 'in_progress');
    emit('response.output_item.added', { output_index: index, item });
    return opened;
  }

  function openPart(of: OpenMessage, kind: OpenPart['kind']): OpenPart {
    const part: OpenPart = { kind, pieces: [] };
    emit('response.content_part.added', { ...placeOf(of), part: partOf(part) });
    return part;
  }

  function closePart(of: OpenMessage): void {
    if (of.part === null) return;
    const part = partOf(of.part);
    const at = placeOf(of);
    const whole = of.part.pieces.join('');
    if (of.part.kind === 'text') {
      emit('response.output_text.done', { ...at, text: whole, logprobs: [] });
    } else emit('response.refusal.done', { ...at, refusal: whole });
    emit('response.content_part.done', { ...at, part });
    of.parts.push(part);
    of.part = null;
  }

  function closeMessage(status: Status): void {
    if (message === null) return;
    closePart(message);
    finishItem(message.index, messageItem(message, status));
    message = null;
  }

  function finishItem(index: number, item: Item): void {
    items[index] = item;
    emit('response.output_item.done', { output_index: index, item });
  }

  // ── Calls ──────────────────────────────────────────────────────────────────────────────────────

  function call(delta: unknown, position: number): void {
    if (!isObject(delta)) return;
    const given = isObject(delta.function) ? delta.function : {};
    const at = Number.isInteger(delta.index) ? (delta.index as number) : position;
    const open = calls.get(at) ?? openCall(at, delta.id, given.name);
    const piece = argumentsOf(given.arguments);
    if (piece === '') return;
    open.pieces.push(piece);
    chars += piece.length;
    emit('response.function_call_arguments.delta', {
      item_id: open.id,
      output_index: open.index,
      delta: piece,
    });
  }

  function openCall(at: number, id: unknown, name: unknown): OpenCall {
    closeMessage('completed');
    const index = nextIndex++;
    chars += ITEM_CHARS;
    const opened: OpenCall = {
      type: 'function_call',
      index,
      id: `fc_${order.id}${index}`,
      callId: typeof id === 'string' && id !== '' ? id : `call_${order.id}${index}`,
      name: typeof name === 'string' ? name : '',
      pieces: [],
    };
    calls.set(at, opened);
    emit('response.output_item.added', {
      output_index: index,
      item: callItem(opened, 'in_progress'),
    });
    return opened;
  }

  function closeCall(open: OpenCall, status: Status): void {
    const item = callItem(open, status);
    emit('response.function_call_arguments.done', {
      item_id: open.id,
      output_index: open.index,
      name: open.name,
      arguments: item.arguments,
    });
    finishItem(open.index, item);
  }

  // ── The end ────────────────────────────────────────────────────────────────────────────────────

  function finish({ relayed, bill }: Tail): void {
    begin();
    const incomplete = incompleteReason(finishReason);
    const status = incomplete === null ? 'completed' : 'incomplete';
    closeMessage(status);
    for (const open of calls.values()) closeCall(open, status);
    const usage = responseUsage(bill, relayed.meter.usage);
    emit(`response.${status}`, {
      response: response({ status, incomplete, output: items, usage }),
    });
  }

  return {
    pass(_event, json) {
      const chunk = isObject(json) ? json : {};
      if (typeof chunk.model === 'string') model ??= chunk.model;
      begin();
      const choice = firstChoice(chunk.choices);
      if (typeof choice.finish_reason === 'string') finishReason = choice.finish_reason;
      const delta = isObject(choice.delta) ? choice.delta : {};
      for (const text of textsOf(delta.content)) say('text', text);
      for (const text of textsOf(delta.refusal)) say('refusal', text);
      if (Array.isArray(delta.tool_calls)) delta.tool_calls.forEach(call);
      return chars > ANSWER_CHARS_MAX ? TOO_LONG : flush();
    },
    end(tail) {
      const { end, hasIds } = tail.relayed;
      if (end.kind !== 'broken') finish(tail);
      const last =
        end.kind === 'broken' ? brokenEvent(end, sequence) : Buffer.from(out.pop() ?? '');
      const comment = tail.wantsComment ? [billComment(tail.bill, hasIds)] : [];
      return Buffer.concat([flush() ?? Buffer.alloc(0), ...comment, last]);
    },
  };
}

const placeOf = ({ id, index, parts }: OpenMessage): object => ({
  item_id: id,
  output_index: index,
  content_index: parts.length,
});

const messageItem = ({ id, parts }: OpenMessage, status: Status): MessageItem => ({
  id,
  type: 'message',
  role: 'assistant',
  status,
  content: [...parts],
});

const callItem = (open: OpenCall, status: Status): CallItem => ({
  id: open.id,
  type: 'function_call',
  call_id: open.callId,
  name: open.name,
  arguments: open.pieces.join(''),
  status,
});

/** Only one choice is ever asked for. */
function firstChoice(choices: unknown): JsonObject {
  const list = Array.isArray(choices) ? choices.filter(isObject) : [];
  return list.find(({ index }) => index === undefined || index === 0) ?? {};
}
