/** Lists without prices: OpenAI's shape and what servers add to it. */
import type { JsonObject } from '../openai/json-object.ts';
import { type EntryReading, tokensOf } from './entry.ts';

/** As vLLM, Groq, Mistral, LM Studio and OpenRouter call them. */
const CONTEXT_KEYS = [
  'context_length',
  'context_window',
  'max_model_len',
  'max_context_length',
  'n_ctx',
];
const OUTPUT_KEYS = ['max_completion_tokens', 'max_output_tokens'];

export function readListed(entry: JsonObject): EntryReading {
  return {
    aliases: [],
    price: null,
    contextWindow: firstTokens(entry, CONTEXT_KEYS),
    maxOutputTokens: firstTokens(entry, OUTPUT_KEYS),
    supports: null,
    reasoning: null,
    imageTokens: null,
    unfit: null,
  };
}

function firstTokens(entry: JsonObject, keys: readonly string[]): number | null {
  for (const key of keys) {
    const tokens = tokensOf(entry[key]);
    if (tokens !== null) return tokens;
  }
  return null;
}
