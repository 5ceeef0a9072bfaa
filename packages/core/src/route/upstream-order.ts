/** What one candidate is sent for a request, in the words that it understands. Pure. */
import type { ApiRequest } from '../openai/api-request.ts';
import type { BodyChanges } from '../openai/rewrite-body.ts';
import type { AttemptOrder, Spelling } from './attempt.ts';
import type { Candidate } from './choose.ts';

type UpstreamOrder = Pick<AttemptOrder, 'candidate' | 'request' | 'body' | 'boundKey'>;

type Respelling = NonNullable<BodyChanges['respellBound']>;

export function upstreamOrder(request: ApiRequest, candidate: Candidate): UpstreamOrder {
  const { dialect, sendBoundAs } = candidate;
  const from = sendBoundAs ?? dialect.callersBoundKey(request);
  const to = from === null ? null : dialect.otherBoundKey(from);
  const respelling = from === null || to === null ? null : { from, to };
  return {
    candidate,
    request,
    boundKey: respelling?.from ?? null,
    body: (spelling) =>
      dialect.body(request, {
        // A virtual model's candidates have names of their own.
        model: candidate.offer.model,
        ...boundChanges(candidate, respelling, spelling),
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
  respelling: Respelling | null,
  { otherBound }: Spelling,
): BodyChanges {
  if (sendBoundAs !== null && outputBound !== null) {
    const key = otherBound && respelling !== null ? respelling.to : sendBoundAs;
    return { maxTokens: { key, value: outputBound } };
  }
  return otherBound && respelling !== null ? { respellBound: respelling } : {};
}
