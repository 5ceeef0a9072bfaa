/** The bodies of OpenAI's chat completions: whole, in chunks, and as errors. */
import type { MockAnswer, MockChoice, MockUsage } from './answer.ts';
import { type MockRefusal, type MockRequest, readChat } from './request.ts';

export interface Envelope {
  readonly id: string;
  readonly createdSecs: number;
  readonly request: MockRequest;
  readonly answer: MockAnswer;
  /** As reported, whatever was counted; null = not at all. */
  readonly usage: object | null;
}

/** One data event of a stream. */
export interface StreamEvent {
  readonly kind: 'delta' | 'usage' | 'done';
  /** Its type, where the endpoint names them. */
  readonly event?: string;
  readonly data: string;
  /** Output tokens so far, all choices. */
  readonly tokens: number;
}

/** How an endpoint is read and answered. */
export interface MockEndpoint {
  /** Begins the ids of its answers. */
  readonly idPrefix: string;
  read(body: unknown): MockRequest | MockRefusal;
  whole(envelope: Envelope): string;
  /** In order. `usageSoFar`: in every chunk, as some do. */
  events(envelope: Envelope, usageSoFar: ((tokens: number) => object) | null): StreamEvent[];
  usage(usage: MockUsage): object;
}

export function usageBody({ prompt, completion, reasoning, cached }: MockUsage): object {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoning, audio_tokens: 0 },
  };
}

export function errorBody(
  status: number,
  message: string,
  code: string | null = null,
  param: string | null = null,
): string {
  const types: Record<number, string> = {
    401: 'authentication_error',
    403: 'permission_error',
    429: 'rate_limit_error',
  };
  const type = types[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  return JSON.stringify({ error: { message, type, param, code } });
}

function completionBody({ id, createdSecs, request, answer, usage }: Envelope): string {
  return JSON.stringify({
    id,
    object: 'chat.completion',
    created: createdSecs,
    model: request.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: {
        role: 'assistant',
        content: choice.calls.length > 0 ? null : choice.pieces.join(''),
        refusal: null,
        ...(choice.calls.length > 0 && {
          tool_calls: choice.calls.map(({ name, pieces }, nth) => ({
            id: callId(id, index, nth),
            type: 'function',
            function: { name, arguments: pieces.join('') },
          })),
        }),
      },
      logprobs: null,
      finish_reason: choice.finishReason,
    })),
    ...(usage !== null && { usage }),
    system_fingerprint: 'fp_mock',
  });
}

/** The chunks of a stream in order; choices take turns. `usageSoFar`: in every chunk, as some do. */
function streamEvents(
  envelope: Envelope,
  usageSoFar: ((tokens: number) => object) | null,
): StreamEvent[] {
  const { id, createdSecs, request, answer, usage } = envelope;
  const events: StreamEvent[] = [];
  const total = answer.usage.completion;
  const turns = answer.choices.map((choice, index) => choiceDeltas(id, choice, index));
  const rounds = Math.max(...turns.map((deltas) => deltas.length));
  let said = 0;
  const chunk = (choices: readonly object[], extra: object): string =>
    JSON.stringify({
      id,
      object: 'chat.completion.chunk',
      created: createdSecs,
      model: request.model,
      system_fingerprint: 'fp_mock',
      choices,
      ...extra,
    });
  for (let round = 0; round < rounds; round++) {
    for (const deltas of turns) {
      const delta = deltas[round];
      if (delta === undefined) continue;
      said++;
      const last = said === turns.reduce((sum, all) => sum + all.length, 0);
      const tokens = last ? total : Math.min(said, total);
      const absent = request.includeUsage && usage !== null ? { usage: null } : {};
      const extra = usageSoFar === null ? absent : { usage: usageSoFar(tokens) };
      events.push({ kind: 'delta', data: chunk([delta], extra), tokens });
    }
  }
  if (request.includeUsage && usage !== null) {
    events.push({ kind: 'usage', data: chunk([], { usage }), tokens: total });
  }
  events.push({ kind: 'done', data: '[DONE]', tokens: total });
  return events;
}

function choiceDeltas(id: string, choice: MockChoice, index: number): object[] {
  const delta = (content: object, finish: string | null = null): object => ({
    index,
    delta: content,
    logprobs: null,
    finish_reason: finish,
  });
  const calls = choice.calls.flatMap(({ name, pieces }, nth) => [
    delta({
      tool_calls: [
        {
          index: nth,
          id: callId(id, index, nth),
          type: 'function',
          function: { name, arguments: '' },
        },
      ],
    }),
    ...pieces.map((piece) =>
      delta({ tool_calls: [{ index: nth, function: { arguments: piece } }] }),
    ),
  ]);
  return [
    delta({ role: 'assistant', content: choice.calls.length > 0 ? null : '', refusal: null }),
    ...choice.pieces.map((content) => delta({ content })),
    ...calls,
    delta({}, choice.finishReason),
  ];
}

export const callId = (id: string, choice: number, nth: number): string =>
  `call_${id.replace(/\W/g, '')}_${choice}_${nth}`;

export const CHAT: MockEndpoint = {
  idPrefix: 'chatcmpl-',
  read: readChat,
  whole: completionBody,
  events: streamEvents,
  usage: usageBody,
};
