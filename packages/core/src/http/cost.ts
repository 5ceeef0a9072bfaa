import { formatSats, HEADERS } from '@arbstr/shared';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { ApiRequest } from '../openai/api-request.ts';
import { parseChatRequest } from '../openai/chat-request.ts';
import type { Choice } from '../route/choose.ts';
import type { Routed, Wish } from '../route/route.ts';
import type { Prompt } from '../tokens/prompt.ts';
import { type AuthDeps, reader } from './authenticate.ts';
import { writeRefusal } from './hardening.ts';
import { wireRates } from './models.ts';

export interface CostRouteDeps extends AuthDeps {
  /** The stage of a real request, without taking anybody's turn. */
  readonly dryRoute: (request: ApiRequest, prompt: Prompt, asked: DryAsk) => Routed;
}

export interface DryAsk {
  readonly caller: Caller;
  readonly wish: Wish;
}

/** What a chat request would cost and why it would go there. Nothing is held, sent or billed. */
export function costRoute(app: FastifyInstance, deps: CostRouteDeps): void {
  for (const url of ['/v1/cost', '/cost']) {
    app.post(url, {
      async onRequest(request, reply) {
        const caller = await reader(deps, request);
        if (caller.kind === 'refused') return writeRefusal(reply, caller);
        request.caller = caller;
        return undefined;
      },
      handler(request, reply) {
        const answer = costOfRequest(deps, request);
        return 'kind' in answer ? writeRefusal(reply, answer) : reply.send(answer);
      },
    });
  }
}

function costOfRequest(deps: CostRouteDeps, http: FastifyRequest): object | Refusal {
  const body = Buffer.isBuffer(http.body) ? http.body : Buffer.alloc(0);
  const parsed = parseChatRequest(body);
  if (!parsed.ok) {
    const { code, message, param } = parsed.error;
    return refuse(code, message, { param });
  }
  const { request } = parsed;
  const wish = wishOf(http);
  const routed = deps.dryRoute(request, request.prompt(), { caller: http.caller!, wish });
  return routed.choice.kind === 'refused' ? routed.choice : explain(routed, routed.choice);
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
    estimated_input_tokens: choice.estimatedInputTokens,
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
