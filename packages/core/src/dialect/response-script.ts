/**
 * Chat chunks → the events of a Responses stream, in the order in which OpenAI sends them:
 *
 *   created ▸ in_progress ▸ per item: added ▸ per part: added ▸ delta … ▸ done ▸ done ▸ item done
 *   ▸ (the bill as a comment) ▸ completed | incomplete
 *
 * Words close before a call begins. What a model thinks is not shown: a reasoning item that no seller
 * can read again would be sent back with the next request, by a reference that nobody can follow.
 */
import { isObject, type JsonObject } from '../openai/json-object.ts';
import type { Broken } from '../stream/relay.ts';
import { billComment } from '../stream/trailer.ts';
import type { StreamWriter, Tail } from '../stream/writer.ts';
import { textsOf } from './chat-pieces.ts';
import type { AnswerOrder } from './dialect.ts';
import { createEventLog } from './event-log.ts';
import { createCalls } from './response-calls.ts';
import {
  endOf,
  type Item,
  type ResponseState,
  rememberItems,
  responseObject,
  responseUsage,
} from './response-object.ts';
import { createWords } from './response-words.ts';
import { brokenEvent } from './responses.ts';

/**
 * Characters of an answer: all of it stands once more in the last event, so it waits in memory. More
 * than any model writes.
 */
export const ANSWER_CHARS_MAX = 4 * 1024 * 1024;
const TOO_LONG: Broken = {
  kind: 'broken',
  message: `the answer is longer than the ${ANSWER_CHARS_MAX} characters that can be translated`,
  timedOut: false,
};

export function createResponseScript(order: AnswerOrder): StreamWriter {
  const log = createEventLog();
  const words = createWords(log, order.id);
  const calls = createCalls(log, order.id, () => words.close('completed'));
  let model: string | null = null;
  let finishReason: string | undefined;

  function response(state: Omit<ResponseState, 'model'>): object {
    return responseObject(order, { ...state, model: model ?? order.request.model });
  }

  function begin(): void {
    if (log.sequence > 0) return;
    const begun = response({ status: 'in_progress', incomplete: null, output: [], usage: null });
    log.emit('response.created', { response: begun });
    log.emit('response.in_progress', { response: begun });
  }

  function finish({ relayed, bill }: Tail): void {
    begin();
    const end = endOf(finishReason);
    words.close(end.status);
    calls.close(end.status);
    const usage = responseUsage(bill, relayed.meter.usage);
    log.emit(`response.${end.status}`, {
      response: response({ ...end, output: log.items, usage }),
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
      for (const text of textsOf(delta.content)) words.say('text', text);
      for (const text of textsOf(delta.refusal)) words.say('refusal', text);
      if (Array.isArray(delta.tool_calls)) delta.tool_calls.forEach(calls.take);
      return log.chars > ANSWER_CHARS_MAX ? TOO_LONG : log.flush();
    },
    end(tail) {
      const { end, hasIds } = tail.relayed;
      const comment = tail.wantsComment ? [billComment(tail.bill, hasIds)] : [];
      const error = end.kind === 'broken' ? brokenEvent(end, log.sequence) : null;
      const shown = log.flush() ?? Buffer.alloc(0);
      finish(tail);
      // Half an answer is part of the conversation, too: somebody pressed stop, and asks on. Half a
      // call is none.
      const isWhole = end.kind === 'whole';
      rememberItems(order, isWhole ? log.items : log.items.filter(isMessage));
      if (error !== null) return Buffer.concat([shown, ...comment, error]);
      const last = log.takeLast();
      return Buffer.concat([shown, log.flush() ?? Buffer.alloc(0), ...comment, last]);
    },
  };
}

const isMessage = ({ type }: Item): boolean => type === 'message';

/** Only one choice is ever asked for. */
function firstChoice(choices: unknown): JsonObject {
  const list = Array.isArray(choices) ? choices.filter(isObject) : [];
  return list.find(({ index }) => index === undefined || index === 0) ?? {};
}
