/** What operator and agents can read of the books, over HTTP. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ADMIN_TOKEN,
  asAgent,
  asCore,
  asOperator,
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
afterEach(async () => {
  vi.restoreAllMocks();
  await closeVaults();
});

const read = (url: string) => asOperator(vault, 'GET', url);

describe('what an agent spent', () => {
  it('is told by model, provider and day, and sums to what was charged', async () => {
    const usage = (provider: string) => ({ provider, tokens_in: 10, tokens_out: 5 });
    await settle(vault, await held(vault, agent, 100, { model: 'a' }), 40, usage('alpha'));
    await settle(vault, await held(vault, agent, 100, { model: 'b' }), 30, usage('alpha'));
    vault.clock.advance(86_400_000);
    await settle(vault, await held(vault, agent, 100, { model: 'b' }), 20, usage('beta'));
    const { body } = await asAgent(vault, agent.token, '/agents/me/usage');
    expect(body).toMatchObject({ agent_id: agent.id, requests: 3, charged_msat: 90 });
    const row = (key: string, requests: number, charged_msat: number) => ({
      key,
      requests,
      charged_msat,
      tokens_in: 10 * requests,
      tokens_out: 5 * requests,
    });
    expect(body.by_model).toEqual([row('b', 2, 50), row('a', 1, 40)]);
    expect(body.by_provider).toEqual([row('alpha', 2, 70), row('beta', 1, 20)]);
    expect(body.by_day.map(({ charged_msat }: { charged_msat: number }) => charged_msat)).toEqual([
      70, 20,
    ]);
  });

  it('is of the time that is asked for, and of nobody else', async () => {
    const before = vault.clock.now();
    await settle(vault, await held(vault, agent, 100), 40);
    vault.clock.advance(5_000);
    const later = await asAgent(
      vault,
      agent.token,
      `/agents/me/usage?start_date=${before + 4_000}`,
    );
    expect(later.body).toMatchObject({ requests: 0, charged_msat: 0, by_model: [] });
    const other = await fundedAgent(vault);
    expect((await asAgent(vault, other.token, `/agents/${agent.id}/usage`)).status).toBe(404);
    expect((await asAgent(vault, other.token, '/agents/me/usage')).body.requests).toBe(0);
  });
});

it('gives a history as CSV in which no cell becomes a formula', async () => {
  await settle(vault, await held(vault, agent, 100, { correlation_id: '-1:a' }), 40);
  const answer = await vault.app.inject({
    method: 'GET',
    url: '/agents/me/history.csv',
    headers: { authorization: `Bearer ${agent.token}` },
  });
  expect(answer.headers['content-type']).toBe('text/csv; charset=utf-8');
  const lines = answer.body.trimEnd().split('\r\n');
  expect(lines[0]).toBe('sequence,time,action,amount_msat,ref_id,correlation_id,hash');
  const { body } = await asAgent(vault, agent.token, '/agents/me/history?order=asc&limit=100');
  expect(lines).toHaveLength(body.entries.length + 1);
  expect(lines.filter((line) => line.includes(",'-1:a,")).length).toBeGreaterThan(0);
});

describe("the operator's books", () => {
  it('say what is owed, what backs it, and that it does', async () => {
    await settle(vault, await held(vault, agent, 100), 40);
    await held(vault, agent, 70);
    const { body } = await read('/operator/solvency');
    const { balance_msat, held_msat } = (await asAgent(vault, agent.token, '/agents/me/balance'))
      .body;
    expect(held_msat).toBe(70);
    expect(body).toMatchObject({
      solvent: true,
      liabilities_msat: balance_msat + held_msat,
      rails_backing_msat: balance_msat + held_msat + 40,
      rails: [{ rail: 'simulated', balance_msat: null }],
      amounts: { agents_held_msat: 70, revenue_msat: 40, loss_msat: 0 },
    });
  });

  it('do not wait for ever for a wallet that ignores that nobody waits any more', async () => {
    const { timeout } = AbortSignal;
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout.call(AbortSignal, 5));
    vi.spyOn(vault.wallet, 'balanceMsat').mockReturnValue(new Promise(() => {}));
    const { status, body } = await read('/operator/solvency');
    expect([status, body.error.code]).toEqual([503, 'outcome_unknown']);
  });

  it('have one page for all that waits', async () => {
    await held(vault, agent, 70);
    for (const url of ['/operator/dashboard', '/operator/stats']) {
      expect((await read(url)).body).toMatchObject({
        agents: [{ agent_id: agent.id, held_msat: 70 }],
        total_agents: 1,
        disabled_agents: 0,
        rails: { simulated: { status: 'ok' } },
        open: { holds: 1, approvals: 0, payments: 0, payouts: 0, deposits: 0 },
        stuck_payments: [],
        frozen_rails: [],
        mode: 'normal',
        ledger: { writable: true },
      });
    }
  });

  it('list every audit row once, page by page, while others are written', async () => {
    for (let i = 0; i < 5; i++) await settle(vault, await held(vault, agent, 10), 4);
    const seen: number[] = [];
    let cursor = '';
    do {
      const { body } = await read(`/operator/audit?limit=3${cursor}`);
      seen.push(...body.entries.map(({ id }: { id: number }) => id));
      expect(JSON.stringify(body)).not.toContain('token_hash');
      await held(vault, agent, 1);
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => seen[0]! - i));
    expect(seen.at(-1)).toBe(1);
    expect((await read('/operator/audit?cursor=bm90')).status).toBe(400);
  });

  it('are verified while the vault works, and a tampered row is named', async () => {
    await settle(vault, await held(vault, agent, 100), 40);
    const [first, second] = await Promise.all([read('/operator/verify'), read('/operator/verify')]);
    expect(first.body).toMatchObject({ ok: true, findings: [], findings_total: 0, agents: 1 });
    expect(second.body).toEqual(first.body);
    vault.writer.exec(`UPDATE reservations SET charged = 39 WHERE charged = 40`);
    const { body } = await read('/operator/verify');
    expect(body.ok).toBe(false);
    expect(body.findings.join('\n')).toContain('charged is 39, the audit trail says 40');
  });

  it('are numbers for Prometheus, too', async () => {
    await held(vault, agent, 30);
    await held(vault, agent, 40);
    await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats: 2_000_000 }));
    const scrape = () =>
      vault.app.inject({ url: '/metrics', headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    await scrape();
    const { body, statusCode } = await scrape();
    expect(statusCode).toBe(200);
    expect(body).toContain('arbstr_vault_open{kind="holds"} 2');
    expect(body).toContain('arbstr_vault_msat{account="agentsHeld"} 70');
    expect(body).toContain('arbstr_vault_http_requests_total{route="/metrics",status="200"} 1');
    expect((await vault.app.inject({ url: '/metrics' })).statusCode).toBe(401);
    const valueIn = (text: string, name: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1],
      );
    const reserves = (outcome: string) =>
      valueIn(body, `arbstr_vault_commands_total{kind="reserve",outcome="${outcome}"}`);
    expect([reserves('ok'), reserves('insufficient_balance')]).toEqual([2, 1]);

    // Two that come together share a commit; a round of the keeper with nothing to do has none.
    const together = [1, 2].map(() => {
      const reservationId = vault.newReservationId();
      return vault.engine.execute({ kind: 'release', reservationId, reason: null });
    });
    await Promise.all(together);
    await vault.keeper.tick();
    const after = (await scrape()).body;
    const grown = (name: string) => valueIn(after, name) - valueIn(body, name);
    expect(grown('arbstr_vault_batch_commands_sum')).toBe(2);
    expect(grown('arbstr_vault_batch_commands_count')).toBe(1);
    expect(grown('arbstr_vault_commit_seconds_count')).toBe(1);
    expect(grown('arbstr_vault_commit_seconds_sum')).toBeGreaterThan(0);
  });

  it('are the operator’s alone', async () => {
    for (const url of ['dashboard', 'stats', 'solvency', 'verify', 'audit']) {
      const { status } = await asAgent(vault, agent.token, `/operator/${url}`);
      expect(status).toBe(401);
    }
  });
});
