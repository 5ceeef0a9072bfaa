/**
 * The bill of a request: whose word counts, and what it costs.
 *
 * The price is always ours. The tokens are the provider's, as far as our own count of the prompt and
 * of what was delivered bears them out; a seller must not earn more by lying. Where there is no
 * usable report, or one that is not borne out, the bill is our count: never zero by default, never
 * the ceiling.
 */
import { type Msat, minMsat } from '@arbstr/shared';
import type { Usage } from '../openai/usage.ts';
import { costOf, type TokenUsage } from './cost.ts';
import type { Rates } from './rate.ts';

/**
 * Tokens that a report may always have on top: what templates add to a short prompt, and what
 * tokenizers disagree on in a short answer, is more than a factor there.
 */
export const TOLERANCE_MARGIN_TOKENS = 64;

/** Our own count. Functions, because the exact ones take a tokenizer and are seldom needed. */
export interface OwnCount {
  /** Cheap lower bounds of the two below. */
  inputFloor(): number;
  outputFloor(): number;
  inputTokens(): number;
  /** Of the delivered text of all choices: content, reasoning, refusals, tool names and arguments. */
  outputTokens(): number;
}

export interface BillOrder {
  /** With the operator's markup: what the agent pays. */
  readonly rates: Rates;
  /** Without it: what the provider is owed. */
  readonly providerRates: Rates;
  /** null = none that can be used. */
  readonly reported: Usage | null;
  readonly own: OwnCount;
  /** Reported tokens above this × own count + TOLERANCE_MARGIN_TOKENS are not believed; 0 = trust. */
  readonly tolerance: number;
  /** Known to reason, so that its hidden reasoning tokens explain a count above the delivered text. */
  readonly reasoningModel: boolean;
  /** What the agent has on hold, msat; null = nothing is held, as in free mode. */
  readonly held: Msat | null;
}

export interface Bill {
  readonly usage: TokenUsage;
  /** What the agent is charged; ≤ held. */
  readonly costMsat: Msat;
  /** What the provider is owed; ≤ costMsat. */
  readonly providerCostMsat: Msat;
  /** At least one side of `usage` is our count, not the provider's. */
  readonly estimated: boolean;
  /** There was a report and it was not borne out; counts against the provider. */
  readonly disbelieved: boolean;
  /** The cost was above the hold, by which the operator bears the rest. */
  readonly capped: boolean;
}

/**
 * Pure but for the lazy counts. Each exact count is asked for at most once. The two sides are judged
 * apart: a lie about the answer must not cost the agent its discount on a cached prompt.
 */
export function decideBill(order: BillOrder): Bill {
  const { rates, providerRates, held } = order;
  const own = countOnce(order.own);
  const reported = isPlaceholder(order) ? null : order.reported;
  const input = reported !== null && isInputBorneOut(reported, order.tolerance, own);
  const output = reported !== null && isOutputBorneOut(reported, order, own);
  const usage: TokenUsage = {
    inputTokens: input ? reported.inputTokens : own.inputTokens(),
    cachedInputTokens: input ? reported.cachedInputTokens : 0,
    outputTokens: output ? reported.outputTokens : own.outputTokens(),
  };
  const cost = costOf(rates, usage);
  const costMsat = held === null ? cost : minMsat(cost, held);
  const believed = input && output;
  return {
    usage,
    costMsat,
    providerCostMsat: minMsat(costOf(providerRates, usage), costMsat),
    estimated: !believed,
    disbelieved: reported !== null && !believed,
    capped: costMsat < cost,
  };
}

/** Zeros on both sides stand for no usage with many servers: no prompt has no tokens. */
function isPlaceholder({ reported, tolerance }: BillOrder): boolean {
  return tolerance > 0 && reported?.inputTokens === 0 && reported.outputTokens === 0;
}

function isInputBorneOut({ inputTokens }: Usage, tolerance: number, own: OwnCount): boolean {
  return isPlausible(inputTokens, tolerance, own.inputFloor, own.inputTokens);
}

function isOutputBorneOut(reported: Usage, order: BillOrder, own: OwnCount): boolean {
  const explained = order.reasoningModel ? reported.reasoningTokens : 0;
  const shown = reported.outputTokens - explained;
  return isPlausible(shown, order.tolerance, own.outputFloor, own.outputTokens);
}

/** At most what our own count allows; less is always believed. */
function isPlausible(
  tokens: number,
  tolerance: number,
  floor: () => number,
  exact: () => number,
): boolean {
  // From the cheapest proof to the dearest; floor ≤ exact, so each implies the ones after it.
  if (tolerance === 0 || tokens <= TOLERANCE_MARGIN_TOKENS) return true;
  if (tokens <= tolerance * floor() + TOLERANCE_MARGIN_TOKENS) return true;
  return tokens <= tolerance * exact() + TOLERANCE_MARGIN_TOKENS;
}

/** The exact counts, each computed when first asked for and kept. */
function countOnce(own: OwnCount): OwnCount {
  let input: number | null = null;
  let output: number | null = null;
  return {
    inputFloor: () => own.inputFloor(),
    outputFloor: () => own.outputFloor(),
    inputTokens: () => (input ??= own.inputTokens()),
    outputTokens: () => (output ??= own.outputTokens()),
  };
}
