import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRateLimit } from '../../src/http/rate-limit.ts';
import {
  asAgent,
  asCore,
  asOperator,
  closeVaults,
  fundedAgent,
  openVault,
  reserveBody,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

describe('a bucket', () => {
  test('lets ten seconds’ worth pass at once, then as many as refill', () => {
    let now = 0;
    const limit = createRateLimit(2, () => now);
    const passed = () => {
      let n = 0;
      while (limit.take('a') === 0) n++;
      return n;
    };
    expect(passed()).toBe(20);
    expect(limit.take('a')).toBe(1);
    now += 499;
    expect(passed()).toBe(0);
    now += 1;
    expect(passed()).toBe(1);
    now += 3_600_000;
    expect(passed()).toBe(20);
  });

  test('is each token’s own', () => {
    const limit = createRateLimit(1, () => 0);
    for (let n = 0; n < 10; n++) expect(limit.take('a')).toBe(0);
    expect([limit.take('a'), limit.take('b')]).toEqual([1, 0]);
  });

  test('of a token that comes again and again stays, however many others come', () => {
    const limit = createRateLimit(1, () => 0);
    for (let n = 0; n < 11; n++) limit.take('busy');
    for (let n = 0; n < 25_000; n++) {
      limit.take(`other ${n}`);
      if (n % 1_000 === 0) expect(limit.take('busy')).toBeGreaterThan(0);
    }
  });

  test('does not exist at 0', () => {
    const limit = createRateLimit(0, () => 0);
    for (let n = 0; n < 10_000; n++) expect(limit.take('a')).toBe(0);
  });
});

describe('a vault with one request per second', () => {
  let vault: TestVault;
  let agent: TestAgent;
  beforeEach(async () => {
    vault = await openVault({ agentRateLimitRps: 1 });
    agent = await fundedAgent(vault);
  });
  afterEach(closeVaults);

  test('answers the eleventh with 429 and when to come back', async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => asAgent(vault, agent.token, '/agents/me/balance')),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(10);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.body.error).toMatchObject({ code: 'rate_limited', retry_after_secs: 1 });
    expect(refused.headers['retry-after']).toBe('1');
    vault.clock.advance(1_000);
    expect((await asAgent(vault, agent.token, '/agents/me')).status).toBe(200);
    expect((await asAgent(vault, agent.token, '/agents/me')).status).toBe(429);
  });

  test('holds up neither core nor the operator nor another agent', async () => {
    const other = await fundedAgent(vault);
    for (let n = 0; n < 15; n++) await asAgent(vault, agent.token, '/agents/me');
    for (let n = 0; n < 30; n++) {
      const reserved = await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent));
      expect(reserved.status).toBe(200);
      const token = { agent_token: agent.token };
      expect((await asCore(vault, 'POST', '/authenticate', token)).status).toBe(200);
      expect((await asOperator(vault, 'GET', `/agents/${agent.id}/balance`)).status).toBe(200);
    }
    expect((await asAgent(vault, other.token, '/agents/me')).status).toBe(200);
  });
});
