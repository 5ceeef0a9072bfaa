/** What one candidate is sent for a request, in the words that it understands. Pure. */
import type { ApiRequest } from '../openai/api-request.ts';
import type { BodyChanges, BoundKey, ChatBoundKey } from '../openai/rewrite-body.ts';
import type { AttemptOrder, Spelling } from './attempt.ts';
import type { Candidate } from './choose.ts';

type UpstreamOrder = Pick<AttemptOrder, 'candidate' | 'request' | 'body' | 'boundKey'>;

export function upstreamOrder(request: ApiRequest, candidate: Candidate): UpstreamOrder {
  const { dialect, sendBoundAs } = candidate;
  const boundKey = sendBoundAs === null ? dialect.callersBoundKey(request) : inChat(sendBoundAs);
  return {
    candidate,
    request,
    boundKey,
    body: (spelling) =>
      dialect.body(request, {
        // A virtual model's candidates have names of their own.
        model: candidate.offer.model,
        ...boundChanges(candidate, boundKey, spelling),
        ...(spelling.plain
          ? { includeUsage: false }
          : request.stream
            ? { includeUsage: true }
            : {}),
      }),
  };
}

function boundChanges(
  { sendBoundAs, outputBound }: Candidate,
  boundKey: ChatBoundKey | null,
  { otherBound }: Spelling,
): BodyChanges {
  if (sendBoundAs !== null && outputBound !== null) {
    const key = otherBound && boundKey !== null ? otherKey(boundKey) : sendBoundAs;
    return { maxTokens: { key, value: outputBound } };
  }
  if (!otherBound || boundKey === null) return {};
  return { respellBound: { from: boundKey, to: otherKey(boundKey) } };
}

/** Only chat has two names for it. */
const inChat = (key: BoundKey): ChatBoundKey | null => (key === 'max_output_tokens' ? null : key);

const otherKey = (key: ChatBoundKey): ChatBoundKey =>
  key === 'max_tokens' ? 'max_completion_tokens' : 'max_tokens';
