import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken, isSecret } from '../auth/caller.ts';
import type { Snapshot } from '../catalogue/snapshot.ts';
import { isLoopback } from '../config/address.ts';
import type { Secret } from '../config/secret.ts';
import type { ProviderConfig } from '../config/types.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { BreakerRegistry } from '../route/breaker/registry.ts';
import { writeRefusal } from './hardening.ts';
import { wireRates } from './models.ts';

export interface OperatorAuth {
  readonly authToken: () => Secret | null;
  /** Where core listens. */
  readonly host: string;
}

export interface ProvidersRouteDeps extends OperatorAuth {
  readonly current: () => Snapshot;
  readonly breakers: BreakerRegistry;
}

/** The holder of server.auth_token; without one, whoever is on this machine, if core serves no other. */
export function refuseStranger(auth: OperatorAuth, request: FastifyRequest): Refusal | null {
  const { host } = auth;
  const authToken = auth.authToken();
  if (authToken !== null) {
    if (isSecret(bearerToken(request.headers.authorization), authToken)) return null;
    return refuse(
      'invalid_api_key',
      'This is the operator\'s: send server.auth_token as "Authorization: Bearer …".',
    );
  }
  if (isLoopback(host)) return null;
  return refuse(
    'insufficient_scope',
    "This is the operator's, and core listens for other machines without an operator token: set server.auth_token.",
  );
}

/** Who sells what for how much, and whether it can be routed to now. Keys are masked. */
export function providersRoute(app: FastifyInstance, deps: ProvidersRouteDeps): void {
  for (const url of ['/providers', '/v1/providers']) {
    app.get(url, async (request, reply): Promise<object | FastifyReply> => {
      const refused = refuseStranger(deps, request);
      if (refused !== null) return writeRefusal(reply, refused);
      return {
        providers: deps
          .current()
          .providers.map((provider) => wireProvider(provider, deps.breakers)),
        rate_unit: 'sats_per_1m_tokens',
      };
    });
  }
}

function wireProvider(provider: ProviderConfig, breakers: BreakerRegistry) {
  const { name, kind, url, tier, offers, apiKey } = provider;
  const state = breakers.stateOf(name);
  const pausedUntilMs = breakers.pausedUntilMs(name);
  const models = breakers.modelsOf(name);
  const inFlight = breakers.inFlight(name);
  const reasons = [
    ...(offers.size === 0 ? ['it lists no models'] : []),
    ...(state === 'open' ? ['it rests after repeated failures'] : []),
    ...(pausedUntilMs === null ? [] : ['it asked for a pause (Retry-After)']),
    ...(inFlight >= provider.maxConcurrency ? ['it is at its concurrency limit'] : []),
  ];
  return {
    name,
    kind,
    url: kind === 'mock' ? null : url,
    tier,
    endpoints: [...provider.endpoints],
    weight: provider.weight,
    has_api_key: apiKey !== null,
    api_key: apiKey?.mask() ?? null,
    state,
    paused_until: pausedUntilMs === null ? null : new Date(pausedUntilMs).toISOString(),
    in_flight: inFlight,
    max_concurrency: provider.maxConcurrency,
    routable: reasons.length === 0,
    /** Why not, in words; empty where it is. */
    reasons,
    models: [...offers.values()].map((offer) => ({
      id: offer.model,
      ...wireRates(offer.rates),
      context_window: offer.contextWindow,
      max_output_tokens: offer.maxOutputTokens,
      supports: offer.supports === null ? null : [...offer.supports],
      reasoning: offer.reasoning,
      state: models[offer.model] ?? 'closed',
    })),
  };
}
