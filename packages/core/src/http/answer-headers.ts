/** Response headers of every answer: what the upstream may say, and what core knows. Pure. */
import { formatSats, HEADERS, msat } from '@arbstr/shared';
import type { Facts } from '../outcome.ts';
import type { AnswerHeaders, KeptAnswer, UpstreamHeaders } from '../ports.ts';
import type { FailedAttempt } from '../route/first-answer.ts';

/** Everything else of the upstream's headers stays behind: cookies, lengths, hop-by-hop, organisation. */
const PASSED = ['content-type', 'openai-processing-ms', 'openai-version'] as const;
const PASSED_PREFIXES = ['retry-after'] as const;
/** A provider's rate limit is not the caller's, once several share its key. */
const PASSED_PREFIXES_FREE = ['retry-after', 'x-ratelimit-'] as const;

/** RFC 9110 §5.5: what a header value may hold; anything else of a provider's is dropped. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export function upstreamHeaders(upstream: UpstreamHeaders, free: boolean): AnswerHeaders {
  const prefixes = free ? PASSED_PREFIXES_FREE : PASSED_PREFIXES;
  const passed: AnswerHeaders = {};
  for (const [name, value] of Object.entries(upstream)) {
    const text = Array.isArray(value) ? value[0] : value;
    if (text === undefined || !HEADER_VALUE.test(text)) continue;
    const listed = (PASSED as readonly string[]).includes(name);
    if (listed || prefixes.some((prefix) => name.startsWith(prefix))) passed[name] = text;
  }
  return passed;
}

export function factHeaders(facts: Facts, latencyMs: number): AnswerHeaders {
  const headers: AnswerHeaders = { [HEADERS.latencyMs]: String(latencyMs) };
  const { candidate, bill, balanceMsat, failed } = facts;
  if (candidate !== null) {
    headers[HEADERS.provider] = candidate.provider.name;
    headers[HEADERS.model] = headerSafe(candidate.offer.model);
    headers[HEADERS.tier] = candidate.tier;
    if (candidate.sendBoundAs !== null && candidate.outputBound !== null) {
      headers[HEADERS.maxTokens] = String(candidate.outputBound);
    }
  }
  if (facts.policy !== null) headers[HEADERS.policy] = facts.policy;
  if (facts.score !== null) headers[HEADERS.complexityScore] = facts.score.toFixed(3);
  if (facts.floor !== null) headers[HEADERS.floor] = facts.floor;
  if (failed.length > 0) headers[HEADERS.retries] = retriesOf(failed);
  if (bill !== null) headers[HEADERS.costSats] = formatSats(bill.costMsat);
  if (balanceMsat !== null) headers[HEADERS.balanceSats] = formatSats(balanceMsat);
  if (facts.streaming) headers[HEADERS.streaming] = 'true';
  return headers;
}

/** Of an answer that is given again: as it was billed then, and no bill now. */
export function keptHeaders(kept: KeptAnswer): AnswerHeaders {
  return {
    'content-type': kept.contentType ?? 'application/json',
    [HEADERS.replayed]: 'true',
    [HEADERS.provider]: kept.provider,
    [HEADERS.model]: headerSafe(kept.model),
    [HEADERS.tier]: kept.tier,
    [HEADERS.costSats]: formatSats(msat(kept.costMsat)),
  };
}

/** "2/alpha, 1/beta": failed attempts per provider, first seen first. */
export function retriesOf(failed: readonly Pick<FailedAttempt, 'provider'>[]): string {
  const counts = new Map<string, number>();
  for (const { provider } of failed) counts.set(provider, (counts.get(provider) ?? 0) + 1);
  return [...counts].map(([provider, count]) => `${count}/${provider}`).join(', ');
}

/** Model names come from the config and may hold what a header may not. */
const headerSafe = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');
