/** The vault's HTTP side. Builds, never listens. */
import Fastify from 'fastify';
import type { App } from './http/app-type.ts';
import { echoRequestId, requestIdSource } from './http/correlation.ts';
import { clientErrorHandler, errorAnswers, frameworkErrors } from './http/errors.ts';
import { jsonBody } from './http/json-body.ts';
import {
  BODY_BYTES_MAX,
  CONNECTIONS_MAX,
  HEADER_BYTES_MAX,
  HEADERS_TIMEOUT_MS,
  KEEP_ALIVE_MS,
  REQUEST_TIMEOUT_MS,
  SOCKET_IDLE_MS,
  TIMEOUT_CHECK_MS,
} from './http/limits.ts';
import { openapi } from './http/openapi.ts';
import type { VaultParts } from './http/parts.ts';
import { principals } from './http/principal.ts';
import { requestLog } from './http/request-log.ts';
import { vaultRoutes } from './http/routes.ts';
import { serializerCompiler, validatorCompiler } from './http/validation.ts';

export async function buildApp(parts: VaultParts): Promise<App> {
  const app = Fastify({
    // Lines are written by our own hook.
    logger: false,
    genReqId: requestIdSource(parts.newId),
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionTimeout: SOCKET_IDLE_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
    },
    return503OnClosing: false,
    clientErrorHandler,
    frameworkErrors,
  }) as unknown as App;
  app.server.maxConnections = CONNECTIONS_MAX;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);

  await app.register(jsonBody);
  await app.register(errorAnswers, { log: parts.log });
  await app.register(echoRequestId);
  await app.register(principals);
  await app.register(requestLog, { log: parts.requestLog });
  await app.register(openapi);

  await app.register(vaultRoutes, parts);
  return app;
}
