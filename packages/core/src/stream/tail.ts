/**
 * What ends a stream. A whole one: the usage chunk for a caller that asked, the bill as a comment,
 * the one end mark. A broken one: the error, and no end mark, so that no client takes it for whole.
 */
import type { Msat } from '@arbstr/shared';
import type { ChatRequest } from '../openai/chat-request.ts';
import { openaiError } from '../openai/error-body.ts';
import type { Bill } from '../pricing/bill.ts';
import type { Candidate } from '../route/choose.ts';
import type { Relayed } from './relay.ts';
import {
  billComment,
  DONE_EVENT,
  errorEvent,
  type OpenAiUsage,
  usageEvent,
  type Bill as WireBill,
  withBill,
} from './trailer.ts';

export interface TailOrder {
  readonly relayed: Relayed;
  readonly request: ChatRequest;
  readonly candidate: Candidate;
  readonly bill: Bill;
  readonly wantsComment: boolean;
  readonly correlationId: string;
  readonly latencyMs: number;
  readonly nowMs: number;
}

export function streamTail(order: TailOrder): Buffer {
  const { relayed, request } = order;
  if (relayed.end.kind === 'client_gone') return Buffer.alloc(0);
  const bill = wireBill(order);
  const comment = order.wantsComment ? [billComment(bill, relayed.hasIds)] : [];
  if (relayed.end.kind === 'broken') {
    const error = errorEvent(openaiError(brokenStream(relayed.end.message, relayed.end.timedOut)));
    return Buffer.concat([...comment, error]);
  }
  const usage = request.includeUsage === 'asked' ? [usageChunk(order, bill)] : [];
  return Buffer.concat([...usage, ...comment, DONE_EVENT]);
}

/** The error that a caller sees in a stream that broke after its first byte. */
export function brokenStream(message: string, timedOut: boolean) {
  return {
    message: `The stream broke: ${message}. What was delivered is billed; the answer is not complete.`,
    type: 'api_error',
    code: timedOut ? 'provider_timeout' : 'provider_error',
  } as const;
}

function usageChunk(order: TailOrder, bill: WireBill): Buffer {
  const { relayed, correlationId, request, nowMs } = order;
  if (relayed.usageEvent !== null) return withBill(relayed.usageEvent, bill);
  const { id, model, created } = relayed.meter.identity;
  return usageEvent({
    id: id ?? `chatcmpl-${correlationId}`,
    created: created ?? Math.floor(nowMs / 1000),
    model: model ?? request.model,
    usage: bill.usage,
    arbstr: bill,
  });
}

function wireBill({ bill, candidate, latencyMs }: TailOrder): WireBill {
  return {
    cost_msats: bill.costMsat satisfies Msat,
    provider: candidate.provider.name,
    model: candidate.offer.model,
    tier: candidate.tier,
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
