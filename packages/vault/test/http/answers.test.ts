/** Every route, once, with its answer checked against the schema that describes it. */
import {
  authenticateAnswerSchema,
  extendAnswerSchema,
  releaseAnswerSchema,
  reservationListSchema,
  reservationSchema,
  reserveAnswerSchema,
  settleAnswerSchema,
} from '@arbstr/shared';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import {
  agentAnswer,
  balanceAnswer,
  createAgentAnswer,
  depositAnswer,
  disableAnswer,
  historyEntry,
  listedAgent,
  meAnswer,
  pageAnswer,
  policyAnswer,
  setPolicyAnswer,
} from '../../src/http/schemas.ts';
import {
  type Answer,
  asAgent,
  asCore,
  asOperator,
  call,
  closeVaults,
  fundedAgent,
  held,
  openVault,
  reserveBody,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let agent: TestAgent;

beforeEach(async () => {
  vault = await openVault();
  agent = await fundedAgent(vault);
});
afterEach(closeVaults);

/** Nothing missing, nothing of a wrong type, nothing that is not described. */
function expectDescribed(answer: Answer, schema: z.ZodType, status = 200): void {
  expect(answer.status).toBe(status);
  expect(schema.parse(answer.body)).toEqual(answer.body);
}

test('POST /agents', async () => {
  const answer = await asOperator(vault, 'POST', '/agents', {
    name: 'Ada',
    metadata: { team: 'blue' },
    policy: { daily_limit_msat: 5 },
  });
  expectDescribed(answer, createAgentAnswer, 201);
  expect(answer.body.token).toMatch(/^vtk_[A-Za-z0-9_-]{43}$/);
});

test('GET /agents', async () => {
  const answer = await asOperator(vault, 'GET', '/agents');
  expectDescribed(answer, z.object({ agents: z.array(listedAgent), ...pageAnswer }));
});

test('GET /agents/:id', async () => {
  const answer = await asOperator(vault, 'GET', `/agents/${agent.id}`);
  expectDescribed(answer, agentAnswer);
  expect(answer.body).toMatchObject({ name: 'test agent', balance_msat: 1_000_000 });
});

test('DELETE /agents/:id', async () => {
  const answer = await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
  expectDescribed(answer, disableAnswer);
  expect((await asOperator(vault, 'DELETE', `/agents/${agent.id}`)).body).toEqual(answer.body);
});

test('POST /agents/:id/deposit', async () => {
  const answer = await asOperator(vault, 'POST', `/agents/${agent.id}/deposit`, { amount_msat: 9 });
  expectDescribed(answer, depositAnswer);
  expect(answer.body).toMatchObject({ amount_msat: 9, balance_msat: 1_000_009 });
});

test('PATCH /operator/agents/:id/policy', async () => {
  const url = `/operator/agents/${agent.id}/policy`;
  expectDescribed(await asOperator(vault, 'PATCH', url, { daily_limit_msat: 7 }), setPolicyAnswer);
});

test('PUT /agents/:id/policy', async () => {
  const url = `/agents/${agent.id}/policy`;
  expectDescribed(await asOperator(vault, 'PUT', url, { daily_limit_msat: 7 }), setPolicyAnswer);
});

test('GET /agents/:id/policy/versions', async () => {
  const answer = await asOperator(vault, 'GET', `/agents/${agent.id}/policy/versions`);
  expectDescribed(answer, z.object({ versions: z.array(policyAnswer), ...pageAnswer }));
});

test('GET /agents/me', async () => {
  const answer = await asAgent(vault, agent.token, '/agents/me');
  expectDescribed(answer, meAnswer);
  expect(answer.body).toMatchObject({ agent_id: agent.id, scopes: ['spend', 'read'] });
});

test('GET /agents/:id/balance', async () => {
  expectDescribed(await asAgent(vault, agent.token, '/agents/me/balance'), balanceAnswer);
});

test('GET /agents/:id/history', async () => {
  await settle(vault, await held(vault, agent), 400, { provider: 'alpha' });
  const answer = await asAgent(vault, agent.token, '/agents/me/history');
  expectDescribed(answer, z.object({ entries: z.array(historyEntry), ...pageAnswer }));
  expect(JSON.stringify(answer.body)).not.toMatch(/token_hash|transfers/);
});

test('POST /internal/authenticate', async () => {
  const answer = await asCore(vault, 'POST', '/authenticate', { agent_token: agent.token });
  expectDescribed(answer, authenticateAnswerSchema);
  expect(answer.body).toEqual({
    agent_id: agent.id,
    scopes: ['spend', 'read'],
    allowed_models: null,
    policy_version: 1,
  });
});

test('POST /internal/reserve, /extend, /settle, /release', async () => {
  const reserve = await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent));
  expectDescribed(reserve, reserveAnswerSchema);
  const { reservation_id } = reserve.body;
  const extended = await asCore(vault, 'POST', '/extend', { reservation_id, expires_in_secs: 90 });
  expectDescribed(extended, extendAnswerSchema);
  expectDescribed(await settle(vault, reservation_id, 1), settleAnswerSchema);
  const other = await held(vault, agent);
  const released = await asCore(vault, 'POST', '/release', { reservation_id: other, reason: 'x' });
  expectDescribed(released, releaseAnswerSchema);
});

test('GET /internal/reservations/:id and its list', async () => {
  const id = await held(vault, agent);
  expectDescribed(await asCore(vault, 'GET', `/reservations/${id}`), reservationSchema);
  expectDescribed(await asCore(vault, 'GET', '/reservations'), reservationListSchema);
});

test('GET /health', async () => {
  const { status, body } = await call(vault, { method: 'GET', url: '/health' });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    status: 'ok',
    mode: 'normal',
    rails: { simulated: { status: 'ok' } },
    database: { readable: true, writable: true, reason: null },
    queue: { depth: 0 },
  });
  expect(body.ledger_epoch).toMatch(/^epoch_/);
});

test('GET /docs/json describes every route with every status', async () => {
  const { body } = await call(vault, { method: 'GET', url: '/docs/json' });
  const routes = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods as object).map(([method, { responses }]) => {
      expect(Object.keys(responses)).toContain('200' in responses ? '200' : '201');
      return `${method} ${path}`;
    }),
  );
  expect(routes.sort()).toEqual([
    'delete /agents/{id}',
    'delete /agents/{id}/tokens/{token_id}',
    'get /agents',
    'get /agents/me',
    'get /agents/{id}',
    'get /agents/{id}/approvals',
    'get /agents/{id}/approvals/{approval_id}',
    'get /agents/{id}/balance',
    'get /agents/{id}/deposits',
    'get /agents/{id}/deposits/{deposit_id}',
    'get /agents/{id}/history',
    'get /agents/{id}/history.csv',
    'get /agents/{id}/payments',
    'get /agents/{id}/payments/{tx_id}',
    'get /agents/{id}/policy/versions',
    'get /agents/{id}/tokens',
    'get /agents/{id}/usage',
    'get /health',
    'get /internal/reservations',
    'get /internal/reservations/{id}',
    'get /metrics',
    'get /operator/approvals',
    'get /operator/audit',
    'get /operator/audit/checkpoint',
    'get /operator/dashboard',
    'get /operator/payouts',
    'get /operator/providers/{name}',
    'get /operator/solvency',
    'get /operator/stats',
    'get /operator/verify',
    'get /operator/webhooks',
    'patch /operator/agents/{id}/policy',
    'post /agents',
    'post /agents/{id}/debit',
    'post /agents/{id}/deposit',
    'post /agents/{id}/deposits',
    'post /agents/{id}/pay',
    'post /agents/{id}/tokens',
    'post /agents/{id}/withdrawals',
    'post /internal/authenticate',
    'post /internal/extend',
    'post /internal/release',
    'post /internal/reserve',
    'post /internal/settle',
    'post /operator/approvals/{approval_id}/approve',
    'post /operator/approvals/{approval_id}/deny',
    'post /operator/providers/{name}/debit',
    'post /operator/rails/{rail}/thaw',
    'post /operator/recovery/finish',
    'post /operator/simulated/deposits/{id}/pay',
    'post /operator/verify',
    'post /operator/webhooks/{event_id}/replay',
    'post /operator/withdrawals',
    'put /agents/{id}/policy',
    'put /operator/providers/{name}',
  ]);
});
