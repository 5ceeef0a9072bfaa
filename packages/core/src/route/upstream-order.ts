/** What one candidate is sent for a request, in the dialect that it understands. Pure. */
import type { ChatRequest } from '../openai/chat-request.ts';
import { type BodyChanges, type BoundKey, upstreamBody } from '../openai/rewrite-body.ts';
import type { AttemptOrder, Dialect } from './attempt.ts';
import type { Candidate } from './choose.ts';

type UpstreamOrder = Pick<AttemptOrder, 'candidate' | 'body' | 'boundKey' | 'streaming' | 'n'>;

export function upstreamOrder(request: ChatRequest, candidate: Candidate): UpstreamOrder {
  const { stream: streaming, n } = request;
  const boundKey = candidate.sendBoundAs ?? callersBoundKey(request);
  return {
    candidate,
    streaming,
    n,
    boundKey,
    body: (dialect) =>
      upstreamBody(request, {
        // A virtual model's candidates have names of their own.
        model: candidate.offer.model,
        ...boundChanges(candidate, boundKey, dialect),
        ...(dialect.plain ? { includeUsage: false } : streaming ? { includeUsage: true } : {}),
      }),
  };
}

function boundChanges(
  { sendBoundAs, outputBound }: Candidate,
  boundKey: BoundKey | null,
  { otherBound }: Dialect,
): BodyChanges {
  if (sendBoundAs !== null && outputBound !== null) {
    const key = otherBound ? otherKey(sendBoundAs) : sendBoundAs;
    return { maxTokens: { key, value: outputBound } };
  }
  if (!otherBound || boundKey === null) return {};
  return { respellBound: { from: boundKey, to: otherKey(boundKey) } };
}

const otherKey = (key: BoundKey): BoundKey =>
  key === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';

/** Null where the caller gave none, or both: then there is no other name to try. */
function callersBoundKey({ body }: ChatRequest): BoundKey | null {
  const hasOld = body.max_tokens !== undefined;
  const hasNew = body.max_completion_tokens !== undefined;
  if (hasOld === hasNew) return null;
  return hasOld ? 'max_tokens' : 'max_completion_tokens';
}
