import { randomUUID } from 'node:crypto';
import { CORRELATION_ID_PATTERN } from '@arbstr/shared';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Caller } from './auth/caller.ts';
import type { Place } from './http/caller-limits.ts';
import { type CostRouteDeps, costRoute } from './http/cost.ts';
import {
  answerBrokenRequest,
  notFound,
  refusalOfError,
  SERVER_LIMITS,
  writeRefusal,
} from './http/hardening.ts';
import { type HealthDeps, healthRoute } from './http/health.ts';
import { type InferenceRouteDeps, idHeaders, inferenceRoutes } from './http/inference.ts';
import { type MetricsRouteDeps, metricsRoute } from './http/metrics.ts';
import { type ModelsRouteDeps, modelsRoute } from './http/models.ts';
import { type ProvidersRouteDeps, providersRoute } from './http/providers.ts';
import { type RequestsRouteDeps, requestsRoute } from './http/requests.ts';
import { type StatsRouteDeps, statsRoute } from './http/stats.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the route's own authentication, before the body is read. */
    caller: Caller | null;
    receivedAtMs: number;
    /** Of its caller's limits; null where nothing was counted. */
    place: Place | null;
    isServing: boolean;
  }
}

export interface AppDeps {
  readonly log: FastifyBaseLogger;
  readonly bodyLimitBytes: number;
  readonly nowMs: () => number;
  readonly chat: InferenceRouteDeps;
  readonly cost: CostRouteDeps;
  readonly models: ModelsRouteDeps;
  readonly providers: ProvidersRouteDeps;
  readonly stats: StatsRouteDeps;
  readonly metrics: MetricsRouteDeps;
  readonly requests: RequestsRouteDeps;
  readonly health: HealthDeps;
}

/** The HTTP side of core, not listening. Each route authenticates for itself, where it can be seen. */
export function buildApp(deps: AppDeps): FastifyInstance {
  const app = Fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: deps.bodyLimitBytes,
    keepAliveTimeout: SERVER_LIMITS.keepAliveTimeoutMs,
    requestTimeout: SERVER_LIMITS.requestTimeoutMs,
    http: {
      headersTimeout: SERVER_LIMITS.headersTimeoutMs,
      connectionsCheckingInterval: SERVER_LIMITS.checkIntervalMs,
    },
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
    genReqId: (raw) => {
      const given = raw.headers['x-request-id'];
      return typeof given === 'string' && CORRELATION_ID_PATTERN.test(given) ? given : randomUUID();
    },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, request, reply) => {
      reply.headers(idHeaders(request.id));
      void writeRefusal(reply, refusalOfError(error, deps.bodyLimitBytes));
    },
  });
  app.server.maxConnections = SERVER_LIMITS.connectionsMax;

  // Every body is bytes to us: the one route that has one reads it itself.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

  app.decorateRequest('caller', null);
  app.decorateRequest('receivedAtMs', 0);
  app.decorateRequest('place', null);
  app.decorateRequest('isServing', false);
  app.addHook('onRequest', (request, reply, done) => {
    request.receivedAtMs = deps.nowMs();
    reply.headers(idHeaders(request.id));
    done();
  });
  app.setNotFoundHandler((request, reply) => writeRefusal(reply, notFound(request)));
  app.setErrorHandler((error: Parameters<typeof refusalOfError>[0], request, reply) => {
    const refusal = refusalOfError(error, deps.bodyLimitBytes);
    if (refusal.status >= 500) request.log.error({ err: error }, 'request failed inside arbstr');
    return writeRefusal(reply, refusal);
  });

  inferenceRoutes(app, deps.chat);
  costRoute(app, deps.cost);
  modelsRoute(app, deps.models);
  requestsRoute(app, deps.requests);
  statsRoute(app, deps.stats);
  metricsRoute(app, deps.metrics);
  providersRoute(app, deps.providers);
  healthRoute(app, deps.health);
  return app;
}
