import { formatSats, HEADERS } from '@arbstr/shared';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { ApiRequest } from '../openai/api-request.ts';
import { parseChatRequest } from '../openai/chat-request.ts';
import { type Facts, NO_FACTS } from '../outcome.ts';
import type { Choice } from '../route/choose.ts';
import type { Routed, Wish } from '../route/route.ts';
import type { Prompt } from '../tokens/prompt.ts';
import { factHeaders } from './answer-headers.ts';
import { type AuthDeps, reader } from './authenticate.ts';
import { admit, type GateDeps } from './gate.ts';
import { writeRefusal } from './hardening.ts';
import { wireRates } from './models.ts';

export interface CostRouteDeps extends AuthDeps, GateDeps {
  /** The stage of a real request, without taking anybody's turn. */
  readonly dryRoute: (request: ApiRequest, prompt: Prompt, asked: DryAsk) => Routed;
  readonly nowMs: () => number;
}

export interface DryAsk {
  readonly caller: Caller;
  readonly wish: Wish;
}

/** What a chat request would cost and why it would go there. Nothing is held, sent or billed. */
export function costRoute(app: FastifyInstance, deps: CostRouteDeps): void {
  for (const url of ['/v1/cost', '/cost']) {
    app.post(url, {
      onRequest: (request, reply) => admit(deps, request, reply, () => reader(deps, request)),
      handler(request, reply) {
        const { answer, facts } = costOfRequest(deps, request);
        reply.headers(factHeaders(facts, deps.nowMs() - request.receivedAtMs));
        return 'kind' in answer ? writeRefusal(reply, answer) : reply.send(answer);
      },
    });
  }
}

interface Costed {
  readonly answer: object | Refusal;
  /** What the headers of the request itself would say, as far as they are known beforehand. */
  readonly facts: Facts;
}

function costOfRequest(deps: CostRouteDeps, http: FastifyRequest): Costed {
  const body = Buffer.isBuffer(http.body) ? http.body : Buffer.alloc(0);
  const parsed = parseChatRequest(body);
  if (!parsed.ok) {
    const { code, message, param } = parsed.error;
    return { answer: refuse(code, message, { param }), facts: NO_FACTS };
  }
  const { request } = parsed;
  const wish = wishOf(http);
  const routed = deps.dryRoute(request, request.prompt(), { caller: http.caller!, wish });
  const { choice, policy, score, floor } = routed;
  const facts: Facts = { ...NO_FACTS, policy, score, floor };
  if (choice.kind === 'refused') return { answer: choice, facts };
  return { answer: explain(routed, choice), facts: { ...facts, candidate: choice.candidates[0] } };
}

function explain({ policy, score, floor }: Routed, choice: Choice): object {
  const [best] = choice.candidates;
  return {
    model: best.offer.model,
    provider: best.provider.name,
    tier: best.tier,
    floor,
    policy,
    complexity_score: score,
    estimated_input_tokens: best.estimatedInputTokens,
    estimated_output_tokens: best.expectedOutput,
    expected_cost_msats: best.expectedMsat,
    expected_cost_sats: Number(formatSats(best.expectedMsat)),
    ceiling_msats: choice.ceilingMsat,
    rates: wireRates(best.offer.rates),
    rate_unit: 'sats_per_1m_tokens',
    candidates: choice.candidates.map(({ provider, offer, tier, expectedMsat }) => ({
      provider: provider.name,
      model: offer.model,
      tier,
      expected_cost_msats: expectedMsat,
    })),
    excluded: choice.excluded.map(({ provider, model, exclusion: { reason, ...details } }) => ({
      provider,
      model,
      reason,
      ...details,
    })),
  };
}

/** What the headers of a request say about its route. */
export function wishOf({ headers }: FastifyRequest): Wish {
  return {
    policy: headers[HEADERS.policy]?.toString() ?? null,
    complexity: headers[HEADERS.complexity]?.toString() ?? null,
  };
}
