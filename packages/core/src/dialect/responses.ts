/** The Responses API at a provider that has it: bytes pass as they are, and its last event ends a stream. */
import type { ApiRequest } from '../openai/api-request.ts';
import { isObject } from '../openai/json-object.ts';
import { type BodyChanges, upstreamBody } from '../openai/rewrite-body.ts';
import type { Broken } from '../stream/relay.ts';
import { createResponseMeter } from '../stream/response-meter.ts';
import { brokenStream } from '../stream/tail.ts';
import { billComment } from '../stream/trailer.ts';
import type { StreamWriter } from '../stream/writer.ts';
import { unlessTooDeep } from './chat.ts';
import type { Dialect } from './dialect.ts';
import { streamOfResponse } from './stream-of-response.ts';

export const RESPONSES: Dialect = {
  endpoint: 'responses',
  boundKey: () => 'max_output_tokens',
  callersBoundKey: () => null,
  otherBoundKey: () => null,
  body,
  newMeter: createResponseMeter,
  streamOfWhole: unlessTooDeep(streamOfResponse),
  whole: (_order, bytes) => bytes,
  newWriter,
};

/** Usage comes unasked here; other stream options go where a provider has refused them by name. */
function body(request: ApiRequest, { includeUsage, ...changes }: BodyChanges): Buffer {
  return upstreamBody(request, includeUsage === false ? { ...changes, includeUsage } : changes);
}

function newWriter(): StreamWriter {
  let sequence = -1;
  return {
    pass({ raw }, json) {
      if (isObject(json) && Number.isSafeInteger(json.sequence_number)) {
        sequence = json.sequence_number as number;
      }
      return raw;
    },
    end({ relayed, bill, wantsComment }) {
      const comment = wantsComment ? [billComment(bill, relayed.hasIds)] : [];
      const last =
        relayed.end.kind === 'broken'
          ? brokenEvent(relayed.end, sequence + 1)
          : (relayed.endEvent?.raw ?? Buffer.alloc(0));
      return Buffer.concat([...comment, last]);
    },
  };
}

/**
 * `event: error` as OpenAI sends it, with its members a second time as `error`: its Python SDK raises
 * for the one, its Node SDK for the other, and no SDK takes either for the end of an answer.
 */
export function brokenEvent({ message, timedOut }: Broken, sequence: number): Buffer {
  const error = { ...brokenStream(message, timedOut), param: null };
  const event = { ...error, type: 'error', sequence_number: sequence, error };
  return Buffer.from(`event: error\ndata: ${JSON.stringify(event)}\n\n`);
}
