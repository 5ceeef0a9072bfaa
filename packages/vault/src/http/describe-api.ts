import Fastify from 'fastify';
import type { App } from './app-type.ts';
import { openapi } from './openapi.ts';
import type { VaultParts } from './parts.ts';
import { vaultRoutes } from './routes.ts';
import { serializerCompiler, validatorCompiler } from './validation.ts';

/** The OpenAPI document, without a database: the routes are registered and never called. */
export async function describeApi(): Promise<object> {
  const app = Fastify({ logger: false }) as unknown as App;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  await app.register(openapi);
  await app.register(vaultRoutes, {
    config: { adminToken: '', internalToken: '' },
    ledgerMetrics: [],
  } as unknown as VaultParts);
  await app.ready();
  return app.swagger();
}
