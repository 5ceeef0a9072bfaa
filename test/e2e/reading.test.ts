/** What callers and the operator read afterwards: statistics and providers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import { until } from '../support/process.ts';
import { type Agent, type Stack, startStack } from '../support/stack.ts';

const OPERATOR = 'the-operator-of-this-core-0123456789';

let stack: Stack;
let agent: Agent;
let other: Agent;
let behave: (call: MockCall) => Partial<MockBehaviour> = () => ({ answer: 'Hello, world.' });
const costs: number[] = [];

beforeAll(async () => {
  stack = await startStack({
    server: `auth_token = "${OPERATOR}"`,
    providers: [
      { name: 'alpha', rate: 8000, mock: { script: (call) => behave(call) } },
      { name: 'beta', rate: 12_000, models: ['gpt-4o', 'other'] },
    ],
    toml: '[breaker]\nfailures = 1\n[retry]\nbackoff_ms = 0\n[[policies.rules]]\nname = "p"\n',
  });
  agent = await stack.agent();
  other = await stack.agent();
  for (const stream of [false, true, true]) costs.push(await ask(agent, { stream }));
  costs.push(await ask(agent, { model: 'other', policy: 'p' }));
  await ask(other, {});
  await ask(other, { model: 'nobody' });
});
afterAll(() => stack.stop());

interface Ask {
  readonly model?: string;
  readonly stream?: boolean;
  readonly policy?: string;
}

/** Cost in msat. */
async function ask(who: Agent, { model = 'gpt-4o', stream = false, policy }: Ask): Promise<number> {
  const answer = await fetch(`${stack.core.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hi.' }] }),
    headers: {
      authorization: `Bearer ${who.token}`,
      'content-type': 'application/json',
      ...(policy && { 'x-arbstr-policy': policy }),
    },
  });
  const text = await answer.text();
  const bill = /: arbstr (.*)/.exec(text)?.[1];
  if (bill !== undefined) return (JSON.parse(bill) as { cost_msats: number }).cost_msats;
  return Math.round(Number(answer.headers.get('x-arbstr-cost-sats')) * 1000);
}

async function read(path: string, token: string | null = OPERATOR) {
  const answer = await fetch(stack.core.url + path, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  });
  // biome-ignore lint/suspicious/noExplicitAny: answers of several shapes, looked at by tests.
  return { status: answer.status, body: (await answer.json()) as any };
}

describe('statistics', () => {
  it('of an agent are sums over its own requests', async () => {
    const { body } = await read('/v1/stats', agent.token);
    const sum = costs.reduce((total, cost) => total + cost, 0);
    expect(body.counts).toEqual({ total: 4, success: 4, error: 0, streaming: 2 });
    expect(body.costs).toMatchObject({ total_cost_msats: sum, total_cost_sats: sum / 1000 });
    // Three of the four could have gone to beta, at half as much again.
    const elsewhere = costs.slice(0, 3).reduce((total, cost) => total + cost / 2, 0);
    expect(body.saved_sats).toEqual({ dearest: elsewhere / 1000, mean: elsewhere / 2000 });
    const { p50_latency_ms, p95_latency_ms, p99_latency_ms } = body.performance;
    expect(p50_latency_ms).toBeLessThanOrEqual(p95_latency_ms);
    expect(p95_latency_ms).toBeLessThanOrEqual(p99_latency_ms);
    expect(body.performance.p50_time_to_first_token_ms).toBeGreaterThanOrEqual(0);
  });

  it('of the operator are sums over all, refused ones too', async () => {
    const { body } = await read('/v1/stats');
    expect(body.counts).toEqual({ total: 6, success: 5, error: 1, streaming: 2 });
  });

  it.each([
    ['model', ['gpt-4o', 'other']],
    ['provider', ['alpha', 'beta']],
    ['tier', ['standard']],
    ['policy', [null, 'p']],
  ])('by %s sum to the whole', async (group, keys) => {
    const { body } = await read(`/stats?group_by=${group}`, agent.token);
    expect(body.groups.map(({ key }: { key: string }) => key)).toEqual(keys);
    for (const part of ['total', 'success'] as const) {
      const sum = body.groups.reduce(
        (all: number, { counts }: { counts: Record<string, number> }) => all + counts[part]!,
        0,
      );
      expect(sum).toBe(body.counts[part]);
    }
  });

  it('by hour and day name the time', async () => {
    const hour = await read('/v1/stats?group_by=hour', agent.token);
    expect(hour.body.groups[0].key).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00Z$/);
    const day = await read('/v1/stats?group_by=day', agent.token);
    expect(day.body.groups[0].key).toMatch(/^\d{4}-\d\d-\d\d$/);
  });

  it('keep to the range and the filters', async () => {
    const past = await read('/v1/stats?since=2020-01-01&until=2020-01-02', agent.token);
    expect(past.body).toMatchObject({ empty: true, counts: { total: 0 } });
    const filtered = await read('/v1/stats?model=OTHER&provider=Beta', agent.token);
    expect(filtered.body.counts.total).toBe(1);
    for (const bad of [
      'range=always',
      'group_by=mood',
      'colour=red',
      'since=2021-01-01&until=2020-01-01',
    ]) {
      expect((await read(`/v1/stats?${bad}`, agent.token)).status).toBe(400);
    }
    expect((await read('/v1/stats', 'vtk_nobody')).status).toBe(401);
  });
});

describe('/metrics', () => {
  it('counts what happened, for the operator', async () => {
    const url = `${stack.core.url}/metrics`;
    expect((await fetch(url)).status).toBe(401);
    const answer = await fetch(url, { headers: { authorization: `Bearer ${OPERATOR}` } });
    expect(answer.headers.get('content-type')).toContain('text/plain');
    const text = await answer.text();
    const value = (name: string) =>
      Number(
        text
          .split('\n')
          .find((l) => l.startsWith(name))
          ?.split(' ')[1],
      );
    expect(
      value('arbstr_requests_total{ending="answered",code="none",stream="true",endpoint="chat"}'),
    ).toBe(2);
    expect(
      value(
        'arbstr_requests_total{ending="refused",code="model_not_found",stream="false",endpoint="chat"}',
      ),
    ).toBe(1);
    expect(value('arbstr_billed_msat_total{provider="beta"}')).toBe(costs[3]);
    expect(value('arbstr_breaker_state{provider="alpha"}')).toBe(0);
    expect(value('arbstr_settlements_undelivered')).toBe(0);
    expect(value('arbstr_request_rows_dropped_total')).toBe(0);
    expect(text).toContain('arbstr_first_token_seconds_bucket');
    expect(text).not.toContain(agent.id);
  });

  it('counts what a provider refuses without a code as its own', async () => {
    const usual = behave;
    behave = () => ({
      faults: [{ kind: 'status', status: 422, retryAfterSecs: null, body: '{"detail":"too hot"}' }],
    });
    await ask(agent, {});
    behave = usual;
    const answer = await fetch(`${stack.core.url}/metrics`, {
      headers: { authorization: `Bearer ${OPERATOR}` },
    });
    expect(await answer.text()).toContain(
      'arbstr_requests_total{ending="refused",code="of_provider",stream="false",endpoint="chat"} 1',
    );
  });
});

describe('/providers', () => {
  it('is the operator’s, and shows no key', async () => {
    for (const token of [null, agent.token, 'wrong']) {
      expect((await read('/providers', token)).status).toBe(401);
    }
    const { body } = await read('/providers');
    expect(JSON.stringify(body)).not.toContain('sk-upstream-alpha');
    expect(body.providers[0]).toMatchObject({
      name: 'alpha',
      tier: 'standard',
      has_api_key: true,
      state: 'closed',
      routable: true,
      reasons: [],
      models: [{ id: 'gpt-4o', input_rate_sats_per_1m: 8000, state: 'closed' }],
    });
  });

  it('says why somebody is not routable', async () => {
    behave = () => ({
      faults: [{ kind: 'status', status: 500, retryAfterSecs: null, body: null }],
    });
    await ask(agent, {});
    await until(async () => (await read('/providers')).body.providers[0].state === 'open');
    expect((await read('/providers')).body.providers[0]).toMatchObject({
      routable: false,
      reasons: ['it rests after repeated failures'],
    });
  });
});
