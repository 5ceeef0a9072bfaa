import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, it } from 'vitest';
import { mockConfig } from '../../src/config/mock.ts';
import { Secret } from '../../src/config/secret.ts';
import { providersRoute } from '../../src/http/providers.ts';
import { createBreakers } from '../../src/route/breaker/registry.ts';

let app: FastifyInstance;
afterEach(() => app.close());

async function ask(headers: Record<string, string>, token: string | null = null, host?: string) {
  const config = mockConfig();
  app = Fastify();
  providersRoute(app, {
    authToken: () => (token === null ? null : new Secret(token)),
    host: host ?? '127.0.0.1',
    current: () => ({ config, providers: [] }),
    breakers: createBreakers({ ...config.breaker, probeMs: 1 }, () => 0),
  });
  const answer = await app.inject({
    url: '/providers',
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
