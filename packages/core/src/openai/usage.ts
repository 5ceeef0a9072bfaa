/**
 * The usage object of an answer, in whatever dialect the provider speaks. They differ in names, and
 * in whether the prompt's count contains what came from the cache:
 *
 * | dialect                               | prompt         | read from cache                       | contains it |
 * |---------------------------------------|----------------|---------------------------------------|-------------|
 * | OpenAI, xAI, Groq, OpenRouter, litellm | prompt_tokens  | prompt_tokens_details.cached_tokens   | yes         |
 * | DeepSeek                              | prompt_tokens  | prompt_cache_hit_tokens               | yes         |
 * | Moonshot                              | prompt_tokens  | cached_tokens                         | yes         |
 * | litellm, Anthropic's fields mirrored  | prompt_tokens  | cache_read_input_tokens               | yes         |
 * | Responses API                         | input_tokens   | input_tokens_details.cached_tokens    | yes         |
 * | Anthropic                             | input_tokens   | cache_read_input_tokens               | no, and not what was written to it (cache_creation_input_tokens) |
 *
 * Reasoning tokens are part of the output tokens in all of them. `total_tokens` is ignored: it is a
 * sum that some providers compute from other numbers.
 */
import { isObject, type JsonObject } from './json-object.ts';

/** Tokens as a provider reports them. Integers from 0 to 2^53 − 1. */
export interface Usage {
  /** All of the prompt, cached or not. */
  readonly inputTokens: number;
  /** ≤ inputTokens. */
  readonly cachedInputTokens: number;
  /** All of the answer, reasoning included. */
  readonly outputTokens: number;
  /** ≤ outputTokens. */
  readonly reasoningTokens: number;
}

/** null = not there, 'invalid' = there, but not a count. */
type Count = number | null | 'invalid';

/**
 * The usage in one shape, or null where there is none to go by: no object, a main count that is
 * missing, or any count that is not a non-negative safe integer. Half a report that is nonsense
 * elsewhere is not believed either; the caller then counts for itself. Never throws.
 */
export function normalizeUsage(value: unknown): Usage | null {
  if (!isObject(value)) return null;
  const input = readInput(value);
  const output = firstCount(value.completion_tokens, value.output_tokens);
  const reasoning = firstCount(
    member(value.completion_tokens_details, 'reasoning_tokens'),
    member(value.output_tokens_details, 'reasoning_tokens'),
    value.reasoning_tokens,
  );
  if (input === null || output === null || output === 'invalid' || reasoning === 'invalid') {
    return null;
  }
  return {
    inputTokens: input.all,
    cachedInputTokens: Math.min(input.cached, input.all),
    outputTokens: output,
    reasoningTokens: Math.min(reasoning ?? 0, output),
  };
}

function readInput(usage: JsonObject): { all: number; cached: number } | null {
  const inclusive = firstCount(usage.prompt_tokens);
  const main = inclusive ?? firstCount(usage.input_tokens);
  const read = firstCount(usage.cache_read_input_tokens);
  const written = firstCount(usage.cache_creation_input_tokens);
  const cached = firstCount(
    member(usage.prompt_tokens_details, 'cached_tokens'),
    member(usage.input_tokens_details, 'cached_tokens'),
    usage.prompt_cache_hit_tokens,
    usage.cached_tokens,
    read,
  );
  if (main === null || main === 'invalid' || cached === 'invalid') return null;
  if (read === 'invalid' || written === 'invalid') return null;
  const isAdditive = inclusive === null && !isObject(usage.input_tokens_details);
  const all = isAdditive ? main + (read ?? 0) + (written ?? 0) : main;
  return Number.isSafeInteger(all) ? { all, cached: cached ?? 0 } : null;
}

/** What a provider says that the answer cost; null = not said. */
export interface ReportedCost {
  readonly msat: number | null;
  readonly usd: number | null;
}

/**
 * The provider's own price, for the log: never billed, never credited, so a float is good enough.
 * OpenRouter: `cost` in USD, and behind its fee for a caller's own key the real cost in
 * `cost_details.upstream_inference_cost`. Routstr: `cost` is an object in msat, or `cost_sats`.
 * null where there is none. Never throws.
 */
export function reportedCost(value: unknown): ReportedCost | null {
  if (!isObject(value)) return null;
  const { cost } = value;
  const sats = amount(value.cost_sats);
  const msat = amount(member(cost, 'total_msats')) ?? (sats === null ? null : sats * 1000);
  const fee = amount(cost);
  const upstream = amount(member(value.cost_details, 'upstream_inference_cost'));
  const usd =
    amount(member(value.cost_details, 'total_cost')) ??
    // Where it is above `cost`, the latter is only the fee.
    (upstream !== null && upstream > (fee ?? 0) ? upstream + (fee ?? 0) : null) ??
    amount(value.total_cost) ??
    fee ??
    amount(member(cost, 'total_usd'));
  return msat === null && usd === null ? null : { msat, usd };
}

/** The first of the values that is there. */
function firstCount(...values: readonly unknown[]): Count {
  const value = values.find((candidate) => candidate !== undefined && candidate !== null);
  if (value === undefined) return null;
  // Number.isSafeInteger takes 12.0 and refuses fractions, infinities and strings; 0 + -0 is 0.
  return Number.isSafeInteger(value) && (value as number) >= 0 ? 0 + (value as number) : 'invalid';
}

const amount = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;

const member = (value: unknown, key: string): unknown => (isObject(value) ? value[key] : undefined);
