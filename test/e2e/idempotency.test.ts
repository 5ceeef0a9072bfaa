/** A request that is sent twice is billed once: by key, by an SDK's own retry, across cores. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { claimedReservationId } from '../../packages/core/src/claim/reservation-id.ts';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import { freePort, type Service, startService, until } from '../support/process.ts';
import { type Agent, INTERNAL_TOKEN, type Stack, settled, startStack } from '../support/stack.ts';

let stack: Stack;
let other: Service;
let agent: Agent;
let behave: (call: MockCall) => Partial<MockBehaviour>;
let calls: number;

beforeAll(async () => {
  stack = await startStack({
    providers: [
      {
        name: 'alpha',
        mock: {
          script: (call) => {
            calls++;
            return behave(call);
          },
        },
      },
    ],
    toml: '[breaker]\nfailures = 1000\n[retry]\nmax_attempts = 1\n',
    server: 'max_concurrency_per_caller = 8',
  });
  other = await startSecondCore();
});
afterAll(async () => {
  await other.kill();
  await stack.stop();
});
beforeEach(async () => {
  agent = await stack.agent();
  calls = 0;
  behave = () => ({ answer: 'Hello, world.' });
});

/** Its own database, the same vault and provider. */
async function startSecondCore(): Promise<Service> {
  const port = await freePort();
  const configPath = join(stack.dir, 'second.toml');
  const config = readFileSync(stack.configPath, 'utf8')
    .replace(/^listen = .*$/m, `listen = "127.0.0.1:${port}"`)
    .replace(/^path = .*$/m, `path = "${join(stack.dir, 'second.db')}"`);
  writeFileSync(configPath, config, { mode: 0o600 });
  const args = ['packages/core/src/main.ts', 'serve', '-c', configPath];
  return startService({ args, port, cwd: stack.dir });
}

interface Ask {
  readonly key?: string;
  readonly text?: string;
  readonly stream?: boolean;
  readonly core?: Service;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

function ask({ key, text = 'Hi.', stream = false, core = stack.core, headers, signal }: Ask) {
  return fetch(`${core.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'gpt-4o',
      stream,
      messages: [{ role: 'user', content: text }],
    }),
    headers: {
      authorization: `Bearer ${agent.token}`,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
      ...headers,
    },
    ...(signal && { signal }),
  });
}

async function refusalOf(response: Response) {
  const { error } = (await response.json()) as { error: Record<string, unknown> };
  const shouldRetry = response.headers.get('x-should-retry');
  return { status: response.status, shouldRetry, ...error };
}

const reads = (paths: readonly string[]): Promise<unknown[]> =>
  Promise.all(
    paths.map(async (path) => {
      const headers = { authorization: `Bearer ${agent.token}` };
      return (await fetch(stack.core.url + path, { headers })).json();
    }),
  );

const spent = async (): Promise<number> => 1_000_000_000 - (await settled(stack, agent));

describe('with an Idempotency-Key', () => {
  it('gives the stored answer again, byte for byte, and bills it once', async () => {
    const first = await ask({ key: 'k1' });
    const body = await first.text();
    const cost = first.headers.get('x-arbstr-cost-sats');
    expect(first.headers.get('x-arbstr-replayed')).toBeNull();

    const again = await ask({ key: 'k1' });
    expect(again.status).toBe(200);
    expect(await again.text()).toBe(body);
    expect(again.headers.get('x-arbstr-replayed')).toBe('true');
    expect(again.headers.get('x-arbstr-cost-sats')).toBe(cost);
    expect(again.headers.get('x-arbstr-provider')).toBe('alpha');
    expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
    expect(calls).toBe(1);
    expect(await spent()).toBe(Number(cost) * 1000);

    const counted = await reads(['/v1/stats', '/v1/requests', '/v1/requests?success=false']);
    expect(counted).toMatchObject([
      { counts: { success: 2, error: 0 } },
      {
        data: [
          { ending: 'replayed', success: true },
          { ending: 'answered', success: true },
        ],
      },
      { data: [] },
    ]);
  });

  it('refuses another body, and leaves another agent alone', async () => {
    await (await ask({ key: 'k2' })).text();
    expect(await refusalOf(await ask({ key: 'k2', text: 'Bye.' }))).toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
      shouldRetry: 'false',
    });
    agent = await stack.agent();
    expect((await ask({ key: 'k2', text: 'Bye.' })).status).toBe(200);
    expect(calls).toBe(2);
  });

  it('refuses a key that is none', async () => {
    expect(await refusalOf(await ask({ key: 'two words' }))).toMatchObject({
      status: 400,
      code: 'invalid_request',
      param: 'Idempotency-Key',
    });
  });

  it('answers 409 while the first one runs, and the SDK may ask again', async () => {
    behave = () => ({ answer: 'Slow.', latencyMs: 500 });
    const first = ask({ key: 'k3' });
    await until(() => calls === 1);
    const conflict = { status: 409, code: 'idempotency_conflict', shouldRetry: 'true' };
    expect(await refusalOf(await ask({ key: 'k3' }))).toMatchObject(conflict);
    expect(await refusalOf(await ask({ key: 'k3', core: other }))).toMatchObject(conflict);
    expect((await first).status).toBe(200);
    expect((await ask({ key: 'k3' })).headers.get('x-arbstr-replayed')).toBe('true');
    expect(calls).toBe(1);
  });

  it('lets exactly one of many at once run', async () => {
    behave = () => ({ answer: 'One.', latencyMs: 300 });
    const many = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        ask({ key: 'k4', core: i % 2 === 0 ? stack.core : other }),
      ),
    );
    const statuses = many.map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
    expect(calls).toBe(1);
  });

  it('may be used again where the request failed unbilled', async () => {
    behave = () => ({
      faults: [{ kind: 'status', status: 500, retryAfterSecs: null, body: null }],
    });
    expect((await ask({ key: 'k5' })).status).toBe(502);
    expect((await ask({ key: 'k5', core: other })).status).toBe(502);
    expect(await spent()).toBe(0);
    behave = () => ({ answer: 'At last.' });
    const answered = await ask({ key: 'k5' });
    expect(answered.status).toBe(200);
    expect(answered.headers.get('x-arbstr-replayed')).toBeNull();
    expect((await ask({ key: 'k5' })).headers.get('x-arbstr-replayed')).toBe('true');
    expect(calls).toBe(3);
  });

  it('may be used again after a refusal for want of money', async () => {
    agent = await stack.agent({ fundMsat: 0 });
    expect((await ask({ key: 'k6' })).status).toBe(402);
    await stack.asOperator('POST', `/agents/${agent.id}/deposit`, { amount_msat: 1_000_000 });
    expect((await ask({ key: 'k6' })).status).toBe(200);
  });

  it('is never billed by another core, which says what it has cost', async () => {
    const first = await ask({ key: 'k7' });
    await first.text();
    const cost = Number(first.headers.get('x-arbstr-cost-sats')) * 1000;
    await settled(stack, agent);
    expect(await refusalOf(await ask({ key: 'k7', core: other }))).toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
      cost_msats: cost,
      shouldRetry: 'false',
    });
    expect(calls).toBe(1);
    expect(await spent()).toBe(cost);
  });

  it('does not believe another core that uses the same request id', async () => {
    behave = () => ({ answer: 'Mine.', latencyMs: 400 });
    const headers = { 'x-request-id': 'same-everywhere' };
    const first = ask({ key: 'k8', headers });
    await until(() => calls === 1);
    expect((await ask({ key: 'k8', headers, core: other })).status).toBe(409);
    expect((await first).status).toBe(200);
    expect(calls).toBe(1);
  });

  it('keeps no streamed answer, and says what it has cost', async () => {
    await (await ask({ key: 'k9', stream: true })).text();
    const cost = await spent();
    expect(cost).toBeGreaterThan(0);
    expect(await refusalOf(await ask({ key: 'k9', stream: true }))).toMatchObject({
      status: 409,
      cost_msats: cost,
    });
  });

  it('bills once across a kill -9 of the core that answered, which then still has the answer', async () => {
    const body = await (await ask({ key: 'k10' })).text();
    await stack.core.kill();
    await stack.startCore();
    const again = await ask({ key: 'k10' });
    expect(again.headers.get('x-arbstr-replayed')).toBe('true');
    expect(await again.text()).toBe(body);
    expect(calls).toBe(1);
  });

  it('bills once across a kill -9 of the core that was asking', async () => {
    behave = () => ({ answer: 'Too late.', latencyMs: 2_000 });
    const first = ask({ key: 'k11' }).catch(() => null);
    await until(() => calls === 1);
    // The mark of a dispatch is not awaited: it goes with the next commit of the journal.
    await new Promise((resolve) => setTimeout(resolve, 300));
    await stack.core.kill();
    await first;
    await stack.startCore();
    const cost = await spent();
    expect(cost).toBeGreaterThan(0);
    for (const core of [stack.core, other]) {
      const refused = { status: 409, cost_msats: cost, shouldRetry: 'false' };
      expect(await refusalOf(await ask({ key: 'k11', core }))).toMatchObject(refused);
    }
    expect(calls).toBe(1);
  });

  it('takes over a hold of its own that was never answered, and gives it back', async () => {
    const coreId = await ownCoreId();
    await reserveAtVault(claimedReservationId(agent.id, 'k12', 0), coreId);
    expect((await stack.balance(agent)).held).toBe(5_000);
    const answered = await ask({ key: 'k12' });
    expect(answered.status).toBe(200);
    expect(await spent()).toBe(Number(answered.headers.get('x-arbstr-cost-sats')) * 1000);
  });

  it('waits for the bill of a core that is gone, and is honest about it', async () => {
    await reserveAtVault(claimedReservationId(agent.id, 'k13', 0), 'core_of_somebody_else', 1);
    expect((await ask({ key: 'k13' })).status).toBe(409);
    await settled(stack, agent);
    const refused = await refusalOf(await ask({ key: 'k13' }));
    expect(refused).toMatchObject({ status: 409, shouldRetry: 'false' });
    expect(calls).toBe(0);
  });
});

async function ownCoreId(): Promise<string> {
  behave = () => ({ answer: 'Slow.', latencyMs: 300 });
  const asked = ask({ text: 'Who are you?', headers: { 'x-request-id': 'who-are-you' } });
  await until(() => calls === 1);
  const { reservations } = (await internal('GET', '/internal/reservations?state=held')) as {
    reservations: { correlation_id: string; core_id: string }[];
  };
  await (await asked).text();
  await settled(stack, agent);
  agent = await stack.agent();
  behave = () => ({ answer: 'Hello, world.' });
  return reservations.find(({ correlation_id }) => correlation_id === 'who-are-you')!.core_id;
}

const reserveAtVault = (id: string, coreId: string, secs = 60) =>
  internal('POST', '/internal/reserve', {
    agent_token: agent.token,
    amount_msats: 5_000,
    correlation_id: 'lost',
    model: 'gpt-4o',
    reservation_id: id,
    core_id: coreId,
    expires_in_secs: secs,
  });

async function internal(method: string, path: string, body?: object): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${stack.vaultEnv.PORT}${path}`, {
    method,
    headers: { 'x-internal-token': INTERNAL_TOKEN, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect(answer.status).toBe(200);
  return answer.json();
}

describe("an SDK's own retry", () => {
  it('gets the answer that its first try still earned, unbilled', async () => {
    behave = () => ({ answer: 'Worth waiting for.', latencyMs: calls === 1 ? 800 : 0 });
    const client = new OpenAI({
      baseURL: `${stack.core.url}/v1`,
      apiKey: agent.token,
      maxRetries: 2,
      timeout: 500,
    });
    const { data, response } = await client.chat.completions
      .create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi.' }] })
      .withResponse();
    expect(data.choices[0]!.message.content).toBe('Worth waiting for.');
    expect(response.headers.get('x-arbstr-replayed')).toBe('true');
    expect(calls).toBe(1);
    expect(await spent()).toBe(Number(response.headers.get('x-arbstr-cost-sats')) * 1000);
  });

  it('runs anew where the first try failed, and where the answer was taken', async () => {
    const sdk = (count: number) => ({ headers: { 'x-stainless-retry-count': String(count) } });
    behave = () => ({
      faults: [{ kind: 'status', status: 500, retryAfterSecs: null, body: null }],
    });
    expect((await ask(sdk(0))).status).toBe(502);
    behave = () => ({ answer: 'Fine.' });
    expect((await ask(sdk(1))).headers.get('x-arbstr-replayed')).toBeNull();
    expect((await ask(sdk(0))).headers.get('x-arbstr-replayed')).toBeNull();
    expect(calls).toBe(3);
  });

  it('is another request where the body or the agent differs', async () => {
    behave = () => ({ answer: 'Left behind.', latencyMs: 200 });
    const leaving = new AbortController();
    const sdk = (count: number) => ({ 'x-stainless-retry-count': String(count) });
    const first = ask({ headers: sdk(0), signal: leaving.signal }).catch(() => null);
    await until(() => calls === 1);
    leaving.abort();
    await first;
    expect(
      (await ask({ headers: sdk(1), text: 'Ho.' })).headers.get('x-arbstr-replayed'),
    ).toBeNull();
    const owner = agent;
    agent = await stack.agent();
    expect((await ask({ headers: sdk(1) })).headers.get('x-arbstr-replayed')).toBeNull();
    agent = owner;
    expect((await ask({ headers: sdk(1) })).headers.get('x-arbstr-replayed')).toBe('true');
    expect(calls).toBe(3);
  });
});

describe('one caller among many', () => {
  it('may have so many requests under way, and is told so beyond', async () => {
    behave = () => ({ answer: 'Busy.', latencyMs: 400 });
    const busy = Array.from({ length: 8 }, (_, i) => ask({ text: `Number ${i}.` }));
    await until(() => calls === 8);
    const refused = await ask({});
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refusalOf(refused)).toMatchObject({
      status: 429,
      type: 'rate_limit_error',
      code: 'rate_limited',
      shouldRetry: 'true',
    });
    const crowded = agent;
    agent = await stack.agent();
    expect((await ask({})).status).toBe(200);
    agent = crowded;
    for (const response of await Promise.all(busy)) expect(response.status).toBe(200);
    expect((await ask({})).status).toBe(200);
  });
});

it('leaves books that verify', async () => {
  expect(await stack.verify()).toMatchObject({ code: 0 });
});
