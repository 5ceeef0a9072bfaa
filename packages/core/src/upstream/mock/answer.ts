/** What a mock says to a request: text or tool calls, cut to its bound, and the usage that goes with it. */
import { countTokens } from '../../tokens/count.ts';
import type { MockBehaviour, MockToolCall } from './behaviour.ts';
import { exampleOf } from './example.ts';
import type { MockRequest } from './request.ts';

export interface MockAnswer {
  readonly choices: readonly MockChoice[];
  readonly usage: MockUsage;
}

export interface MockChoice {
  /** In pieces of about a token; none where it calls tools. */
  readonly pieces: readonly string[];
  readonly calls: readonly { readonly name: string; readonly pieces: readonly string[] }[];
  readonly finishReason: 'stop' | 'length' | 'tool_calls';
  readonly tokens: number;
}

export interface MockUsage {
  readonly prompt: number;
  readonly completion: number;
  readonly reasoning: number;
  readonly cached: number;
}

/** About a token: a word with the space before it, long ones in parts. */
const PIECE = /\s*\S{1,16}|\s+$/gu;

/** As the real ones count: tokens around each message, and before the answer. */
const TOKENS_PER_MESSAGE = 4;
const TOKENS_PER_REPLY = 3;
const TOKENS_PER_IMAGE = 85;
/** Of the question that the answer quotes. */
const QUOTED_CHARS_MAX = 120;

export function composeAnswer(request: MockRequest, behaviour: MockBehaviour): MockAnswer {
  const calls = toolCalls(request, behaviour);
  const text = calls.length > 0 ? '' : answerText(request, behaviour);
  const bound = request.maxTokens ?? Number.POSITIVE_INFINITY;
  const choice = cutToBound(text, calls, bound);
  const completion = choice.tokens * request.choices + behaviour.reasoningTokens;
  return {
    choices: Array.from({ length: request.choices }, () => choice),
    usage: {
      prompt: promptTokens(request),
      completion,
      reasoning: behaviour.reasoningTokens,
      cached: behaviour.cachedTokens,
    },
  };
}

function answerText(request: MockRequest, { answer }: MockBehaviour): string {
  const text = answer ?? defaultAnswer(request);
  if (request.json === 'text') return text;
  if (answer !== null && isJson(answer)) return answer;
  return JSON.stringify(
    request.json === 'object' ? { answer: text } : exampleOf(request.schema, text),
  );
}

function defaultAnswer({ lastUserText, images, lastRole }: MockRequest): string {
  const seen = images === 0 ? '' : ` and saw ${images} image${images === 1 ? '' : 's'}`;
  const heard = lastRole === 'tool' ? 'the result of a tool' : `"${quote(lastUserText)}"`;
  return (
    `This is a mock model. It heard ${heard}${seen}, and answers as a real one would: ` +
    'token by token, with usage at the end. Everything between you and it is real.'
  );
}

const quote = (text: string): string =>
  text.length <= QUOTED_CHARS_MAX ? text : `${[...text].slice(0, QUOTED_CHARS_MAX).join('')}…`;

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A tool is called where the request demands it, or where the last user message asks for one. */
function toolCalls(request: MockRequest, behaviour: MockBehaviour): readonly MockToolCall[] {
  if (behaviour.toolCalls !== null) return behaviour.toolCalls;
  const { tools, toolChoice, lastUserText, lastRole, parallel } = request;
  if (tools.length === 0 || toolChoice === 'none') return [];
  const call = (tool: (typeof tools)[number]): MockToolCall => ({
    name: tool.name,
    arguments: JSON.stringify(exampleOf(tool.parameters, quote(lastUserText))),
  });
  if (typeof toolChoice === 'object') {
    return tools.filter(({ name }) => name === toolChoice.name).map(call);
  }
  const named = tools.filter(({ name }) => name !== '' && lastUserText.includes(name));
  const asked = named.length > 0 ? named : /\btools?\b|\bcall\b/i.test(lastUserText) ? tools : [];
  // Its result has come back: now answer.
  if (lastRole === 'tool' && toolChoice !== 'required') return [];
  const wanted = asked.length === 0 && toolChoice === 'required' ? tools.slice(0, 1) : asked;
  return wanted.slice(0, parallel ? undefined : 1).map(call);
}

function cutToBound(text: string, calls: readonly MockToolCall[], bound: number): MockChoice {
  let left = bound;
  let cut = false;
  const take = (whole: string): string[] => {
    const pieces: string[] = [];
    for (const piece of whole.match(PIECE) ?? []) {
      const fitting = fit(piece, left);
      if (fitting !== '') pieces.push(fitting);
      left -= countTokens(fitting);
      if (fitting.length < piece.length) {
        cut = true;
        break;
      }
    }
    return pieces;
  };
  const pieces = take(text);
  const taken: { name: string; pieces: string[] }[] = [];
  for (const { name, arguments: args } of calls) {
    if (cut) break;
    left -= Math.min(left, countTokens(name));
    taken.push({ name, pieces: take(args) });
  }
  const finished = taken.length > 0 ? 'tool_calls' : 'stop';
  const tokens = countPieces(pieces) + taken.reduce((sum, c) => sum + countCall(c), 0);
  return {
    pieces,
    calls: taken,
    finishReason: cut ? 'length' : finished,
    tokens: Math.min(tokens, bound),
  };
}

/** As much of the beginning as costs no more than `left` tokens. */
function fit(piece: string, left: number): string {
  let characters = [...piece];
  while (characters.length > 0 && countTokens(characters.join('')) > left) {
    characters = characters.slice(0, Math.max(0, Math.min(characters.length - 1, left * 8)));
  }
  return characters.join('');
}

const countPieces = (pieces: readonly string[]): number => countTokens(pieces.join(''));

const countCall = (call: { name: string; pieces: readonly string[] }): number =>
  countTokens(call.name) + countPieces(call.pieces);

function promptTokens({ texts, images, toolsText, plain, ids }: MockRequest): number {
  if (plain) return texts.reduce((sum, text) => sum + countTokens(text), ids);
  const words = texts.reduce((sum, text) => sum + countTokens(text) + TOKENS_PER_MESSAGE, 0);
  return words + countTokens(toolsText) + images * TOKENS_PER_IMAGE + TOKENS_PER_REPLY;
}
