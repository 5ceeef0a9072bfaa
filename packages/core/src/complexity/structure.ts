/**
 * What a request asks for beside its words, in points on the scale of the learned part (one point is
 * about the step from small talk to an ordinary question). No public prompts are labelled for these,
 * so they are set by hand; each is bounded, and the direction of each is what the tests hold.
 */
import type { ApiRequest } from '../openai/api-request.ts';
import type { Conversation } from './conversation.ts';
import type { ComplexityWeights } from './weights.ts';

/** Offering tools means a choice and a schema to obey; results in the context mean an agent at work. */
const TOOLS_OFFERED = 0.7;
const TOOL_RESULTS = 0.5;
const IMAGES = 0.7;
/** A strict schema is a constraint, and most answers that have one are short extractions. */
const JSON_ANSWER = 0.1;
/** Reached at 64 messages, growing with the logarithm. */
const DEPTH = 0.5;
/** Reached at 64,000 characters of context beyond the first 4,000. */
const CONTEXT = 0.9;
const CONTEXT_FREE_CHARS = 4_000;
/** `reasoning_effort`: the caller's own word. */
const EFFORT: Readonly<Record<string, number>> = {
  none: -0.6,
  minimal: -0.6,
  low: -0.3,
  high: 0.9,
  xhigh: 1.2,
};
/** A bound on the output that leaves room for a word or two, and one that asks for an essay. */
const OUTPUT_SHORT = -0.4;
const OUTPUT_SHORT_TOKENS = 32;
const OUTPUT_LONG = 0.4;
const OUTPUT_LONG_TOKENS = 8_192;

/** 0…1 with the logarithm of `value` between `none` and `full`. */
function rise(value: number, none: number, full: number): number {
  if (value <= none) return 0;
  return Math.min(1, Math.log2(value / none) / Math.log2(full / none));
}

export function structurePoints(
  request: ApiRequest,
  conversation: Conversation,
  weights: ComplexityWeights,
): number {
  const tools =
    (request.hasTools ? TOOLS_OFFERED : 0) + TOOL_RESULTS * rise(conversation.toolResults, 0.5, 8);
  const depth = DEPTH * rise(conversation.messages, 2, 64);
  const context = CONTEXT * rise(conversation.chars, CONTEXT_FREE_CHARS, 16 * CONTEXT_FREE_CHARS);
  return (
    weights.tools * tools +
    weights.images * (request.hasImages ? IMAGES : 0) +
    weights.conversation * (depth + context) +
    weights.output * outputPoints(request)
  );
}

function outputPoints(request: ApiRequest): number {
  const { maxTokens, wantsJson, effort } = request;
  let points = wantsJson ? JSON_ANSWER : 0;
  if (maxTokens !== null && maxTokens <= OUTPUT_SHORT_TOKENS) points += OUTPUT_SHORT;
  if (maxTokens !== null && maxTokens >= OUTPUT_LONG_TOKENS) points += OUTPUT_LONG;
  if (typeof effort === 'string' && Object.hasOwn(EFFORT, effort)) points += EFFORT[effort]!;
  return points;
}
