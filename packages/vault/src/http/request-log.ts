import fp from 'fastify-plugin';
import type { Logger } from 'pino';
import type { App } from './app-type.ts';

/**
 * One line per request. The two that move an agent's money carry core's correlation id, so that one
 * id finds a request in both services' logs; the other internal ones are for debugging.
 */
export const requestLog = fp(
  async (app: App, { log }: { log: Logger }) => {
    app.addHook('onResponse', (request, reply, done) => {
      const level = levelOf(request.url, reply.statusCode);
      if (log.isLevelEnabled(level)) {
        log[level](
          {
            request_id: request.id,
            method: request.method,
            path: request.url.split('?', 1)[0],
            status: reply.statusCode,
            duration_ms: Math.round(reply.elapsedTime),
          },
          'request',
        );
      }
      done();
    });
  },
  { name: 'request-log' },
);

function levelOf(url: string, status: number): 'debug' | 'info' | 'error' {
  if (status >= 500) return 'error';
  if (url === '/internal/reserve' || url === '/internal/settle') return 'info';
  return url.startsWith('/internal/') || url === '/health' ? 'debug' : 'info';
}
