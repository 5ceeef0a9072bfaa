/**
 * The attempts of one request: candidate after candidate, until one answers or none is left. Each
 * attempt holds a breaker permit, which goes back in `finally` (a stream keeps its own until it has
 * ended).
 */
import { type Refusal, refuse, refuseAsProvider } from '../errors.ts';
import type { ChatRequest } from '../openai/chat-request.ts';
import { upstreamBody } from '../openai/rewrite-body.ts';
import type { UpstreamHeaders } from '../ports.ts';
import type { Hold } from '../reserve/hold.ts';
import type { Meter } from '../stream/meter.ts';
import { type AttemptDeps, type AttemptResult, attempt, type LiveStream } from './attempt.ts';
import type { BreakerRegistry, Permit } from './breaker/registry.ts';
import type { Candidate, Choice } from './choose.ts';
import { FAILURES, type Failure } from './failure.ts';

export type FirstAnswer =
  | {
      kind: 'whole';
      candidate: Candidate;
      headers: UpstreamHeaders;
      bytes: Buffer;
      meter: Meter;
    }
  | {
      kind: 'streaming';
      candidate: Candidate;
      headers: UpstreamHeaders;
      stream: LiveStream;
      permit: Permit;
    }
  /** Nobody answered; nothing reached the caller. */
  | { kind: 'nobody'; refusal: Refusal; candidate: Candidate | null; headers: UpstreamHeaders }
  /** The caller left (or the drain ended) while this candidate was working. */
  | { kind: 'abandoned'; candidate: Candidate; sent: boolean };

export interface FailedAttempt {
  readonly provider: string;
  readonly failure: Failure;
}

export interface Attempts {
  readonly answer: FirstAnswer;
  readonly failed: readonly FailedAttempt[];
}

export interface FirstAnswerDeps extends AttemptDeps {
  readonly breakers: BreakerRegistry;
}

export interface FirstAnswerOrder {
  readonly request: ChatRequest;
  readonly choice: Choice;
  readonly hold: Hold;
  readonly correlationId: string;
  readonly shutdown: AbortSignal;
  readonly clientGone: AbortSignal;
}

export async function firstAnswer(
  deps: FirstAnswerDeps,
  order: FirstAnswerOrder,
): Promise<Attempts> {
  const failed: FailedAttempt[] = [];
  const { candidates } = order.choice;
  const canAnswer = ({ provider }: Candidate): boolean =>
    deps.breakers.allows(provider.name) &&
    deps.breakers.inFlight(provider.name) < provider.maxConcurrency;
  for (const [index, candidate] of candidates.entries()) {
    const { provider } = candidate;
    // Nobody would read the answer, and the next provider bills for it all the same.
    if (order.clientGone.aborted) break;
    const permit = deps.breakers.take(provider.name, provider.maxConcurrency);
    if (permit === null) continue;
    const rest = candidates.slice(index + 1);
    const result = await guarded(deps, order, candidate, permit, rest.some(canAnswer));
    if (result.kind !== 'failed') return { answer: conclude(result, candidate, permit), failed };
    failed.push({ provider: provider.name, failure: result.failure });
  }
  const last = candidates.find(({ provider }) => provider.name === failed.at(-1)?.provider) ?? null;
  const refusal = refuseAll(order.request.model, failed);
  return { answer: { kind: 'nobody', refusal, candidate: last, headers: {} }, failed };
}

/** Runs one attempt and tells the breaker what it says of the provider, whatever happens. */
async function guarded(
  deps: FirstAnswerDeps,
  order: FirstAnswerOrder,
  candidate: Candidate,
  permit: Permit,
  anotherIsLeft: boolean,
): Promise<AttemptResult> {
  let report: Parameters<Permit['done']>[0] = 'nothing';
  let keep = false;
  try {
    order.hold.dispatched({
      provider: candidate.provider.name,
      model: candidate.offer.model,
      rates: candidate.offer.rates,
      providerRates: candidate.offer.providerRates,
    });
    const { request } = order;
    const changes =
      candidate.sendBoundAs === null || candidate.outputBound === null
        ? {}
        : { maxTokens: { key: candidate.sendBoundAs, value: candidate.outputBound } };
    const result = await attempt(deps, {
      candidate,
      body: upstreamBody(request, request.stream ? { ...changes, includeUsage: true } : changes),
      plainBody: () => upstreamBody(request, { ...changes, includeUsage: false }),
      streaming: request.stream,
      correlationId: order.correlationId,
      anotherIsLeft,
      shutdown: order.shutdown,
      clientGone: order.clientGone,
    });
    if (result.kind === 'failed') report = FAILURES[result.failure.kind].breaker;
    else if (result.kind === 'whole') report = 'healthy';
    keep = result.kind === 'streaming';
    return result;
  } finally {
    if (!keep) permit.done(report);
  }
}

function conclude(
  result: Exclude<AttemptResult, { kind: 'failed' }>,
  candidate: Candidate,
  permit: Permit,
): FirstAnswer {
  switch (result.kind) {
    case 'whole':
      return { ...result, candidate };
    case 'streaming':
      return { ...result, candidate, permit };
    case 'abandoned':
      return { kind: 'abandoned', candidate, sent: result.sent };
    case 'request_refused': {
      const refusal = refuseAsProvider(result.status, result.error);
      return { kind: 'nobody', refusal, candidate, headers: result.headers };
    }
  }
}

/** What the caller hears when every candidate has failed. It was charged nothing. */
function refuseAll(model: string, failed: readonly FailedAttempt[]): Refusal {
  const name = JSON.stringify(model);
  if (failed.length === 0) {
    return refuse(
      'overloaded',
      `Every provider of ${name} became busy or paused. Try again shortly.`,
    );
  }
  const what = failed.map(({ provider, failure }) => `${provider}: ${failure.message}`).join('; ');
  const kinds = new Set(failed.map(({ failure }) => failure.kind));
  if (kinds.size === 1 && kinds.has('rate_limited')) {
    const waits = failed.flatMap(({ failure }) => failure.retryAfterSecs ?? []);
    return refuse(
      'rate_limited',
      `Every provider of ${name} is rate limited. Nothing was charged.`,
      {
        retryAfterSecs: waits.length === 0 ? 1 : Math.max(1, Math.min(...waits)),
      },
    );
  }
  if (kinds.size === 1 && kinds.has('timeout')) {
    return refuse(
      'provider_timeout',
      `No provider of ${name} answered in time (${what}). Nothing was charged.`,
    );
  }
  return refuse(
    'provider_error',
    `Every provider of ${name} failed (${what}). Nothing was charged.`,
    {
      shouldRetry: kinds.size === 1 && kinds.has('not_connected'),
    },
  );
}
