/** The stages of a request, bound to the parts that they act through. */
import { ownerOf } from './auth/caller.ts';
import type { Call } from './call.ts';
import type { Refusal } from './errors.ts';
import type { Stages } from './lifecycle.ts';
import type { ApiRequest } from './openai/api-request.ts';
import type { Billing, Parts } from './parts.ts';
import { recall } from './recall/recall.ts';
import { reserveClaimed } from './reserve/claimed.ts';
import { freeHold, type Hold } from './reserve/hold.ts';
import { isHold, reserve } from './reserve/reserve.ts';
import type { Choice } from './route/choose.ts';
import { type Attempts, firstAnswer } from './route/first-answer.ts';
import type { Ranking } from './route/rank.ts';
import { type Routed, route } from './route/route.ts';
import { sellersOf } from './route/sellers.ts';
import { estimatePrompt, type Prompt } from './tokens/prompt.ts';

export function bindStages(parts: Parts): Stages {
  const { billing, breakers, catalogue, nowMs, upstream } = parts;
  return {
    nowMs,
    checkpoints: parts.checkpoints,
    claims: parts.claims,
    recall: (request, { caller }) =>
      recall(request, (id) => parts.memory.recall(ownerOf(caller), id)),
    remember({ body }, { caller }, id, item) {
      if (body.store !== false) parts.memory.remember(ownerOf(caller), id, item);
    },
    route: (request, prompt, asked) =>
      routeWith(parts, parts.observed.ranking, request, prompt, asked),
    reserve: (request, choice, call, claim) =>
      billing === null
        ? Promise.resolve(freeHold())
        : reserveWith(parts, billing, request, choice, call, claim.key),
    firstAnswer: (request, choice, hold, call) =>
      learning(parts, () =>
        firstAnswer(
          {
            upstream,
            breakers,
            nowMs,
            retries: parts.retries,
            losses: parts.losses,
            limits: catalogue.current().config.retry,
            random: Math.random,
          },
          {
            request,
            choice,
            hold,
            agentId: call.caller.kind === 'agent' ? call.caller.agentId : null,
            correlationId: call.correlationId,
            shutdown: parts.shutdown.signal,
            clientGone: call.clientGone,
          },
        ),
      ),
  };
}

/** ROUTE, for a request and, with a ranking that takes no turns, for a dry run. */
export function routeWith(
  parts: Parts,
  rankingOf: (streaming: boolean) => Ranking,
  request: ApiRequest,
  prompt: Prompt,
  { caller, wish }: Pick<Call, 'caller' | 'wish'>,
): Routed {
  const { availability, catalogue, nowMs } = parts;
  const { config, providers } = catalogue.current();
  return route({
    request,
    wish,
    config,
    sellers: sellersOf(providers),
    prompt: estimatePrompt(prompt),
    expectation: parts.expectations.of,
    agentModels: caller.kind === 'agent' ? caller.allowedModels : null,
    ranking: rankingOf(request.stream),
    billing: config.vault,
    maxAttempts: config.retry.maxAttempts,
    rescue: config.retry.rescue,
    availability,
    nowMs: nowMs(),
  });
}

/** Ranking learns from answers that the first attempt gave: others say nothing of who gave them. */
export async function learning(
  { nowMs, observed }: Pick<Parts, 'nowMs' | 'observed'>,
  answer: () => Promise<Attempts>,
): Promise<Attempts> {
  const fromMs = nowMs();
  const attempts = await answer();
  const { kind, candidate } = attempts.answer;
  if (attempts.failed.length === 0 && (kind === 'streaming' || kind === 'whole')) {
    const { provider, offer } = candidate;
    observed.observe(provider.name, offer.model, kind === 'streaming', nowMs() - fromMs);
  }
  return attempts;
}

async function reserveWith(
  parts: Parts,
  billing: Billing,
  request: ApiRequest,
  choice: Choice,
  call: Call,
  key: string | null,
): Promise<Hold | Refusal> {
  const { caller, correlationId } = call;
  if (caller.kind !== 'agent') throw new Error('a billed request without an agent');
  const { vault } = parts.catalogue.current().config;
  if (vault === null) throw new Error('a billed request without a vault');
  const [{ estimatedInputTokens, offer, provider }] = choice.candidates;
  const deps = {
    ...billing,
    journal: parts.journal,
    nowMs: parts.nowMs,
    newReservationId: () => parts.newId('reservation'),
    pendingThreshold: vault.pendingThreshold,
  };
  const order = {
    agentToken: caller.token,
    agentId: caller.agentId,
    correlationId,
    requestedModel: request.model,
    heldMsat: choice.ceilingMsat,
    estimatedInputTokens,
    snapshot: {
      provider: provider.name,
      model: offer.model,
      rates: offer.rates,
      providerRates: offer.providerRates,
    },
  };
  const hold = await (key === null ? reserve(deps, order) : reserveClaimed(deps, order, key));
  if (!isHold(hold) && hold.code === 'invalid_api_key') billing.authenticator.forget(caller.token);
  return hold;
}
