/** Chat completions: bytes pass as they are, and `[DONE]` ends a stream. */
import type { ApiRequest } from '../openai/api-request.ts';
import { openaiError } from '../openai/error-body.ts';
import { isOpenAiReasoningModel } from '../openai/model-family.ts';
import { type ChatBoundKey, upstreamBody } from '../openai/rewrite-body.ts';
import { streamOfWhole } from '../stream/from-whole.ts';
import { createMeter } from '../stream/meter.ts';
import { brokenStream } from '../stream/tail.ts';
import { billComment, DONE_EVENT, errorEvent, usageEvent, withBill } from '../stream/trailer.ts';
import type { StreamWriter, Tail } from '../stream/writer.ts';
import type { AnswerOrder, Dialect } from './dialect.ts';

export const CHAT: Dialect = {
  endpoint: 'chat',
  // Everybody but OpenAI's reasoning models knows the older name.
  boundKey: (model) => (isOpenAiReasoningModel(model) ? 'max_completion_tokens' : 'max_tokens'),
  callersBoundKey,
  otherBoundKey: (key) => (key === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens'),
  body: upstreamBody,
  newMeter: ({ n }) => createMeter(n),
  streamOfWhole: unlessTooDeep(streamOfWhole),
  whole: (_order, bytes) => bytes,
  newWriter: (order) => choicesWriter(order, 'chat.completion.chunk', `chatcmpl-${order.id}`),
};

/** Null where the caller gave none, or both: then there is no other name to try. */
function callersBoundKey({ body }: ApiRequest): ChatBoundKey | null {
  const hasOld = body.max_tokens !== undefined;
  const hasNew = body.max_completion_tokens !== undefined;
  if (hasOld === hasNew) return null;
  return hasOld ? 'max_tokens' : 'max_completion_tokens';
}

/** JSON.stringify recurses, so what JSON.parse took may be too deep for it. */
export function unlessTooDeep(make: (answer: unknown) => Buffer) {
  return (answer: unknown): Buffer | null => {
    try {
      return make(answer);
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  };
}

/**
 * Of streams with `choices`. A whole one ends with the usage chunk for a caller that asked, the bill
 * as a comment, and the one end mark. A broken one with the error, and no end mark.
 */
export function choicesWriter(order: AnswerOrder, object: string, id: string): StreamWriter {
  const { request, createdSecs } = order;

  function usageChunk({ relayed, bill }: Tail): Buffer {
    if (relayed.usageEvent !== null) return withBill(relayed.usageEvent, bill);
    const { identity } = relayed.meter;
    return usageEvent({
      object,
      id: identity.id ?? id,
      created: identity.created ?? createdSecs,
      model: identity.model ?? request.model,
      usage: bill.usage,
      arbstr: bill,
    });
  }

  return {
    pass: ({ raw }) => raw,
    end(tail) {
      const { relayed, bill, wantsComment } = tail;
      const { end, hasIds } = relayed;
      const comment = wantsComment ? [billComment(bill, hasIds)] : [];
      if (end.kind === 'broken') {
        const error = errorEvent(openaiError(brokenStream(end.message, end.timedOut)));
        return Buffer.concat([...comment, error]);
      }
      const usage = request.includeUsage === 'asked' ? [usageChunk(tail)] : [];
      return Buffer.concat([...usage, ...comment, DONE_EVENT]);
    },
  };
}
