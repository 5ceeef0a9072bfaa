/**
 * What a body makes a model read, as text and as a number of images. It is the same
 * for every provider; what a text costs in tokens is `estimate.ts`, `count.ts` and `floor.ts`.
 *
 * The body comes from a caller, so any shape may stand anywhere. What is not understood is walked
 * for its text, with a list instead of recursion; nothing throws.
 */
import { argumentsOf, isObject, type JsonObject } from '../openai/json-object.ts';
import { COUNTED_UNITS_MAX, countTokens } from './count.ts';
import { estimateTokens } from './estimate.ts';
import { tokenFloor } from './floor.ts';

/** Tokens around each message, and those that begin the answer (OpenAI cookbook, "How to count tokens"). */
const TOKENS_PER_MESSAGE = 3;
const TOKENS_OF_REPLY = 3;

/**
 * Tokens of an image where nothing is known of the model: about the most that the common schemes
 * charge for one. Anthropic scales an image to w × h ÷ 750, at most some 1,600; OpenAI's high detail
 * is 85 + 170 per tile, 1,445 with the most tiles (8). A model that charges otherwise (gpt-4o-mini:
 * 2,833 + 5,667 per tile) needs a number of its own.
 */
export const IMAGE_TOKENS_DEFAULT = 1600;

/**
 * Base64 characters of an attachment that count as one image. A document is charged by its pages,
 * each like an image and its text, and 48 KiB is what a page of a PDF takes; 768 KiB of sound are at
 * least half a minute, at up to 32 tokens a second. By the text of the encoding they would count 30
 * times too high.
 */
const FILE_CHARS_PER_UNIT = 64 * 1024;
const AUDIO_CHARS_PER_UNIT = 1024 * 1024;

export interface Prompt {
  /** Every text that the model reads: slices of the body, and the tools as JSON. */
  readonly texts: readonly string[];
  /** Images, and other attachments in units of about the size of an image. */
  readonly images: number;
  readonly messages: number;
  /** Tokens that are in no text: what begins a chat's answer, or a prompt that was given as tokens. */
  readonly tokens: number;
}

/** A prompt's size as choosing needs it: what an image costs differs by model. */
export interface PromptEstimate {
  /** Estimated tokens of everything but images. */
  readonly textTokens: number;
  readonly images: number;
}

interface Builder {
  readonly texts: string[];
  images: number;
}

/** Of a chat body. Never throws; anything that is not one is an empty prompt. O(size of the body). */
export function promptOf(body: unknown): Prompt {
  const prompt: Builder = { texts: [], images: 0 };
  if (!isObject(body)) return { ...prompt, messages: 0, tokens: TOKENS_OF_REPLY };
  const messages = listOf(body.messages);
  for (const message of messages) if (isObject(message)) addMessage(prompt, message);
  addJson(prompt, body.tools);
  addJson(prompt, body.functions);
  if (isObject(body.response_format)) addJson(prompt, body.response_format.json_schema);
  if (isObject(body.tool_choice)) addJson(prompt, body.tool_choice);
  return { ...prompt, messages: messages.length, tokens: TOKENS_OF_REPLY };
}

/** Of texts and tokens without messages around them. */
export const plainPrompt = (texts: readonly string[], tokens: number): Prompt => ({
  texts,
  images: 0,
  messages: 0,
  tokens,
});

/** A prompt up to so many characters is counted, not estimated, before it is sent. */
const COUNTED_CHARS_MAX = 8_192;
/** Of a longer one, so many pieces of so many characters are counted, to correct the estimate. */
const SAMPLES = 16;
const SAMPLE_CHARS = 512;

/**
 * The size of a prompt before it is sent, close to `countPrompt`: it is what a hold is made of, and
 * text that the fast estimate gets wrong by far (random letters, rare scripts) would else be sold
 * below its cost. O(size), with a bounded part through the tokenizer.
 */
export function estimatePrompt(prompt: Prompt): PromptEstimate {
  const chars = prompt.texts.reduce((sum, text) => sum + text.length, 0);
  if (chars <= COUNTED_CHARS_MAX) {
    return { textTokens: textTokens(prompt, countTokens), images: prompt.images };
  }
  const estimate = textTokens(prompt, estimateTokens);
  return { textTokens: Math.ceil(estimate * correction(prompt, chars)), images: prompt.images };
}

/** How far the estimate falls short on samples from all over the prompt; ≥ 1. */
function correction({ texts }: Prompt, chars: number): number {
  let counted = 0;
  let estimated = 0;
  let before = 0;
  let next = 0;
  const step = chars / SAMPLES;
  for (const text of texts) {
    while (next < before + text.length) {
      const start = Math.floor(next - before);
      const sample = text.slice(start, start + SAMPLE_CHARS);
      counted += countTokens(sample);
      estimated += estimateTokens(sample);
      next += step;
    }
    before += text.length;
  }
  return Math.max(1, counted / Math.max(1, estimated));
}

/**
 * Our own count of a prompt, with a real tokenizer as far as that takes no longer than
 * COUNTED_UNITS_MAX units of text do, all messages together; what is beyond is estimated.
 */
export function countPrompt(prompt: Prompt, imageTokens = IMAGE_TOKENS_DEFAULT): number {
  let unitsLeft = COUNTED_UNITS_MAX;
  const count = (text: string): number => {
    const tokens = countTokens(text, unitsLeft);
    unitsLeft = Math.max(0, unitsLeft - text.length);
    return tokens;
  };
  return textTokens(prompt, count) + prompt.images * imageTokens;
}

/** A cheap lower bound of `countPrompt`. */
export function promptFloor(prompt: Prompt, imageTokens = 0): number {
  return textTokens(prompt, tokenFloor) + prompt.images * imageTokens;
}

function textTokens(prompt: Prompt, measure: (text: string) => number): number {
  const overhead = prompt.messages * TOKENS_PER_MESSAGE + prompt.tokens;
  return prompt.texts.reduce((sum, text) => sum + measure(text), overhead);
}

/** Ids that tie calls to results are not text that a model is charged for. */
function addMessage(prompt: Builder, message: JsonObject): void {
  addText(prompt, message.role);
  addText(prompt, message.name);
  addContent(prompt, message.content);
  addText(prompt, message.refusal);
  // What reasoning models said before, by the two names in use.
  addText(prompt, message.reasoning_content);
  addText(prompt, message.reasoning);
  addCall(prompt, message.function_call);
  for (const call of listOf(message.tool_calls)) {
    if (!isObject(call)) continue;
    addCall(prompt, call.function);
    addCall(prompt, call.custom);
  }
}

function addCall(prompt: Builder, call: unknown): void {
  if (!isObject(call)) return;
  addText(prompt, call.name);
  addText(prompt, argumentsOf(call.arguments));
  addText(prompt, argumentsOf(call.input));
}

function addContent(prompt: Builder, content: unknown): void {
  addText(prompt, content);
  for (const part of listOf(content)) {
    addText(prompt, part);
    if (isObject(part)) addPart(prompt, part);
  }
}

/** Parts of OpenAI's chat and Responses APIs, and Anthropic's, which compatible providers take too. */
function addPart(prompt: Builder, part: JsonObject): void {
  switch (part.type) {
    case 'text':
    case 'input_text':
    case 'output_text':
      addText(prompt, part.text);
      return;
    case 'refusal':
      addText(prompt, part.refusal);
      return;
    case 'image_url':
    case 'input_image':
    case 'image':
      prompt.images += 1;
      return;
    case 'input_audio':
      addAttachment(prompt, memberOf(part.input_audio, 'data'), AUDIO_CHARS_PER_UNIT);
      return;
    case 'file':
    case 'input_file':
      addText(prompt, memberOf(part.file, 'filename') ?? part.filename);
      addAttachment(
        prompt,
        memberOf(part.file, 'file_data') ?? part.file_data,
        FILE_CHARS_PER_UNIT,
      );
      return;
    case 'document':
    case 'video_url':
      addAttachment(prompt, memberOf(part.source, 'data'), FILE_CHARS_PER_UNIT);
      return;
    default:
      addUnknown(prompt, part);
  }
}

/** One unit at least: an attachment by reference is of unknown size. */
function addAttachment(prompt: Builder, data: unknown, charsPerUnit: number): void {
  const chars = typeof data === 'string' ? data.length : 0;
  prompt.images += Math.max(1, Math.ceil(chars / charsPerUnit));
}

/** A part of a kind that is not known: its strings are text, but for embedded files. */
function addUnknown(prompt: Builder, part: JsonObject): void {
  const waiting: unknown[] = [part];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value === 'string') {
      if (value.startsWith('data:')) addAttachment(prompt, value, FILE_CHARS_PER_UNIT);
      else addText(prompt, value);
    } else if (typeof value === 'object' && value !== null) {
      for (const member of Object.values(value)) waiting.push(member);
    }
  }
}

/** Schemas are read as some text of about the length of their JSON. */
function addJson(prompt: Builder, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  try {
    addText(prompt, JSON.stringify(value));
  } catch {
    // Nested deeper than the stack is; such bodies are refused before they get here.
  }
}

function addText(prompt: Builder, value: unknown): void {
  if (typeof value === 'string' && value !== '') prompt.texts.push(value);
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const memberOf = (value: unknown, key: string): unknown =>
  isObject(value) ? value[key] : undefined;
