/** Agent tokens: rotated, scoped, expiring, revoked; and what each of them may do. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LIVE_TOKENS_MAX } from '../../src/ledger/tokens.ts';
import {
  asAgent,
  asCore,
  asOperator,
  call,
  closeVaults,
  fundedAgent,
  openVault,
  pass,
  reserveBody,
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
  expect(vault.verify().findings).toEqual([]);
  await closeVaults();
});

const rotate = (body: object = {}, headers: Record<string, string> = {}) =>
  asOperator(vault, 'POST', `/agents/${agent.id}/tokens`, body, headers);
const revoke = (tokenId: string, of = agent) =>
  asOperator(vault, 'DELETE', `/agents/${of.id}/tokens/${tokenId}`);
const list = async (query = '') =>
  (await asOperator(vault, 'GET', `/agents/${agent.id}/tokens${query}`)).body;

/** What a token can do: ask core who it is, read, hold money. */
async function uses(token: string): Promise<number[]> {
  const body = reserveBody(vault, { ...agent, token });
  return [
    (await asCore(vault, 'POST', '/authenticate', { agent_token: token })).status,
    (await asAgent(vault, token, '/agents/me/balance')).status,
    (await asCore(vault, 'POST', '/reserve', body)).status,
  ];
}
const USABLE = [200, 200, 200];
const UNUSABLE = [401, 401, 401];

describe('rotation', () => {
  test('shows a new token once, and the old one ends at once', async () => {
    expect(await uses(agent.token)).toEqual(USABLE);
    const { status, body } = await rotate();
    expect([status, body]).toEqual([
      201,
      {
        agent_id: agent.id,
        token_id: expect.stringMatching(/^tok_/),
        token: expect.stringMatching(/^vtk_[A-Za-z0-9_-]{43}$/),
        scopes: ['spend', 'read'],
        created_at: vault.clock.ms,
        expires_at: null,
      },
    ]);
    expect(await uses(agent.token)).toEqual(UNUSABLE);
    expect(await uses(body.token)).toEqual(USABLE);
  });

  test('with an overlap leaves the old one usable for that long, also over a restart', async () => {
    const { body } = await rotate({ overlap_secs: 60 });
    await pass(vault, 59_999);
    vault = await vault.restart();
    expect([await uses(agent.token), await uses(body.token)]).toEqual([USABLE, USABLE]);
    await pass(vault, 1);
    expect([await uses(agent.token), await uses(body.token)]).toEqual([UNUSABLE, USABLE]);
  });

  test('never gives an ending token more time than it had', async () => {
    await rotate({ overlap_secs: 10 });
    await rotate({ overlap_secs: 1_000 });
    await pass(vault, 10_000);
    expect(await uses(agent.token)).toEqual(UNUSABLE);
  });

  test('with no overlap at all (null) leaves the others alone', async () => {
    const { body } = await rotate({ scopes: ['read'], overlap_secs: null });
    await pass(vault, 60_000);
    expect(await uses(agent.token)).toEqual(USABLE);
    expect(await uses(body.token)).toEqual([200, 200, 403]);
  });

  test('keeps the scopes of the token that it replaces', async () => {
    await rotate({ scopes: ['read'] });
    expect((await rotate()).body.scopes).toEqual(['read']);
  });

  test('under a key makes one token and shows it once', async () => {
    const key = { 'idempotency-key': 'rotate-1' };
    const first = await rotate({}, key);
    const second = await rotate({}, key);
    expect([second.status, second.body]).toEqual([201, { ...first.body, token: null }]);
    expect(await uses(first.body.token)).toEqual(USABLE);
    expect((await rotate({ overlap_secs: 1 }, key)).status).toBe(409);
  });

  test('of a disabled or unknown agent is refused', async () => {
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    expect((await rotate()).body.error.code).toBe('agent_disabled');
    const nobody = '/agents/ag_01JABCDEFGHJKMNPQRSTVWXYZ0/tokens';
    expect((await asOperator(vault, 'POST', nobody, {})).status).toBe(404);
    expect((await asOperator(vault, 'GET', nobody)).status).toBe(404);
  });

  test('leaves an agent a bounded number of usable tokens, however many ask at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => rotate({ overlap_secs: 3_600 })),
    );
    const refused = answers.filter(({ status }) => status !== 201);
    expect(answers.length - refused.length).toBe(LIVE_TOKENS_MAX - 1);
    for (const { status, body } of refused) {
      expect([status, body.error.code]).toEqual([409, 'too_many_tokens']);
    }
    // Ending them all makes room.
    expect((await rotate()).status).toBe(201);
    const { tokens } = await list('?limit=100');
    expect(tokens.filter(({ usable }: { usable: boolean }) => usable)).toHaveLength(1);
  });
});

describe('expiry', () => {
  test('is in the ledger’s time: setting the clock back gives a token no more', async () => {
    const { body } = await rotate({ expires_in_secs: 30 });
    await pass(vault, 29_999);
    expect(await uses(body.token)).toEqual(USABLE);
    await pass(vault, 1);
    expect(await uses(body.token)).toEqual(UNUSABLE);
    // The disk knows the ledger's time to the second.
    await pass(vault, 1_000);
    vault.clock.set(vault.clock.ms - 3_600_000);
    expect(await uses(body.token)).toEqual(UNUSABLE);
    vault = await vault.restart();
    expect(await uses(body.token)).toEqual(UNUSABLE);
  });
});

describe('revocation', () => {
  test('is effective at once, and answers the same again', async () => {
    const { body } = await rotate();
    expect(await uses(body.token)).toEqual(USABLE);
    const first = await revoke(body.token_id);
    expect(first.body).toEqual({
      agent_id: agent.id,
      token_id: body.token_id,
      revoked_at: vault.clock.ms,
    });
    expect(await uses(body.token)).toEqual(UNUSABLE);
    vault.clock.advance(1_000);
    expect((await revoke(body.token_id)).body).toEqual(first.body);
  });

  test('of an ending token ends it now', async () => {
    const old = (await list()).tokens[0].token_id;
    await rotate({ overlap_secs: 3_600 });
    await revoke(old);
    expect(await uses(agent.token)).toEqual(UNUSABLE);
  });

  test('races with reserves: after its answer none is held', async () => {
    const [{ token_id: id }] = (await list()).tokens;
    const reserve = async () =>
      (await asCore(vault, 'POST', '/reserve', reserveBody(vault, agent, { amount_msats: 1 })))
        .status;
    const before = Array.from({ length: 100 }, reserve);
    const revoked = revoke(id);
    const during = Array.from({ length: 100 }, reserve);
    await revoked;
    const after = Array.from({ length: 100 }, reserve);
    expect(new Set(await Promise.all(after))).toEqual(new Set([401]));
    const statuses = await Promise.all([...before, ...during]);
    const held = statuses.filter((status) => status === 200).length;
    expect(statuses.filter((status) => status === 401)).toHaveLength(200 - held);
    expect((await asOperator(vault, 'GET', `/agents/${agent.id}/balance`)).body.held_msat).toBe(
      held,
    );
  });

  test('T63: another agent’s token does not exist', async () => {
    const other = await fundedAgent(vault);
    const [{ token_id: id }] = (await list()).tokens;
    expect((await revoke(id, other)).status).toBe(404);
    expect((await revoke('tok_01JABCDEFGHJKMNPQRSTVWXYZ0')).status).toBe(404);
    expect((await revoke('x')).status).toBe(404);
    expect(await uses(agent.token)).toEqual(USABLE);
  });

  test('works on a disabled agent', async () => {
    const [{ token_id: id }] = (await list()).tokens;
    await asOperator(vault, 'DELETE', `/agents/${agent.id}`);
    expect((await revoke(id)).status).toBe(200);
    expect((await asAgent(vault, agent.token, '/agents/me')).status).toBe(401);
  });
});

describe('T63: the list', () => {
  test('is complete, newest first, page by page, and shows neither token nor hash', async () => {
    const made = [agent.token];
    for (let n = 0; n < 4; n++) made.push((await rotate({ overlap_secs: 60 })).body.token);
    const hashes = vault.writer
      .prepare<[], { token_hash: string }>('SELECT token_hash FROM agent_tokens')
      .all();
    const seen: { token_id: string; usable: boolean }[] = [];
    let cursor = '';
    do {
      const body = await list(`?limit=2${cursor}`);
      for (const secret of [...made, ...hashes.map((row) => row.token_hash)]) {
        expect(JSON.stringify(body)).not.toContain(secret.replace('vtk_', ''));
      }
      seen.push(...body.tokens);
      cursor = body.next_cursor ? `&cursor=${body.next_cursor}` : '';
    } while (cursor);
    const ids = seen.map((token) => token.token_id);
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    expect(seen.map(({ usable }) => usable)).toEqual([true, true, true, true, true]);
    expect((await list('?cursor=x')).error.code).toBe('invalid_cursor');
  });

  test('and the history tell what happened to tokens without telling them', async () => {
    const { body } = await rotate({ overlap_secs: 5 });
    await revoke(body.token_id);
    const { entries } = (await asOperator(vault, 'GET', `/agents/${agent.id}/history?limit=3`))
      .body;
    expect(entries.map(({ action }: { action: string }) => action).slice(0, 2)).toEqual([
      'TOKEN_REVOKED',
      'TOKEN_ISSUED',
    ]);
    expect(entries[0].ref_id).toBe(body.token_id);
    expect(JSON.stringify(entries)).not.toMatch(/token_hash|vtk_/);
  });
});

describe('scopes', () => {
  test('a token that may only read cannot hold money', async () => {
    const { body } = await rotate({ scopes: ['read'] });
    expect(await uses(body.token)).toEqual([200, 200, 403]);
    const refused = await asCore(
      vault,
      'POST',
      '/reserve',
      reserveBody(vault, { ...agent, token: body.token }),
    );
    expect(refused.body.error).toMatchObject({
      code: 'insufficient_scope',
      required_scope: 'spend',
      scopes: ['read'],
    });
  });

  test('a token that may only spend can read nothing', async () => {
    const { body } = await rotate({ scopes: ['spend'] });
    expect(await uses(body.token)).toEqual([200, 403, 200]);
    for (const url of ['/agents/me', '/agents/me/history', `/agents/${agent.id}/balance`]) {
      const answer = await asAgent(vault, body.token, url);
      expect([answer.status, answer.body.error.code]).toEqual([403, 'insufficient_scope']);
    }
  });

  test.each([
    { scopes: [] },
    { scopes: ['admin'] },
    { scopes: ['read', 'read'] },
    { scopes: 'read' },
    { expires_in_secs: 0 },
    { expires_in_secs: 1.5 },
    { expires_in_secs: 10 * 365 * 24 * 3600 + 1 },
    { overlap_secs: -1 },
    { overlap_secs: 30 * 24 * 3600 + 1 },
    { overlap_secs: '60' },
    { scope: ['read'] },
  ])('%o is refused, and the old token stays', async (body) => {
    const answer = await rotate(body);
    expect([answer.status, answer.body.error.code]).toEqual([400, 'invalid_request']);
    expect(await uses(agent.token)).toEqual(USABLE);
  });

  test('without a body a token is rotated as with an empty one', async () => {
    const answer = await call(vault, {
      method: 'POST',
      url: `/agents/${agent.id}/tokens`,
      headers: { authorization: 'Bearer admin-token-of-the-tests-0123456789' },
    });
    expect(answer.status).toBe(201);
  });
});

test('the database keeps a token’s end from being taken back', async () => {
  const { body } = await rotate();
  await revoke(body.token_id);
  for (const change of [
    'revoked_at = NULL',
    'revoked_at = revoked_at + 1',
    "scopes = 'spend'",
    'expires_at = 1',
    "token_hash = 'x'",
  ]) {
    expect(() => vault.writer.exec(`UPDATE agent_tokens SET ${change}`)).toThrow('may change');
  }
  expect(() => vault.writer.exec('DELETE FROM agent_tokens')).toThrow('never deleted');
});
