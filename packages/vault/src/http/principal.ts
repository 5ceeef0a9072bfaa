import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks: `operator` or an agent's id; null before authentication and for core. */
    principal: string | null;
  }
}

export const principals = fp(
  async (app) => {
    app.decorateRequest('principal', null);
  },
  { name: 'principals' },
);
