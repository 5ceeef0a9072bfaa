/**
 * A seeded stream of requests: questions, chats that grow, code, extractions and long documents, with
 * the answers that came, interleaved as several callers send them. Lengths are assumptions of ours,
 * stated on the page; the words are filler around sentences that people send.
 */
import type { ApiRequest } from '../../packages/core/src/openai/api-request.ts';
import { parseChatRequest } from '../../packages/core/src/openai/chat-request.ts';
import {
  estimatePrompt,
  type PromptEstimate,
  promptOf,
} from '../../packages/core/src/tokens/prompt.ts';
import { createRandom, type Random } from '../../test/crash/support/random.ts';

export const KINDS = ['question', 'chat', 'code', 'extraction', 'document'] as const;
export type Kind = (typeof KINDS)[number];

export interface Replayed {
  readonly kind: Kind;
  readonly request: ApiRequest;
  readonly prompt: PromptEstimate;
  readonly outputTokens: number;
  /** Requests that repeat the beginning of the one before: a seller that answered that one may have it cached. */
  readonly conversation: number;
  /** Of the prompt, what the request before in this conversation sent. */
  readonly repeatedTokens: number;
}

interface Shape {
  /** Conversations in the stream. */
  readonly conversations: number;
  readonly turns: readonly [min: number, max: number];
  /** Words that stand before the first question: instructions, the text or the code that it is about. */
  readonly materialWords: readonly [min: number, max: number];
  readonly answerTokens: readonly [min: number, max: number];
  /** Where the caller bounds the answer. */
  readonly maxTokens: number | null;
  readonly sentences: readonly string[];
}

const SHAPES: Record<Kind, Shape> = {
  question: {
    conversations: 16,
    turns: [1, 1],
    materialWords: [0, 60],
    answerTokens: [80, 500],
    maxTokens: null,
    sentences: [
      'What is the difference between a lease and a rental contract?',
      'Why is the sky blue, and red in the evening?',
      'How do I get a wine stain out of a shirt?',
      'Warum fällt der Wert einer Währung?',
    ],
  },
  chat: {
    conversations: 8,
    turns: [3, 8],
    materialWords: [120, 350],
    answerTokens: [60, 400],
    maxTokens: null,
    sentences: [
      'Thanks. And what would you do next?',
      'That did not work, I still see the old page.',
      'Can you say it in simpler words?',
      'Compare the two options and tell me which one you would take, and why.',
    ],
  },
  code: {
    conversations: 14,
    turns: [1, 3],
    materialWords: [200, 1_500],
    answerTokens: [150, 1_200],
    maxTokens: 2_048,
    sentences: [
      'Find the race in this and refactor it so that it cannot occur: async function drain(queue) { while (queue.length > 0) await send(queue.shift()); }',
      'Write a SQL query for the ten customers with the highest revenue per month.',
      'Add a unit test for this: function add(a, b) { return a + b; }',
      'Why does this regex match the empty string? ^(?:\\d{3}-)*[a-z]*$',
    ],
  },
  extraction: {
    conversations: 16,
    turns: [1, 1],
    materialWords: [40, 400],
    answerTokens: [5, 90],
    maxTokens: 128,
    sentences: [
      'Extract the names and dates from this text and return JSON.',
      'Is this review positive or negative? Answer with one word.',
      'Translate to French: the train leaves at noon.',
    ],
  },
  document: {
    conversations: 7,
    turns: [1, 2],
    materialWords: [3_000, 14_000],
    answerTokens: [150, 700],
    maxTokens: null,
    sentences: [
      'Summarize the document above in ten sentences.',
      'Which clauses limit the liability of the seller? Quote them and analyze whether they would hold.',
      'List what changed against the last version.',
    ],
  },
};

const WORDS =
  'the of and to in a is that for it as was with be by on not he this are or his from at which but have an they you were her she all would there been one their we him has when who will more no if out so said what up its about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through back years where much your way well down should because each just those people how too little state good very make world still own see men work long get here between both life being under never day same another know while last might us great old year off come since against go came right used take three'.split(
    ' ',
  );

export function requestsOf(seed: number): Replayed[] {
  const random = createRandom(seed).fork('requests');
  const conversations: Replayed[][] = [];
  for (const kind of KINDS) {
    for (let nth = 0; nth < SHAPES[kind].conversations; nth++) {
      conversations.push(converse(kind, conversations.length, random));
    }
  }
  return interleaved(conversations, random);
}

function converse(kind: Kind, conversation: number, random: Random): Replayed[] {
  const shape = SHAPES[kind];
  const { materialWords, answerTokens, maxTokens, sentences } = shape;
  const material = filler(random.int(...materialWords), random);
  const messages = [{ role: 'system', content: material }];
  const requests: Replayed[] = [];
  let repeatedTokens = 0;
  const turns = random.int(...shape.turns);
  for (let turn = 0; turn < turns; turn++) {
    messages.push({ role: 'user', content: random.pick(sentences) });
    const body = {
      model: 'any',
      messages,
      ...(maxTokens !== null && { max_tokens: maxTokens }),
    };
    const prompt = estimatePrompt(promptOf(body));
    const outputTokens = skewed(answerTokens, random);
    const request = parsed(body);
    requests.push({ kind, request, prompt, outputTokens, conversation, repeatedTokens });
    repeatedTokens = prompt.textTokens;
    messages.push({ role: 'assistant', content: filler(Math.ceil(outputTokens * 0.75), random) });
  }
  return requests;
}

function parsed(body: object): ApiRequest {
  const result = parseChatRequest(Buffer.from(JSON.stringify(body)));
  if (result.ok) return result.request;
  throw new Error(result.error.message);
}

const filler = (words: number, random: Random): string =>
  Array.from({ length: words }, () => random.pick(WORDS)).join(' ');

/** Within the bounds, most of them near the lower one, as lengths of answers are. */
function skewed([min, max]: readonly [number, number], random: Random): number {
  return Math.round(min * (max / min) ** random.next());
}

/** The turns of a conversation stay in order; whose turn comes next is chance. */
function interleaved(conversations: readonly Replayed[][], random: Random): Replayed[] {
  const waiting = conversations.map((turns) => [...turns]);
  const all: Replayed[] = [];
  while (waiting.length > 0) {
    const next = random.int(0, waiting.length - 1);
    all.push(waiting[next]!.shift()!);
    if (waiting[next]!.length === 0) waiting.splice(next, 1);
  }
  return all;
}
