/** What is said at the end of a stream in every dialect: what it cost, and why it broke. */
import type { Bill } from '../pricing/bill.ts';
import type { Candidate } from '../route/choose.ts';
import type { OpenAiUsage, Bill as WireBill } from './trailer.ts';

/** The error that a caller sees in a stream that broke after its first byte. */
export function brokenStream(message: string, timedOut: boolean) {
  return {
    message: `The stream broke: ${message}. What was delivered is billed; the answer is not complete.`,
    type: 'api_error',
    code: timedOut ? 'provider_timeout' : 'provider_error',
  } as const;
}

export function wireBill(
  { provider, offer, tier }: Candidate,
  bill: Bill,
  latencyMs: number,
): WireBill {
  return {
    cost_msats: bill.costMsat,
    provider: provider.name,
    model: offer.model,
    tier,
    latency_ms: latencyMs,
    usage: wireUsage(bill),
    estimated: bill.estimated,
  };
}

function wireUsage({ usage }: Bill): OpenAiUsage {
  return {
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    ...(usage.cachedInputTokens === 0
      ? {}
      : { prompt_tokens_details: { cached_tokens: usage.cachedInputTokens } }),
  };
}
