import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { Secret } from '../../src/config/secret.ts';
import { writeRefusal } from '../../src/http/hardening.ts';
import { refuseStranger } from '../../src/http/providers.ts';

let app: FastifyInstance;
afterEach(() => app.close());

async function ask(
  headers: Record<string, string>,
  token: string | null = null,
  host = '127.0.0.1',
) {
  app = Fastify();
  const auth = { authToken: () => (token === null ? null : new Secret(token)), host };
  app.get('/', (request, reply) => {
    const refused = refuseStranger(auth, request);
    return refused === null ? reply.send('fine') : writeRefusal(reply, refused);
  });
  const answer = await app.inject({
    url: '/',
    headers: { host: 'localhost:8080', ...headers },
  });
  return answer.statusCode;
}

it.each(['localhost', '127.0.0.1:8080', '[::1]:8080'])(
  'answers whoever asks %s on this machine',
  async (host) => {
    expect(await ask({ host })).toBe(200);
  },
);

it.each([
  ['x-forwarded-for', '203.0.113.9'],
  ['x-forwarded-host', 'api.example'],
  ['x-forwarded-proto', 'https'],
  ['forwarded', 'for=203.0.113.9'],
  ['via', '1.1 proxy'],
  ['x-real-ip', '203.0.113.9'],
  ['host', 'api.example'],
])('answers nobody whom a proxy on this machine lets in, by %s', async (name, value) => {
  expect(await ask({ [name]: value })).toBe(403);
});

it('answers nobody without a token where other machines can ask', async () => {
  expect(await ask({}, null, '0.0.0.0')).toBe(403);
});

it('answers the holder of the token, through a proxy too', async () => {
  const through = { via: '1.1 proxy', host: 'api.example' };
  expect(await ask({ ...through, authorization: 'Bearer secret' }, 'secret')).toBe(200);
  await app.close();
  expect(await ask(through, 'secret')).toBe(401);
});
