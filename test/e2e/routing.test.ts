/** Policies, tiers, virtual models and dry runs, over HTTP against a billed stack. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

let stack: Stack;
let agent: Agent;

const ROUTING = `
[[models]]
name = "auto"
local = ["tiny"]
standard = ["medium"]
frontier = ["huge"]

[routing]
complexity_threshold_low = 0.3
complexity_threshold_high = 0.95

[policies]
[[policies.rules]]
name = "code"
allowed_models = ["medium"]
keywords = ["implement", "unit test"]
[[policies.rules]]
name = "dear"
allowed_providers = ["dear"]
[[policies.rules]]
name = "capped"
max_sats_per_1m_output = 9000
[[policies.rules]]
name = "frugal"
max_sats_per_request = 0.001
[[policies.rules]]
name = "best"
min_tier = "frontier"
strict_tier = true
[[policies.rules]]
name = "better"
min_tier = "frontier"
[[policies.rules]]
name = "in_turn"
strategy = "round_robin"
`;

beforeAll(async () => {
  stack = await startStack({
    providers: [
      { name: 'home', models: ['tiny'], rate: 0, toml: 'tier = "local"' },
      { name: 'cheap', models: ['medium', 'gpt-4o'], rate: 8000 },
      { name: 'dear', models: ['medium', 'gpt-4o'], rate: 12_000 },
      { name: 'top', models: ['huge'], rate: 50_000, toml: 'tier = "frontier"' },
    ],
    toml: ROUTING,
  });
  agent = await stack.agent();
});
afterAll(() => stack.stop());

interface Ask {
  readonly model?: string;
  readonly text?: string;
  readonly headers?: Record<string, string>;
  readonly path?: string;
}

async function ask({
  model = 'gpt-4o',
  text = 'Hi.',
  headers,
  path = '/v1/chat/completions',
}: Ask) {
  const response = await fetch(stack.core.url + path, {
    method: 'POST',
    body: JSON.stringify({ model, max_tokens: 50, messages: [{ role: 'user', content: text }] }),
    headers: {
      authorization: `Bearer ${agent.token}`,
      'content-type': 'application/json',
      ...headers,
    },
  });
  const body = (await response.json()) as Record<string, never> & {
    error?: Record<string, unknown>;
  };
  const arbstr = Object.fromEntries(
    [...response.headers]
      .filter(([name]) => name.startsWith('x-arbstr-'))
      .map(([name, value]) => [name.slice('x-arbstr-'.length), value]),
  );
  return { status: response.status, body, error: body.error ?? {}, arbstr };
}

const policy = (name: string) => ({ headers: { 'x-arbstr-policy': name } });
const complexity = (level: string) => ({ headers: { 'x-arbstr-complexity': level } });

describe('a policy', () => {
  it('that is named binds, and is named in the answer', async () => {
    const { arbstr } = await ask(policy('dear'));
    expect(arbstr).toMatchObject({ provider: 'dear', policy: 'dear' });
  });

  it('that nobody knows is refused with the names of all', async () => {
    const { status, error } = await ask(policy('cheapest'));
    expect({ status, ...error }).toMatchObject({ status: 400, code: 'unknown_policy' });
    expect(error.message).toContain('code, dear, capped, frugal, best, better, in_turn');
  });

  it('that leaves nobody says by which key, and charges nothing', async () => {
    const before = await settled(stack, agent);
    for (const [name, rule] of [
      ['code', 'allowed_models'],
      ['frugal', 'max_sats_per_request'],
      ['best', 'strict_tier'],
    ] as const) {
      const { status, error, arbstr } = await ask(policy(name));
      expect({ status, ...error }).toMatchObject({ status: 403, code: 'policy_denied', rule });
      expect(arbstr.policy).toBe(name);
    }
    expect(await settled(stack, agent)).toBe(before);
  });

  it('caps the rate of output', async () => {
    expect((await ask({ ...policy('capped'), model: 'medium' })).arbstr.provider).toBe('cheap');
    expect((await ask({ ...policy('capped'), model: 'huge' })).error.rule).toBe(
      'max_sats_per_1m_output',
    );
  });

  it('is guessed from whole words of the last user message', async () => {
    const text = 'Please implement a parser.';
    expect((await ask({ model: 'medium', text })).arbstr.policy).toBe('code');
    expect(
      (await ask({ model: 'medium', text: 'My implementation.' })).arbstr.policy,
    ).toBeUndefined();
  });

  it('that was guessed is dropped where it would leave nobody', async () => {
    const { status, arbstr } = await ask({ text: 'Please implement a parser.' });
    expect(status).toBe(200);
    expect(arbstr.policy).toBeUndefined();
  });

  it('with a minimum that nobody reaches is served by the highest below it', async () => {
    const { status, arbstr } = await ask(policy('better'));
    expect(status).toBe(200);
    expect(arbstr).toMatchObject({ tier: 'standard', floor: 'frontier', policy: 'better' });
  });

  it('chooses the strategy', async () => {
    const providers = [];
    for (let i = 0; i < 4; i++) providers.push((await ask(policy('in_turn'))).arbstr.provider);
    expect(new Set(providers)).toEqual(new Set(['cheap', 'dear']));
    expect(providers[0]).toBe(providers[2]);
  });
});

describe('a virtual model', () => {
  it.each([
    ['low', 'local', 'tiny', 'home'],
    ['medium', 'standard', 'medium', 'cheap'],
    ['high', 'frontier', 'huge', 'top'],
  ])('of %s complexity is served from %s', async (level, tier, model, provider) => {
    const { status, arbstr } = await ask({ model: 'auto', ...complexity(level) });
    // What is above the floor qualifies too, and the cheapest wins.
    expect(status).toBe(200);
    expect(arbstr).toMatchObject({ tier, floor: tier, model, provider });
    expect((stack.providers[provider]!.calls.at(-1)!.json as { model: string }).model).toBe(model);
  });

  it('goes by the score where nobody says', async () => {
    const { arbstr } = await ask({ model: 'auto', text: 'hi' });
    expect(Number(arbstr['complexity-score'])).toBeGreaterThanOrEqual(0);
    expect(arbstr.floor).toMatch(/^(local|standard|frontier)$/);
  });

  it('is listed, with what it stands for', async () => {
    const headers = { authorization: `Bearer ${agent.token}` };
    const model = await (await fetch(`${stack.core.url}/v1/models/auto`, { headers })).json();
    expect(model).toMatchObject({
      id: 'auto',
      object: 'model',
      arbstr: { virtual: true, local: ['tiny'], standard: ['medium'], frontier: ['huge'] },
    });
  });
});

describe('a concrete model', () => {
  it('is never replaced, and the score does not bind it', async () => {
    const text = 'Prove that there are infinitely many primes, step by step.';
    const { arbstr } = await ask({ text });
    expect(arbstr.model).toBe('gpt-4o');
    expect(arbstr.floor).toBeUndefined();
  });

  it('is bound by what its caller says', async () => {
    const { arbstr } = await ask(complexity('high'));
    expect(arbstr).toMatchObject({ floor: 'frontier', tier: 'standard', model: 'gpt-4o' });
    const bad = await ask(complexity('extreme'));
    expect({ status: bad.status, ...bad.error }).toMatchObject({
      status: 400,
      param: 'X-Arbstr-Complexity',
    });
  });
});

describe("an agent's allowed models", () => {
  it('bind before anything is held, and filter what a virtual model stands for', async () => {
    const everybody = agent;
    agent = await stack.agent({ policy: { allowed_models: ['medium'] } });
    const refused = await ask({});
    expect({ status: refused.status, ...refused.error }).toMatchObject({
      status: 403,
      code: 'model_not_allowed',
      rule: 'allowed_models',
    });
    expect((await ask({ model: 'medium' })).status).toBe(200);
    expect((await ask({ model: 'auto', ...complexity('high') })).arbstr).toMatchObject({
      model: 'medium',
      tier: 'standard',
      floor: 'frontier',
    });
    agent = await stack.agent({ policy: { allowed_models: ['auto'] } });
    expect((await ask({ model: 'auto', ...complexity('low') })).arbstr.model).toBe('tiny');
    expect((await ask({ model: 'tiny' })).status).toBe(403);
    agent = everybody;
  });
});

describe('a dry run', () => {
  it('says what the request would cost, where, and why not elsewhere', async () => {
    const before = await settled(stack, agent);
    const calls = stack.providers.cheap!.calls.length;
    const { status, body, arbstr } = await ask({ path: '/v1/cost', ...policy('capped') });
    expect(status).toBe(200);
    expect(arbstr).toMatchObject({ provider: 'cheap', model: 'gpt-4o', tier: 'standard' });
    expect(arbstr).toMatchObject({
      policy: 'capped',
      'latency-ms': expect.stringMatching(/^\d+$/),
    });
    expect(arbstr['cost-sats']).toBeUndefined();
    expect(body).toMatchObject({
      model: 'gpt-4o',
      provider: 'cheap',
      tier: 'standard',
      policy: 'capped',
      candidates: [{ provider: 'cheap', model: 'gpt-4o' }],
      excluded: [{ provider: 'dear', model: 'gpt-4o', reason: 'policy' }],
    });
    const dry = body as unknown as Record<string, number>;
    expect(dry.expected_cost_msats).toBe(
      Math.ceil((dry.estimated_input_tokens! + dry.estimated_output_tokens!) * 8),
    );
    expect(dry.ceiling_msats).toBeGreaterThan(dry.expected_cost_msats!);
    expect(await settled(stack, agent)).toBe(before);
    expect(stack.providers.cheap!.calls.length).toBe(calls);
  });

  it('refuses what the request would be refused', async () => {
    for (const wish of [policy('nobody'), policy('best'), { model: 'nothing' }]) {
      const [dry, real] = [await ask({ ...wish, path: '/cost' }), await ask(wish)];
      expect(dry.status).toBe(real.status);
      expect(dry.error).toEqual(real.error);
      expect(dry.arbstr.policy).toEqual(real.arbstr.policy);
      expect(dry.arbstr.floor).toEqual(real.arbstr.floor);
    }
  });
});

it('keeps in the record under which policy and floor a request ran, and what it would have cost elsewhere', async () => {
  const { arbstr } = await ask({
    ...policy('in_turn'),
    headers: { 'x-arbstr-policy': 'in_turn', 'x-arbstr-complexity': 'low' },
  });
  const headers = { authorization: `Bearer ${agent.token}` };
  const record = (await (
    await fetch(`${stack.core.url}/v1/requests/${arbstr['request-id']}`, { headers })
  ).json()) as { cost: Record<string, number> };
  expect(record).toMatchObject({ policy: 'in_turn', floor: 'local' });
  const tokens = record.cost.dearest_msats! / 12;
  expect(record.cost.mean_msats).toBe(Math.round(tokens * 10));
  expect([tokens * 8, tokens * 12]).toContain(record.cost.msats);
});
