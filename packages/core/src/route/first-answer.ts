/**
 * The attempts of one request: candidate after candidate, until one answers or none is left; then,
 * where a failure passes by itself, the same ones again after a wait. Each attempt holds a breaker
 * permit, which goes back in `finally` (a stream keeps its own until it has ended).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Msat, msat } from '@arbstr/shared';
import { type Refusal, refuse, refuseAsProvider } from '../errors.ts';
import type { ApiRequest } from '../openai/api-request.ts';
import type { UpstreamHeaders } from '../ports.ts';
import { costOf } from '../pricing/cost.ts';
import type { Hold } from '../reserve/hold.ts';
import { HOLD_BACK_MS_MAX } from '../stream/hold-back.ts';
import type { LiveStream } from '../stream/live-stream.ts';
import type { Meter } from '../stream/meter.ts';
import { type AttemptDeps, type AttemptResult, attempt } from './attempt.ts';
import type { BreakerRegistry, Permit, Verdict } from './breaker/registry.ts';
import type { LossBudget, RetryBudget } from './budget.ts';
import type { Candidate, Choice } from './choose.ts';
import { FAILURES, type Failure, verdictOf } from './failure.ts';
import { refuseAll } from './refuse-all.ts';
import { nextRound, type RetryLimits } from './retry.ts';
import { upstreamOrder } from './upstream-order.ts';

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
  readonly model: string;
  readonly failure: Failure;
  /** What the provider may charge the operator for the prompt, estimated; the agent pays nothing. */
  readonly lostMsat: Msat;
}

export interface Attempts {
  readonly answer: FirstAnswer;
  readonly failed: readonly FailedAttempt[];
}

export interface FirstAnswerDeps extends AttemptDeps {
  readonly breakers: BreakerRegistry;
  readonly retries: RetryBudget;
  readonly losses: LossBudget;
  readonly limits: AttemptLimits;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface AttemptLimits extends RetryLimits {
  /** The longest Retry-After that pauses a provider. */
  readonly pauseMsMax: number;
  /** Of one stream that is held back. */
  readonly rescueBytesMax: number;
}

export interface FirstAnswerOrder {
  readonly request: ApiRequest;
  readonly choice: Choice;
  readonly hold: Hold;
  /** Null in free mode, where the losses are the caller's own. */
  readonly agentId: string | null;
  readonly correlationId: string;
  readonly shutdown: AbortSignal;
  readonly clientGone: AbortSignal;
}

export async function firstAnswer(
  deps: FirstAnswerDeps,
  order: FirstAnswerOrder,
): Promise<Attempts> {
  const asking: Asking = { deps, order, startedAtMs: deps.nowMs(), failed: [] };
  deps.retries.earn();
  let candidates: readonly Candidate[] = order.choice.candidates.slice(0, deps.limits.maxAttempts);
  for (let round = 1; ; round++) {
    const asked = await askRound(asking, candidates);
    if (asked.answer !== null) return { answer: asked.answer, failed: asking.failed };
    const attempts = asking.failed.length;
    const next = nextRound(asked.last, attempts, round, deps.limits, deps.random());
    if (next === null || !(await mayWait(asking, next.waitMs))) break;
    candidates = next.candidates;
  }
  return { answer: nobody(asking), failed: asking.failed };
}

interface Asking {
  readonly deps: FirstAnswerDeps;
  readonly order: FirstAnswerOrder;
  readonly startedAtMs: number;
  readonly failed: (FailedAttempt & { readonly candidate: Candidate })[];
}

/** Each candidate once, in order. `last`: how those that were asked have failed. */
async function askRound(
  asking: Asking,
  candidates: readonly Candidate[],
): Promise<{ answer: FirstAnswer | null; last: ReadonlyMap<Candidate, Failure> }> {
  const { deps, order } = asking;
  const { breakers } = deps;
  const last = new Map<Candidate, Failure>();
  /** The candidates that found the prompt too long, with what they said. */
  const tooSmall: { readonly window: number | null; readonly refused: FirstAnswer }[] = [];
  const canAnswer = ({ provider, seat }: Candidate): boolean =>
    breakers.allows(provider.name, seat) &&
    breakers.inFlight(provider.name) < provider.maxConcurrency;
  for (const [index, candidate] of candidates.entries()) {
    const { provider, offer } = candidate;
    // Nobody would read the answer, and the next provider bills for it all the same.
    if (order.clientGone.aborted || !mayLose(asking)) break;
    if (tooSmall.some(({ window }) => takesNoMore(offer.contextWindow, window))) continue;
    const permit = breakers.take(provider.name, candidate.seat, provider.maxConcurrency);
    if (permit === null) continue;
    const anotherIsLeft = candidates.slice(index + 1).some(canAnswer);
    const result = await guarded(asking, candidate, permit, anotherIsLeft);
    if (result.kind !== 'failed') return { answer: conclude(result, candidate, permit), last };
    last.set(candidate, result.failure);
    fail(asking, candidate, result.failure);
    if (result.refusal !== null) {
      const { status, error, headers } = result.refusal;
      const refusal = refuseAsProvider(status, error);
      const refused: FirstAnswer = { kind: 'nobody', refusal, candidate, headers };
      tooSmall.push({ window: offer.contextWindow, refused });
    }
  }
  // The request's own fault, and nobody takes more: its provider's words say it best.
  return { answer: tooSmall.at(-1)?.refused ?? null, last };
}

/** Unknown windows may be larger, and a prompt that is refused for its length costs nothing. */
const takesNoMore = (window: number | null, tooSmall: number | null): boolean =>
  window !== null && tooSmall !== null && window <= tooSmall;

/** Runs one attempt and tells the breaker what it says of the provider, whatever happens. */
async function guarded(
  asking: Asking,
  candidate: Candidate,
  permit: Permit,
  anotherIsLeft: boolean,
): Promise<AttemptResult> {
  const { deps, order, startedAtMs, failed } = asking;
  const { offer, provider } = candidate;
  let verdict: Verdict = { heard: 'nothing' };
  let keep = false;
  try {
    order.hold.dispatched(
      {
        provider: provider.name,
        model: offer.model,
        rates: offer.rates,
        providerRates: offer.providerRates,
      },
      candidate.estimatedInputTokens,
    );
    const result = await attempt(deps, {
      ...upstreamOrder(order.request, candidate),
      holdBack:
        order.choice.rescue === 'buffer'
          ? { bytesMax: deps.limits.rescueBytesMax, untilMs: startedAtMs + HOLD_BACK_MS_MAX }
          : null,
      correlationId: order.correlationId,
      anotherIsLeft,
      shutdown: order.shutdown,
      clientGone: order.clientGone,
    });
    if (result.kind === 'failed') {
      const repeated = failed.some((earlier) => isSameBlame(earlier, candidate, result.failure));
      verdict = verdictOf(result.failure, deps.limits.pauseMsMax, repeated);
    } else if (result.kind === 'whole') verdict = { heard: 'healthy' };
    keep = result.kind === 'streaming';
    return result;
  } finally {
    if (!keep) permit.done(verdict);
  }
}

/** A virtual model may have two candidates at one provider; its breaker hears of one request once. */
function isSameBlame(earlier: FailedAttempt, candidate: Candidate, failure: Failure): boolean {
  const { blames } = FAILURES[failure.kind];
  if (earlier.provider !== candidate.provider.name) return false;
  if (FAILURES[earlier.failure.kind].blames !== blames) return false;
  return blames !== 'model' || earlier.model === candidate.offer.model;
}

function fail({ deps, order, failed }: Asking, candidate: Candidate, failure: Failure): void {
  const { offer, provider } = candidate;
  const { mayBeBilled } = FAILURES[failure.kind];
  if (mayBeBilled && order.agentId !== null) deps.losses.lose(order.agentId);
  const prompt = {
    inputTokens: candidate.estimatedInputTokens,
    cachedInputTokens: 0,
    outputTokens: 0,
  };
  failed.push({
    provider: provider.name,
    model: offer.model,
    failure,
    lostMsat: mayBeBilled ? costOf(offer.providerRates, prompt) : msat(0),
    candidate,
  });
}

function mayLose({ deps, order }: Asking): boolean {
  return order.agentId === null || deps.losses.waitMs(order.agentId) === 0;
}

/** Waits for the next round; false = there is none: the caller left, or the process has no retries to spare. */
async function mayWait({ deps, order }: Asking, waitMs: number): Promise<boolean> {
  const ended = AbortSignal.any([order.clientGone, order.shutdown]);
  if (ended.aborted || !deps.retries.spend()) return false;
  return sleep(waitMs, true, { signal: ended }).catch(() => false);
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
      const { status, error, headers } = result.refusal;
      return { kind: 'nobody', refusal: refuseAsProvider(status, error), candidate, headers };
    }
  }
}

function nobody(asking: Asking): FirstAnswer {
  const { deps, order, failed } = asking;
  const candidate = failed.at(-1)?.candidate ?? null;
  const waitMs = order.agentId === null ? 0 : deps.losses.waitMs(order.agentId);
  const refusal =
    failed.length === 0 && waitMs > 0
      ? refuse(
          'rate_limited',
          'Too many requests of this agent have failed at providers that may charge for them. Nothing was sent or charged.',
          { retryAfterSecs: Math.ceil(waitMs / 1000) },
        )
      : refuseAll(order.request.model, failed);
  return { kind: 'nobody', refusal, candidate, headers: {} };
}
