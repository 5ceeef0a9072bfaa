/**
 * The least that a gateway in Node can do: Fastify in front, undici.request behind, bytes passed
 * on. No authentication, no parsing, no log, no money.
 */
import Fastify from 'fastify';
import { Pool } from 'undici';
import { serve } from './serve.ts';

const [providerPort] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${providerPort}`, { connections: 64 });

const app = Fastify();
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/v1/chat/completions', async (request, reply) => {
  const answer = await pool.request({
    method: 'POST',
    path: '/v1/chat/completions',
    headers: { 'content-type': 'application/json', authorization: 'Bearer bench' },
    body: request.body as Buffer,
  });
  reply.code(answer.statusCode).header('content-type', answer.headers['content-type']);
  const length = answer.headers['content-length'];
  if (length !== undefined) reply.header('content-length', length);
  return reply.send(answer.body);
});
await app.ready();
serve(app.server);
