/**
 * What a provider delivered, read on the side while its bytes pass: the text to count tokens of, the
 * usage it reports, how far each choice got, and whether it failed inside a 200. Providers are not
 * trusted to keep to a shape, so nothing here throws, whatever the JSON, and memory is bounded.
 */
import { readErrorValue, type UpstreamError } from '../openai/error-body.ts';
import { argumentsOf, isObject, type JsonObject } from '../openai/json-object.ts';
import { createDelivered, type Delivered } from './delivered.ts';
import { isError, isErrorBody, isFilledObject } from './shapes.ts';

/**
 * content: text, tool calls or other output · usage_only: the extra chunk that `include_usage` asks
 * for, `choices: []` with usage and nothing else of substance · error: the provider failed ·
 * end: nothing comes after it · other: roles, finish reasons, empty deltas, foreign shapes.
 */
export type ChunkKind = 'content' | 'usage_only' | 'error' | 'end' | 'other';

/** not_completion: a 200 whose JSON is no answer of this endpoint and no error either. */
export type AnswerKind = 'completion' | 'error' | 'not_completion';

/** What one answer delivered, whatever its dialect. */
export interface Meter {
  /** One data event of a stream, parsed. */
  observe(json: unknown): ChunkKind;
  /** A whole answer that was not streamed, parsed. */
  observeAnswer(json: unknown): AnswerKind;
  /**
   * What was delivered: each choice's content, refusal, reasoning and tool calls in one piece each,
   * so that choices and parallel calls that arrive interleaved count as the words they are. At most
   * TEXT_CHARS_MAX characters; where `textLength` is larger, scale the count by it.
   */
  text(): string;
  /** Characters (UTF-16) delivered, kept or not. */
  readonly textLength: number;
  /** The answer has begun, if only with a role or an id. */
  readonly hasChunks: boolean;
  /** Something beyond roles and finish reasons was delivered. */
  readonly hasContent: boolean;
  /** The last usage object that was not empty, as the provider wrote it; null = none. */
  readonly usage: unknown;
  /** Some part of the answer has come to its end. */
  readonly anyFinished: boolean;
  /** All of the answer has come: nothing is missing but usage and the end mark. */
  readonly isFinished: boolean;
  /** `[DONE]` is how a stream of this dialect ends. */
  readonly endsWithDone: boolean;
  /** As the first chunk that had them says; for chunks that core adds to the stream. */
  readonly identity: ChunkIdentity;
  /** The first error; null = none. */
  readonly error: UpstreamError | null;
}

/** Of chat and of the older completions. */
export interface ChoicesMeter extends Meter {
  /** By choice index. */
  readonly finishReasons: ReadonlyMap<number, string>;
}

export interface ChunkIdentity {
  readonly id: string | null;
  readonly model: string | null;
  /** Unix seconds. */
  readonly created: number | null;
}

/** Choice and tool indexes at or above it are the provider's nonsense; their text still counts. */
const INDEX_MAX = 128;
/** Names longer than this are cut. */
const IDENTITY_CHARS_MAX = 256;

/** Of an answer with `choices` that number 0…n−1. */
export function createMeter(n = 1): ChoicesMeter {
  const delivered = createDelivered();
  const indexMax = Math.max(INDEX_MAX, n);
  const finishReasons = new Map<number, string>();
  const identity: { id: string | null; model: string | null; created: number | null } = {
    id: null,
    model: null,
    created: null,
  };
  /** Choices below n among them: of thousands, nobody can look for one that is missing at each event. */
  let finished = 0;
  let hasChunks = false;
  let hasContent = false;
  let usage: unknown = null;
  let error: UpstreamError | null = null;

  /** Both are true of this one body, whatever came before it. */
  function readBody(body: JsonObject): { isContent: boolean; isError: boolean } {
    if (isFilledObject(body.usage)) usage = body.usage;
    if (identity.id === null) identity.id = nameOf(body.id);
    if (identity.model === null) identity.model = nameOf(body.model);
    if (identity.created === null) identity.created = secondsOf(body.created);

    let isContent = false;
    let failure: unknown = isErrorBody(body) ? body : null;
    const choices = Array.isArray(body.choices) ? body.choices : [];
    for (let i = 0; i < choices.length; i++) {
      const choice: unknown = choices[i];
      if (!isObject(choice)) continue;
      hasChunks = true;
      const index = indexOf(choice.index, i, indexMax);
      const finish = choice.finish_reason;
      if (typeof finish === 'string' && finish !== '') {
        if (index < n && !finishReasons.has(index)) finished++;
        finishReasons.set(index, finish);
      }
      // The body's own error says more than that of a choice.
      failure ??= failureOf(choice);
      isContent = readChoice(delivered, index, choice) || isContent;
    }
    hasContent ||= isContent;
    if (failure !== null) error ??= readErrorValue(failure);
    return { isContent, isError: failure !== null };
  }

  return {
    observe(json) {
      if (!isObject(json)) return 'other';
      const { isContent, isError } = readBody(json);
      if (isError) return 'error';
      if (isContent) return 'content';
      return isUsageOnly(json) ? 'usage_only' : 'other';
    },
    observeAnswer(json) {
      // Google's compatible endpoint wraps an error in a list.
      const body: unknown = Array.isArray(json) ? json[0] : json;
      if (!isObject(body)) return 'not_completion';
      if (readBody(body).isError) return 'error';
      // A list is no answer, whatever is in it: no SDK could read it, nor could it become a stream.
      return hasChunks && body === json ? 'completion' : 'not_completion';
    },
    text: delivered.text,
    get textLength() {
      return delivered.length();
    },
    get hasChunks() {
      return hasChunks;
    },
    get hasContent() {
      return hasContent;
    },
    get usage() {
      return usage;
    },
    get error() {
      return error;
    },
    finishReasons,
    get anyFinished() {
      return finishReasons.size > 0;
    },
    get isFinished() {
      return finished === n;
    },
    endsWithDone: true,
    identity,
  };
}

// ── Errors inside a 200 ──────────────────────────────────────────────────────────────────────────

/** OpenRouter marks the choice, too. null = the choice is fine. */
function failureOf(choice: JsonObject): unknown {
  if (isError(choice.error)) return { error: choice.error };
  return choice.finish_reason === 'error' ? "A choice ended with finish_reason 'error'." : null;
}

/**
 * Whether nobody misses the chunk who did not ask for usage. A filled list (citations, filter
 * results) is part of the answer; other members beside usage are the provider's accounting.
 */
function isUsageOnly(body: JsonObject): boolean {
  // Some providers leave `choices` out of it, or send null.
  const choices = body.choices ?? [];
  if (!Array.isArray(choices) || choices.length > 0) return false;
  if (!isFilledObject(body.usage)) return false;
  return !Object.values(body).some((value) => Array.isArray(value) && value.length > 0);
}

// ── What a choice delivers ───────────────────────────────────────────────────────────────────────

/** True where it delivered something. `text` is that of the older completions endpoint. */
function readChoice(delivered: Delivered, index: number, choice: JsonObject): boolean {
  let any = delivered.add(index, 'content', choice.text);
  if (isObject(choice.delta)) any = readMessage(delivered, index, choice.delta) || any;
  if (isObject(choice.message)) any = readMessage(delivered, index, choice.message) || any;
  return any;
}

function readMessage(delivered: Delivered, index: number, message: JsonObject): boolean {
  const { content, refusal, tool_calls: toolCalls, function_call: call, audio, images } = message;
  let any = delivered.add(
    index,
    'content',
    Array.isArray(content) ? textOfParts(content) : content,
  );
  any = delivered.add(index, 'refusal', refusal) || any;
  any = readReasoning(delivered, index, message) || any;
  if (isObject(call)) any = readFunction(delivered, index, 'function', call) || any;
  if (Array.isArray(toolCalls)) {
    for (let i = 0; i < toolCalls.length; i++) {
      any = readToolCall(delivered, index, i, toolCalls[i]) || any;
    }
  }
  if (isObject(audio)) any = delivered.add(index, 'audio', audio.transcript) || any;
  return any || (Array.isArray(images) && images.length > 0);
}

/**
 * Providers repeat the same thought under two or three names, for old clients and new; counting each
 * would bear out a seller that reports twice the tokens. The longest one counts. Encrypted reasoning
 * is output, but no text.
 */
function readReasoning(delivered: Delivered, index: number, message: JsonObject): boolean {
  const { reasoning, reasoning_content: older, reasoning_details: details } = message;
  if (reasoning === undefined && older === undefined && details === undefined) return false;
  let longest = '';
  for (const text of [reasoning, older, Array.isArray(details) ? textOfParts(details) : null]) {
    if (typeof text === 'string' && text.length > longest.length) longest = text;
  }
  if (delivered.add(index, 'reasoning', longest)) return true;
  return Array.isArray(details) && details.some((part) => isObject(part) && isFilled(part.data));
}

function readToolCall(
  delivered: Delivered,
  index: number,
  position: number,
  toolCall: unknown,
): boolean {
  if (!isObject(toolCall)) return false;
  const track = `tool ${indexOf(toolCall.index, position)}`;
  const { function: call, custom } = toolCall;
  let any = false;
  if (isObject(call)) any = readFunction(delivered, index, track, call);
  if (isObject(custom)) any = readFunction(delivered, index, track, custom) || any;
  return any;
}

/** A function has `arguments`, a custom tool `input`. */
function readFunction(
  delivered: Delivered,
  index: number,
  track: string,
  call: JsonObject,
): boolean {
  const named = delivered.add(index, track, call.name);
  return delivered.add(index, track, argumentsOf(call.arguments ?? call.input)) || named;
}

/** Parts with `text`, `refusal` or `summary`; Mistral's `thinking` is a list of parts again. */
function textOfParts(parts: readonly unknown[]): string {
  let text = '';
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    if (!isObject(part)) continue;
    const thinking = Array.isArray(part.thinking) ? part.thinking : [part.thinking];
    for (const piece of [part.text, part.refusal, part.summary, ...thinking]) {
      if (typeof piece === 'string') text += piece;
      else if (isObject(piece) && typeof piece.text === 'string') text += piece.text;
    }
  }
  return text;
}

// ── Shapes ───────────────────────────────────────────────────────────────────────────────────────

const isFilled = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** Its own index, else where it stands: some providers leave it out. */
function indexOf(value: unknown, position: number, max = INDEX_MAX): number {
  const isIndex = Number.isInteger(value) && (value as number) >= 0 && (value as number) < max;
  return isIndex ? (value as number) : position % max;
}

const nameOf = (value: unknown): string | null =>
  isFilled(value) ? (value as string).slice(0, IDENTITY_CHARS_MAX) : null;

const secondsOf = (value: unknown): number | null =>
  Number.isSafeInteger(value) ? (value as number) : null;
