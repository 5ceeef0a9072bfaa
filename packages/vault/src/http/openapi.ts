import swagger from '@fastify/swagger';
import fp from 'fastify-plugin';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { App } from './app-type.ts';

/** The API's description, from the same schemas that check requests. Before the routes. */
export const openapi = fp(
  async (app: App) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'arbstr vault',
          description:
            'Isolated sub-accounts for AI agents: tokens, spend policies, holds, audit trail. ' +
            'Amounts are integer millisatoshi, times Unix milliseconds.',
          version: '0.1.0',
        },
        components: {
          securitySchemes: {
            operator: { type: 'http', scheme: 'bearer', description: 'VAULT_ADMIN_TOKEN' },
            agent: { type: 'http', scheme: 'bearer', description: 'vtk_…' },
            internal: { type: 'apiKey', in: 'header', name: 'X-Internal-Token' },
          },
        },
      },
      transform: jsonSchemaTransform,
      transformObject: jsonSchemaTransformObject,
    });
    app.get('/docs/json', { schema: { hide: true } }, async (_request, reply) =>
      reply.send(app.swagger()),
    );
  },
  { name: 'openapi' },
);
