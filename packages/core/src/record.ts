/** What a finished request leaves behind: one row, one log line. Never a prompt, never a token. */
import { MSAT_MAX, type Msat, msat } from '@arbstr/shared';
import type { Call } from './call.ts';
import { CORE_ERRORS } from './errors.ts';
import { retriesOf } from './http/answer-headers.ts';
import type { Facts, Outcome } from './outcome.ts';
import type { RequestRow } from './ports.ts';
import { costOf } from './pricing/cost.ts';
import type { FailedAttempt } from './route/first-answer.ts';

/** nginx's code for a client that closed the connection; there is no official one. */
const CLIENT_CLOSED_REQUEST = 499;

export function requestRow(outcome: Outcome, call: Call, nowMs: number): RequestRow {
  const { facts } = outcome;
  const { bill, candidate } = facts;
  const refusal = 'refusal' in outcome ? outcome.refusal : null;
  return {
    correlationId: call.correlationId,
    reservationId: facts.reservationId,
    agentId: call.caller.kind === 'agent' ? call.caller.agentId : null,
    timestampMs: call.receivedAtMs,
    requestedModel: facts.requestedModel ?? '',
    endpoint: call.endpoint,
    model: candidate?.offer.model ?? null,
    provider: candidate?.provider.name ?? null,
    tier: candidate?.tier ?? null,
    streaming: facts.streaming,
    status: statusOf(outcome),
    errorCode: refusal?.code ?? null,
    errorMessage: refusal === null ? null : refusal.message.slice(0, 500),
    ending: endingOf(outcome),
    inputTokens: bill?.usage.inputTokens ?? null,
    cachedInputTokens: bill?.usage.cachedInputTokens ?? null,
    outputTokens: bill?.usage.outputTokens ?? null,
    estimated: bill?.estimated ?? false,
    disbelieved: bill?.disbelieved ?? false,
    costMsat: bill?.costMsat ?? null,
    providerCostMsat: bill?.providerCostMsat ?? null,
    heldMsat: facts.heldMsat,
    attempts: retriesOf(facts.failed),
    latencyMs: Math.max(0, nowMs - call.receivedAtMs),
    firstByteMs: facts.firstByteMs,
    lostMsat: lostOf(facts.failed),
    policy: facts.policy,
    floor: facts.floor,
    complexityScore: facts.score,
    ...elsewhere(facts),
  };
}

function lostOf(failed: readonly FailedAttempt[]): Msat {
  const sum = failed.reduce((total, { lostMsat }) => total + lostMsat, 0);
  return msat(Math.min(sum, MSAT_MAX));
}

/** The prices of this moment; a later statistic cannot know them. Less than was wanted is no saving. */
function elsewhere(facts: Facts): Pick<RequestRow, 'dearestMsat' | 'meanMsat'> {
  const { bill, candidate, qualified } = facts;
  if (bill === null || candidate === null || !qualified.includes(candidate)) {
    return { dearestMsat: null, meanMsat: null };
  }
  const costs = qualified.map(({ offer }) => costOf(offer.rates, bill.usage));
  const sum = costs.reduce((total, cost) => total + cost, 0);
  return { dearestMsat: Math.max(...costs), meanMsat: Math.round(sum / costs.length) };
}

const logNames = new Map<string, string>();

/** costMsat → cost_msat, as everywhere in the logs. */
function logName(key: string): string {
  let name = logNames.get(key);
  if (name === undefined) {
    name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    logNames.set(key, name);
  }
  return name;
}

/** The log's line of a request: the row without what is empty, in the log's spelling. */
export function requestLine(row: RequestRow): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row)) {
    if (value === null || value === '' || value === false || key === 'timestampMs') continue;
    if (key === 'lostMsat' && value === 0) continue;
    line[logName(key)] = value;
  }
  return line;
}

function statusOf(outcome: Outcome): number {
  switch (outcome.kind) {
    case 'refused':
      return outcome.refusal.status;
    case 'client_gone':
      return CLIENT_CLOSED_REQUEST;
    case 'broken':
      return CORE_ERRORS.provider_error.status;
    case 'answered':
    case 'replayed':
    case 'streamed':
      return 200;
  }
}

function endingOf(outcome: Outcome): string {
  return outcome.kind === 'streamed' ? 'answered' : outcome.kind;
}
