/** Whatever arrives, the answer is one clear error in one shape, and the money stays where it was. */
import { connect } from 'node:net';
import type { InjectOptions } from 'fastify';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  ADMIN_TOKEN,
  type Answer,
  asCore,
  balanceOf,
  books,
  call,
  closeVaults,
  fundedAgent,
  held,
  INTERNAL_TOKEN,
  openVault,
  reserveBody,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;
let hold: string;
let before: Record<string, number>;

beforeAll(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault);
  hold = await held(vault, agent, 5_000);
  before = books(vault.path).accounts;
});
afterEach(() => {
  expect(books(vault.path).accounts).toEqual(before);
});
afterAll(async () => {
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

const AUTH = { authorization: `Bearer ${ADMIN_TOKEN}`, 'x-internal-token': INTERNAL_TOKEN };

function expectError(answer: Answer, status: number, code: string): void {
  expect([answer.status, answer.body?.error?.code]).toEqual([status, code]);
  expect(typeof answer.body.error.message).toBe('string');
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['x-request-id']).toBeTruthy();
}

/** Every route that takes a body, with one that it accepts. */
const bodies = (): { method: 'POST' | 'PUT' | 'PATCH'; url: string; body: object }[] => [
  { method: 'POST', url: '/agents', body: { name: 'x' } },
  { method: 'POST', url: `/agents/${agent.id}/deposit`, body: { amount_msat: 1 } },
  {
    method: 'POST',
    url: `/agents/${agent.id}/debit`,
    body: { amount_msat: 1, reason: 'x' },
  },
  { method: 'PUT', url: `/agents/${agent.id}/policy`, body: { daily_limit_msat: 1 } },
  { method: 'PATCH', url: `/operator/agents/${agent.id}/policy`, body: { daily_limit_msat: 1 } },
  { method: 'POST', url: '/internal/authenticate', body: { agent_token: 'x' } },
  { method: 'POST', url: '/internal/reserve', body: reserveBody(vault, agent) },
  { method: 'POST', url: '/internal/settle', body: { reservation_id: hold, actual_msats: 1 } },
  { method: 'POST', url: '/internal/release', body: { reservation_id: hold } },
  { method: 'POST', url: '/internal/extend', body: { reservation_id: hold, expires_in_secs: 1 } },
];

const send = (route: { method: 'POST' | 'PUT' | 'PATCH'; url: string }, over: InjectOptions) =>
  call(vault, {
    method: route.method,
    url: route.url,
    ...over,
    headers: { ...AUTH, 'content-type': 'application/json', ...over.headers },
  });

describe('on every route that takes a body', () => {
  test.each([
    ['half a document', '{"a":'],
    ['text', 'hello'],
    ['two documents', '{} {}'],
    ['a NaN', '{"amount_msat": NaN}'],
  ])('%s is invalid_json', async (_what, payload) => {
    for (const route of bodies()) {
      expectError(await send(route, { payload }), 400, 'invalid_json');
    }
  });

  test.each([
    ['no body', undefined],
    ['null', 'null'],
    ['a list', '[]'],
    ['a number', '1'],
    ['a string', '"x"'],
    ['a list nested 30,000 deep', '['.repeat(30_000) + ']'.repeat(30_000)],
    ['an object nested 10,000 deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
  ])('%s is invalid_request', async (_what, payload) => {
    for (const route of bodies()) {
      const answer = await send(route, payload === undefined ? {} : { payload });
      expectError(answer, 400, 'invalid_request');
    }
  });

  test('bytes that are not UTF-8 are refused, not replaced', async () => {
    for (const route of bodies()) {
      const payload = Buffer.concat([
        Buffer.from('{"name":"'),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}'),
      ]);
      expectError(await send(route, { payload }), 400, 'invalid_json');
    }
  });

  test('an unknown field is named', async () => {
    for (const route of bodies()) {
      const answer = await send(route, { payload: JSON.stringify({ ...route.body, amuont: 1 }) });
      expectError(answer, 400, 'invalid_request');
      expect(answer.body.error.message).toContain('amuont');
    }
  });

  test('"__proto__" is an unknown field like any other', async () => {
    for (const route of bodies()) {
      const payload = JSON.stringify(route.body).replace('{', '{"__proto__":{"a":1},');
      expectError(await send(route, { payload }), 400, 'invalid_request');
    }
  });

  test('another content type is unsupported', async () => {
    for (const route of bodies()) {
      const headers = { 'content-type': 'text/plain' };
      expectError(await send(route, { payload: 'x', headers }), 415, 'unsupported_media_type');
    }
  });

  test('a body beyond the limit is too large', async () => {
    for (const route of bodies()) {
      const payload = JSON.stringify({ name: 'x'.repeat(1024 * 1024) });
      expectError(await send(route, { payload }), 413, 'request_too_large');
    }
  });

  test('no or wrong credentials are unauthorized, before anything is read', async () => {
    for (const route of bodies()) {
      for (const headers of [
        { authorization: '', 'x-internal-token': '' },
        { authorization: 'Bearer wrong', 'x-internal-token': 'wrong' },
        { authorization: `Basic ${ADMIN_TOKEN}`, 'x-internal-token': `${INTERNAL_TOKEN}x` },
        { authorization: `Bearer ${agent.token}`, 'x-internal-token': ADMIN_TOKEN },
      ]) {
        expectError(await send(route, { payload: '{', headers }), 401, 'unauthorized');
      }
    }
  });
});

describe('amounts', () => {
  const AMOUNTS = [
    ['a float', '1.5'],
    ['a negative', '-1'],
    ['2^53', '9007199254740992'],
    ['10^400', '1e400'],
    ['a string', '"5"'],
    ['null', 'null'],
    ['a list', '[5]'],
    ['a boolean', 'true'],
  ] as const;
  const fields = [
    ['/internal/reserve', 'amount_msats'],
    ['/internal/settle', 'actual_msats'],
    ['deposit', 'amount_msat'],
    ['debit', 'amount_msat'],
  ] as const;
  test.each(
    AMOUNTS.flatMap(([what, text]) => fields.map((field) => [what, text, ...field] as const)),
  )('%s (%s) is refused by %s', async (_what, text, url, field) => {
    const route = bodies().find((candidate) => candidate.url.endsWith(url))!;
    const payload = JSON.stringify({ ...route.body, [field]: 0 }).replace(
      `"${field}":0`,
      `"${field}":${text}`,
    );
    const answer = await send(route, { payload });
    expectError(answer, 400, 'invalid_request');
    expect(answer.body.error.param).toBe(field);
  });

  test('a deposit of nothing is refused', async () => {
    const route = bodies()[1]!;
    expectError(await send(route, { payload: '{"amount_msat":0}' }), 400, 'invalid_request');
  });

  test('a deposit that would leave the exact range is refused', async () => {
    const payload = JSON.stringify({ amount_msat: Number.MAX_SAFE_INTEGER });
    expectError(await send(bodies()[1]!, { payload }), 400, 'invalid_request');
  });
});

describe('fields', () => {
  const reserveWith = (over: object) =>
    asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, over));
  test.each([
    ['reservation_id', 'rsv_short'],
    ['reservation_id', 'ag_01JABCDEFGHJKMNPQRSTVWXYZ0'],
    ['correlation_id', ''],
    ['correlation_id', 'a b'],
    ['correlation_id', 'x'.repeat(129)],
    ['expires_in_secs', 0],
    ['expires_in_secs', 3_601],
    ['expires_in_secs', 1.5],
    ['model', ''],
    ['model', 'x'.repeat(257)],
    ['agent_token', 'x'.repeat(257)],
    ['core_id', 7],
  ])('reserve: %s %s is refused by name', async (field, value) => {
    const answer = await reserveWith({ [field]: value });
    expectError(answer, 400, 'invalid_request');
    expect(answer.body.error.param).toBe(field);
  });

  test.each([
    ['a name of 101 characters', { name: 'x'.repeat(101) }],
    ['no name', {}],
    ['metadata that is no text', { name: 'x', metadata: { a: 1 } }],
    [
      'too much metadata',
      {
        name: 'x',
        metadata: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, 'v'])),
      },
    ],
  ])('an agent with %s is refused', async (_what, body) => {
    expectError(
      await send(bodies()[0]!, { payload: JSON.stringify(body) }),
      400,
      'invalid_request',
    );
  });

  test.each(['', 'x'.repeat(256), 'ä'])('the idempotency key %j is refused', async (key) => {
    const headers = { 'idempotency-key': key };
    const answer = await send(bodies()[0]!, { payload: '{"name":"x"}', headers });
    expectError(answer, 400, 'invalid_request');
  });
});

describe('routes and queries', () => {
  const get = (url: string, headers: Record<string, string> = AUTH) =>
    call(vault, { method: 'GET', url, headers });

  test.each(['/nope', '/agents/a/b/c', '/internal', '/internal/nope', `/${'x'.repeat(2_000)}`])(
    'an unknown route is not_found: %s',
    async (url) => expectError(await get(url), 404, 'not_found'),
  );

  test.each([
    ['DELETE', '/agents'],
    ['PUT', '/internal/reserve'],
    ['GET', '/internal/settle'],
    ['POST', '/health'],
  ] as const)('%s %s is method_not_allowed and says what is', async (method, url) => {
    const answer = await call(vault, { method, url, headers: AUTH });
    expectError(answer, 405, 'method_not_allowed');
    expect(answer.headers.allow).toBeTruthy();
  });

  test('a URL that cannot be decoded is refused', async () => {
    const answer = await get('/agents/%E0%A4%A');
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid_request']);
  });

  test.each([
    '/agents?limit=0',
    '/agents?limit=101',
    '/agents?limit=x',
    '/agents?limt=5',
    '/agents?limit=1&limit=2',
    '/internal/reservations?state=settled',
    '/internal/reservations?limit=1001',
    '/internal/reservations/rsv_x',
  ])('%s is refused', async (url) => expectError(await get(url), 400, 'invalid_request'));

  test.each([
    '/agents?cursor=x',
    '/agents?cursor=aGlzdG9yeTo1',
    '/agents?cursor=YWdlbnRzOmFnX3g',
    '/internal/reservations?cursor=%00',
  ])('%s is invalid_cursor', async (url) => expectError(await get(url), 400, 'invalid_cursor'));

  test.each([
    'history?action_type=NOPE',
    'history?order=sideways',
    'history?start_date=yesterday',
    'history?end_date=-1',
    'history?limit=1e2000',
  ])('%s is refused', async (url) => {
    expectError(await get(`/agents/${agent.id}/${url}`), 400, 'invalid_request');
  });

  test.each([
    `/agents/ag_01JABCDEFGHJKMNPQRSTVWXYZ0`,
    `/agents/ag_01JABCDEFGHJKMNPQRSTVWXYZ0/balance`,
    `/agents/ag_01JABCDEFGHJKMNPQRSTVWXYZ0/history`,
    `/agents/'; DROP TABLE agents; --/balance`,
    '/agents/me/balance',
    '/internal/reservations/rsv_01JABCDEFGHJKMNPQRSTVWXYZ0',
  ])('what does not exist is not_found: %s', async (url) => {
    expectError(await get(encodeURI(url)), 404, 'not_found');
  });

  test('an agent token is invalid_token where it is malformed, wrong or missing', async () => {
    for (const authorization of [
      '',
      'Bearer',
      'Bearer vtk_x',
      `Bearer ${agent.token}x`,
      agent.token,
    ]) {
      expectError(await get('/agents/me', { authorization }), 401, 'invalid_token');
    }
  });
});

describe('request ids', () => {
  test('a well-formed one is echoed', async () => {
    const answer = await call(vault, {
      method: 'GET',
      url: '/health',
      headers: { 'x-request-id': 'A1._:-z' },
    });
    expect(answer.headers['x-request-id']).toBe('A1._:-z');
  });

  test.each(['a b', 'x'.repeat(129), 'ü'])('a malformed one (%s) is replaced', async (id) => {
    const answer = await call(vault, {
      method: 'GET',
      url: '/health',
      headers: { 'x-request-id': id },
    });
    expect(answer.headers['x-request-id']).toMatch(/^req_/);
  });
});

describe('on the socket', () => {
  /** Sends raw bytes and resolves with everything that came back when the vault hung up. */
  async function raw(bytes: string): Promise<string> {
    if (!vault.app.server.listening) await vault.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = vault.app.server.address() as { port: number };
    return new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.setEncoding('utf8');
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('close', () => resolve(answer));
      socket.on('error', reject);
    });
  }

  test.each([
    ['not HTTP', 'hello\r\n\r\n', 400],
    [
      'two lengths',
      'POST /agents HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
      400,
    ],
    [
      'length and chunks',
      'POST /agents HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}',
      400,
    ],
    ['a head without end', `GET /health HTTP/1.1\r\nx: ${'y'.repeat(40_000)}`, 431],
    [
      'a length beyond the limit',
      `POST /agents HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n{`,
      413,
    ],
  ])('%s is answered and hung up on', async (_what, bytes, status) => {
    const answer = await raw(bytes);
    expect(answer).toContain(`HTTP/1.1 ${status} `);
    expect(answer).toMatch(/\{"error":\{"code":"\w+","message":"[^"]+"\}\}/);
    expect(answer.toLowerCase()).toContain('connection: close');
  });

  test('two internal tokens are none', async () => {
    const line = `x-internal-token: ${INTERNAL_TOKEN}\r\n`;
    const answer = await raw(
      `GET /internal/reservations HTTP/1.1\r\nhost: x\r\n${line}${line}connection: close\r\n\r\n`,
    );
    expect(answer).toContain('HTTP/1.1 401 ');
  });
});

test('after all that the next request is served', async () => {
  expect(await balanceOf(vault, agent)).toEqual({ available: 995_000, held: 5_000, spent: 0 });
});
