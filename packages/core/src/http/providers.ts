import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken, isSecret } from '../auth/caller.ts';
import type { Snapshot } from '../catalogue/snapshot.ts';
import { isLoopback } from '../config/address.ts';
import type { Secret } from '../config/secret.ts';
import type { ProviderConfig } from '../config/types.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { Feeds } from '../feed/feeds.ts';
import type { BreakerRegistry } from '../route/breaker/registry.ts';
import { seatOf } from '../route/seat.ts';
import { writeRefusal } from './hardening.ts';
import { wireRates } from './models.ts';
import { feedReasons, wireFeed } from './wire-feed.ts';

export interface OperatorAuth {
  readonly authToken: () => Secret | null;
  /** Where core listens. */
  readonly host: string;
}

export interface ProvidersRouteDeps extends OperatorAuth {
  readonly current: () => Snapshot;
  readonly breakers: BreakerRegistry;
  readonly feeds: Feeds;
  readonly nowMs: () => number;
}

/** What reverse proxies add: the request came from somewhere else. */
const FORWARDING = [
  'forwarded',
  'via',
  'x-real-ip',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
];

/** A proxy may add none of these but keep the Host; so does a browser that a rebound name sends here. */
const isForwarded = ({ headers, hostname }: FastifyRequest): boolean =>
  FORWARDING.some((name) => headers[name] !== undefined) ||
  !isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'));

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
  if (isLoopback(host) && !isForwarded(request)) return null;
  return refuse(
    'insufficient_scope',
    "This is the operator's, and without an operator token it answers only who asks on this machine, by its own address: set server.auth_token.",
  );
}

/** Who sells what for how much, and whether it can be routed to now. Keys are masked. */
export function providersRoute(app: FastifyInstance, deps: ProvidersRouteDeps): void {
  for (const url of ['/providers', '/v1/providers']) {
    app.get(url, async (request, reply): Promise<object | FastifyReply> => {
      const refused = refuseStranger(deps, request);
      if (refused !== null) return writeRefusal(reply, refused);
      const { config, providers } = deps.current();
      const msatPerUsd = deps.feeds.msatPerUsd(config);
      return {
        providers: providers.map((provider) => wireProvider(provider, deps)),
        rate_unit: 'sats_per_1m_tokens',
        sats_per_usd: msatPerUsd === null ? null : msatPerUsd / 1000,
      };
    });
  }
}

function wireProvider(provider: ProviderConfig, { breakers, feeds, nowMs }: ProvidersRouteDeps) {
  const { name, kind, url, tier, offers, apiKey } = provider;
  const state = breakers.stateOf(name);
  const pausedUntilMs = breakers.pausedUntilMs(name);
  const models = breakers.modelsOf(name);
  const inFlight = breakers.inFlight(name);
  const reasons = [
    ...(offers.size === 0 && provider.discovery === null ? ['it lists no models'] : []),
    ...feedReasons(provider, feeds),
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
    feed: wireFeed(provider, feeds, nowMs()),
    models: [...offers.values()].map((offer) => ({
      id: offer.model,
      ...wireRates(offer.rates),
      long_prompts: offer.steps.map(({ fromTokens, rates }) => ({
        from_tokens: fromTokens,
        ...wireRates(rates),
      })),
      context_window: offer.contextWindow,
      max_output_tokens: offer.maxOutputTokens,
      supports: offer.supports === null ? null : [...offer.supports],
      reasoning: offer.reasoning,
      state: stateAt(provider, offer.model, models),
    })),
  };
}

/** Of the first endpoint where it rests. */
function stateAt(
  { endpoints }: ProviderConfig,
  model: string,
  states: Readonly<Record<string, string>>,
): string {
  const seats = [...endpoints].map((endpoint) => seatOf(model, endpoint));
  // Not by [] alone: a model may be called "constructor".
  const resting = seats.find((seat) => Object.hasOwn(states, seat));
  return resting === undefined ? 'closed' : states[resting]!;
}
