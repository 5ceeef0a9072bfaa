/** Spend policies over HTTP, and what they do to reserves. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  asAgent,
  asCore,
  asOperator,
  closeVaults,
  fundedAgent,
  openVault,
  pass,
  reserveBody,
  settle,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
beforeEach(async () => {
  vault = await openVault();
});
afterEach(closeVaults);

const FULL = {
  max_transaction_msat: 1_000,
  daily_limit_msat: 2_000,
  max_fee_msat: 30,
  approval_timeout_ms: 60_000,
  alert_floor_msat: 400,
  alert_cooldown_ms: 5_000,
  allowed_models: ['gpt-4o-mini', 'auto'],
  allowed_destinations: ['shop@example.com'],
};
const NONE = Object.fromEntries(Object.keys(FULL).map((field) => [field, null]));

const reserve = (agent: TestAgent, over: object) =>
  asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, over));
const put = (agent: TestAgent, policy: object) =>
  asOperator(vault, 'PUT', `/agents/${agent.id}/policy`, policy);
const patch = (agent: TestAgent, policy: object) =>
  asOperator(vault, 'PATCH', `/operator/agents/${agent.id}/policy`, policy);

test('every field is set, shown everywhere, merged, lifted and replaced', async () => {
  const agent = await fundedAgent(vault, { policy: FULL });
  const me = await asAgent(vault, agent.token, '/agents/me');
  expect(me.body.policy).toMatchObject({ version: 1, ...FULL });
  const shown = await asOperator(vault, 'GET', `/agents/${agent.id}`);
  expect(shown.body.policy).toEqual(me.body.policy);

  for (const field of Object.keys(FULL)) {
    const { body } = await patch(agent, { [field]: null });
    expect(body.policy[field]).toBeNull();
  }
  expect((await patch(agent, {})).body.policy).toMatchObject(NONE);
  expect((await put(agent, FULL)).body.policy).toMatchObject(FULL);
  expect((await put(agent, { max_fee_msat: 1 })).body.policy).toMatchObject({
    ...NONE,
    max_fee_msat: 1,
  });
  const { body } = await asOperator(vault, 'GET', `/agents/${agent.id}/policy/versions?limit=100`);
  expect(body.versions).toHaveLength(Object.keys(FULL).length + 4);
  expect(body.versions.at(-1)).toMatchObject({ version: 1, ...FULL });
  expect(vault.verify().findings).toEqual([]);
});

test('a policy is the same after a restart, and binds the same', async () => {
  const agent = await fundedAgent(vault, { policy: FULL });
  vault = await vault.restart();
  expect((await asAgent(vault, agent.token, '/agents/me')).body.policy).toMatchObject(FULL);
  expect((await reserve(agent, { model: 'gpt-4o' })).body.error.rule).toBe('allowed_models');
});

test.each([
  ['max_transaction_msat', -1],
  ['daily_limit_msat', 1.5],
  ['max_fee_msat', '5'],
  ['max_fee_msat', 2 ** 53],
  ['approval_timeout_ms', 999],
  ['approval_timeout_ms', 7 * 24 * 3_600_000 + 1],
  ['approval_timeout_ms', true],
  ['alert_floor_msat', []],
  ['alert_cooldown_ms', 0],
  ['allowed_models', 'gpt-4o'],
  ['allowed_models', ['']],
  ['allowed_models', ['a', 'a']],
  ['allowed_models', [1]],
  ['allowed_models', ['x'.repeat(257)]],
  ['allowed_destinations', Array.from({ length: 201 }, (_, n) => `d${n}`)],
])('%s: %j is refused by name, and nothing changes', async (field, value) => {
  const agent = await fundedAgent(vault, { policy: FULL });
  for (const change of [put, patch]) {
    const answer = await change(agent, { [field]: value });
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid_request']);
    expect(answer.body.error.param).toMatch(new RegExp(`^${field}`));
  }
  const created = await asOperator(vault, 'POST', '/agents', {
    name: 'x',
    policy: { [field]: value },
  });
  expect(created.status).toBe(400);
  expect((await asAgent(vault, agent.token, '/agents/me')).body.policy.version).toBe(1);
});

describe('allowed models', () => {
  test('bind a reserve by the model or by what was asked for', async () => {
    const agent = await fundedAgent(vault, { policy: { allowed_models: ['gpt-4o-mini', 'auto'] } });
    expect((await reserve(agent, { model: 'gpt-4o-mini' })).status).toBe(200);
    expect((await reserve(agent, { model: 'gpt-4o', requested_model: 'auto' })).status).toBe(200);
    const refused = await reserve(agent, { model: 'gpt-4o', requested_model: 'best' });
    expect([refused.status, refused.body.error]).toMatchObject([
      403,
      { code: 'policy_denied', rule: 'allowed_models' },
    ]);
    expect(refused.body.error.message).toContain('best');
  });

  test('are told to core with the token, and a change with it', async () => {
    const agent = await fundedAgent(vault, { policy: {} });
    const authenticate = async () =>
      (await asCore(vault, 'POST', '/authenticate', { agent_token: agent.token })).body;
    expect(await authenticate()).toMatchObject({ allowed_models: null, policy_version: 1 });
    await patch(agent, { allowed_models: ['m'] });
    expect(await authenticate()).toMatchObject({ allowed_models: ['m'], policy_version: 2 });
    expect((await reserve(agent, {})).body.error.rule).toBe('allowed_models');
  });
});

test('T5: the limits hold under 60 reserves at once', async () => {
  const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 10_000 } });
  const answers = await Promise.all(Array.from({ length: 60 }, () => reserve(agent, {})));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(10);
  expect(statuses.filter((status) => status === 403)).toHaveLength(50);
});

describe('T33: the day is a window of 24 h', () => {
  const DAY_MS = 24 * 3_600_000;

  test('ten holds of a tenth, and the eleventh is refused though nothing settled', async () => {
    const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 10_000 } });
    for (let n = 0; n < 10; n++) expect((await reserve(agent, {})).status).toBe(200);
    expect((await reserve(agent, { amount_msats: 1 })).body.error.rule).toBe('daily_limit_msat');
  });

  // 2026-03-29 is when Europe's clocks go forward, 2026-10-25 when they go back.
  test.each(['2026-03-28T23:59:59.999Z', '2026-10-24T23:59:59.999Z', '2026-12-31T23:59:59.999Z'])(
    'spend of %s counts until all of its minute is a day old, whatever midnight does',
    async (moment) => {
      vault.clock.set(Date.parse(moment));
      const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 1_000 } });
      const spent = await reserve(agent, {});
      await settle(vault, spent.body.reservation_id, 1_000);
      await pass(vault, 1);
      expect((await reserve(agent, { amount_msats: 1 })).status).toBe(403);
      vault.clock.set(Date.parse(moment) + DAY_MS);
      expect((await reserve(agent, { amount_msats: 1 })).status).toBe(403);
      vault.clock.set(Date.parse(moment) + DAY_MS + 1);
      expect((await reserve(agent, { amount_msats: 1_000 })).status).toBe(200);
    },
  );
});

test('a stored policy that cannot be read denies, and cannot be merged into', async () => {
  const agent = await fundedAgent(vault, { policy: FULL });
  vault.writer.exec('DROP TRIGGER policy_versions_no_update');
  vault.writer.exec("UPDATE policy_versions SET allowed_models = '[1]'");
  vault = await vault.restart();
  const refused = await reserve(agent, { amount_msats: 0 });
  expect([refused.status, refused.body.error]).toMatchObject([
    403,
    { code: 'policy_denied', rule: 'unreadable_policy' },
  ]);
  const authenticated = await asCore(vault, 'POST', '/authenticate', { agent_token: agent.token });
  expect(authenticated.body.allowed_models).toEqual([]);
  expect((await patch(agent, { max_fee_msat: 1 })).status).toBe(400);
  expect((await put(agent, {})).status).toBe(200);
  expect((await reserve(agent, { amount_msats: 1 })).status).toBe(200);
});
