/** The older completions of a mock: prompts in, `text` out. */
import type { MockChoice } from './answer.ts';
import {
  asArray,
  asObject,
  checkBody,
  type Json,
  type MockRefusal,
  type MockRequest,
} from './request.ts';
import { type Envelope, type MockEndpoint, type StreamEvent, usageBody } from './wire.ts';

export const COMPLETIONS: MockEndpoint = {
  idPrefix: 'cmpl-',
  read,
  whole,
  events,
  usage: usageBody,
};

/** A text or a list of tokens is one, a list of them as many. */
export function readInputs(value: unknown): { texts: string[]; ids: number; count: number } {
  if (typeof value === 'string') return { texts: [value], ids: 0, count: 1 };
  const list = asArray(value);
  if (typeof list[0] === 'number') return { texts: [], ids: list.length, count: 1 };
  return {
    texts: list.filter((item) => typeof item === 'string'),
    ids: list.reduce<number>((sum, item) => sum + asArray(item).length, 0),
    count: Math.max(1, list.length),
  };
}

export const PLAIN = {
  lastRole: 'user',
  images: 0,
  plain: true,
  json: 'text',
  schema: null,
  tools: [],
  toolChoice: 'none',
  parallel: true,
  toolsText: '',
} as const;

function read(body: unknown): MockRequest | MockRefusal {
  const wrong = checkBody(body, ['n', 'max_tokens', 'best_of']);
  if (wrong !== null) return wrong;
  const json = body as Json;
  const { texts, ids, count } = readInputs(json.prompt ?? '');
  return {
    ...PLAIN,
    model: json.model as string,
    streaming: json.stream === true,
    includeUsage: asObject(json.stream_options).include_usage === true,
    hasStreamOptions: json.stream_options !== undefined && json.stream_options !== null,
    texts,
    ids,
    lastUserText: texts.at(-1) ?? '',
    choices: ((json.n ?? 1) as number) * count,
    maxTokens: (json.max_tokens ?? null) as number | null,
  };
}

const choiceBody = (text: string, index: number, finish: string | null): object => ({
  text,
  index,
  logprobs: null,
  finish_reason: finish,
});

const envelopeOf = ({ id, createdSecs, request }: Envelope): object => ({
  id,
  object: 'text_completion',
  created: createdSecs,
  model: request.model,
});

function whole(envelope: Envelope): string {
  const { answer, usage } = envelope;
  return JSON.stringify({
    ...envelopeOf(envelope),
    choices: answer.choices.map(({ pieces, finishReason }, index) =>
      choiceBody(pieces.join(''), index, finishReason),
    ),
    ...(usage !== null && { usage }),
  });
}

function events(
  envelope: Envelope,
  usageSoFar: ((tokens: number) => object) | null,
): StreamEvent[] {
  const { request, answer, usage } = envelope;
  const total = answer.usage.completion;
  const wantsUsage = request.includeUsage && usage !== null;
  const chunks = answer.choices.flatMap(piecesOf);
  const events = chunks.map((choice, nth): StreamEvent => {
    const tokens = nth === chunks.length - 1 ? total : Math.min(nth + 1, total);
    const absent = wantsUsage ? { usage: null } : {};
    const extra = usageSoFar === null ? absent : { usage: usageSoFar(tokens) };
    const data = JSON.stringify({ ...envelopeOf(envelope), choices: [choice], ...extra });
    return { kind: 'delta', data, tokens };
  });
  if (wantsUsage) {
    const data = JSON.stringify({ ...envelopeOf(envelope), choices: [], usage });
    events.push({ kind: 'usage', data, tokens: total });
  }
  return [...events, { kind: 'done', data: '[DONE]', tokens: total }];
}

function piecesOf({ pieces, finishReason }: MockChoice, index: number): object[] {
  return [
    ...pieces.map((piece) => choiceBody(piece, index, null)),
    choiceBody('', index, finishReason),
  ];
}
