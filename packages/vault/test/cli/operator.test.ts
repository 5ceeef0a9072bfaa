/** The operator's commands against a vault in this process: what they do, show, ask and end with. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { USAGE } from '../../src/cli/usage.ts';
import { runCommand, somebody } from '../support/command.ts';
import {
  ADMIN_TOKEN,
  asAgent,
  asOperator,
  balanceOf,
  call,
  closeVaults,
  fundedAgent,
  openVault,
  type TestAgent,
  type TestVault,
} from '../support/vault.ts';

let vault: TestVault;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  vault = await openVault();
  const url = await vault.app.listen({ host: '127.0.0.1', port: 0 });
  environment = { VAULT_URL: url, VAULT_ADMIN_TOKEN: ADMIN_TOKEN };
});
afterAll(closeVaults);

const command = (...args: string[]) => runCommand(args, environment);
const json = async (...args: string[]) => JSON.parse((await command(...args, '--json')).stdout);

/** The command at a terminal, where somebody answers. */
async function answered(answer: string, ...args: string[]) {
  const terminal = somebody(answer);
  const printed = await runCommand(args, environment, terminal);
  return { ...printed, asked: terminal.asked() };
}

test('make, fund, limit, list, show and disable an agent', async () => {
  const { agent_id: id, token: first } = await json('agents', 'create', 'Ada\u001b[2K');
  expect((await command('deposit', id, '2500')).stdout).toContain('2.5 sats available');
  const limited = await command('agents', 'policy', id, '--daily-limit-msat', '9000');
  expect(limited.stdout).toMatch(/^policy version 1, since 20\S+\n/);
  const lists = ['--allowed-models', 'a,b', '--max-fee-msat', 'none'];
  expect((await command('agents', 'policy', id, ...lists)).stdout).toMatch(
    /daily-limit-msat +9 sats\n.*max-fee-msat +none[\s\S]*allowed-models +a, b/,
  );
  const { token, scopes } = await json('agents', 'rotate-token', id, '--scopes', 'read');
  expect(scopes).toEqual(['read']);
  expect((await asAgent(vault, first, '/agents/me')).status).toBe(401);
  expect((await asAgent(vault, token, '/agents/me')).status).toBe(200);
  const listed = (await command('agents', 'list')).stdout.split('\n');
  expect(listed[0]).toMatch(/^ID +STATE +CREATED +NAME$/);
  expect(listed).toContainEqual(
    expect.stringMatching(new RegExp(`^${id}  active +20\\S+  Ada\\\\u\\{1b\\}\\[2K$`)),
  );
  const { stdout } = await command('agents', 'show', id);
  expect(stdout).toMatch(/available +2\.5 sats\n +held +0 sats\n +spent in 24 h +0 sats\n/);
  expect(stdout).toMatch(/\npolicy version 2, since[\s\S]*\nTOKEN +STATE[\s\S]* usable +read /);
  expect((await command('agents', 'disable', id, '--sweep')).stdout).toContain(
    '2.5 sats went to the operator',
  );
  expect((await command('agents', 'list')).stdout).toContain(`${id}  disabled`);
  const refused = await command('deposit', id, '1');
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('agent_disabled')]);
});

test('a policy without limits in the command is shown, and stays the version that it is', async () => {
  const agent = await fundedAgent(vault, { policy: { daily_limit_msat: 9_000 } });
  const shown = await command('agents', 'policy', agent.id);
  expect(shown.stdout).toMatch(/^policy version 1, since [\s\S]*daily-limit-msat +9 sats/);
  expect(await json('agents', 'policy', agent.id)).toMatchObject({ policy: { version: 1 } });
  await command('agents', 'policy', agent.id, '--allowed-models', 'a,b');
  const versions = (await command('agents', 'policy', 'versions', agent.id)).stdout.split('\n');
  expect(versions).toEqual([
    expect.stringMatching(/^VERSION +SINCE +LIMITS$/),
    expect.stringMatching(/^ +2 {2}20\S+ {2}daily-limit-msat 9 sats, allowed-models a, b$/),
    expect.stringMatching(/^ +1 {2}20\S+ {2}daily-limit-msat 9 sats$/),
    '',
  ]);
  const none = await fundedAgent(vault, { policy: null });
  for (const args of [['policy'], ['policy', 'versions']]) {
    const { stdout } = await command('agents', ...args, none.id);
    expect(stdout).toBe('no policy yet: it may spend nothing\n');
  }
});

test('the dashboard shows what there is and what waits', async () => {
  const { id } = await fundedAgent(vault);
  const { code, stdout } = await command('dashboard');
  expect(code).toBe(0);
  expect(stdout).toMatch(/mode +normal\n[\s\S]*\nsats\n[\s\S]*agents available +\d+/);
  expect(stdout).toMatch(new RegExp(`\\n${id} +1000 +0 +0 +- +0 +active +test agent\\n`));
  expect(await json('dashboard')).toMatchObject({
    mode: 'normal',
    agents: expect.arrayContaining([expect.objectContaining({ agent_id: id })]),
  });
});

async function waitingPayment(agent: TestAgent, destination: string): Promise<string> {
  const { body } = await call(vault, {
    method: 'POST',
    url: '/agents/me/pay',
    headers: { authorization: `Bearer ${agent.token}` },
    payload: {
      amount_msat: 5_000,
      destination_type: 'lightning_address',
      destination,
      purpose: 'data',
    },
  });
  return body.approval_id;
}

describe('approvals', () => {
  let agent: TestAgent;
  beforeEach(async () => {
    const policy = { max_transaction_msat: 1_000, approval_timeout_ms: 60_000 };
    agent = await fundedAgent(vault, { policy });
  });

  test('are listed, approved and denied', async () => {
    expect((await command('approvals')).stdout).toBe('nothing waits\n');
    const first = await waitingPayment(agent, 'seller@pay.example');
    const second = await waitingPayment(agent, 'seller@pay.example');
    const [heads, ...rows] = (await command('approvals')).stdout.split('\n');
    expect(heads).toMatch(/^ID +STATUS +AGENT OR SELLER +SATS +FEE UP TO +TYPE +RULE +UNTIL +TO$/);
    expect(rows).toContainEqual(
      expect.stringMatching(
        new RegExp(`^${first}  pending  ${agent.id} +5 +\\S+  payment .* seller@pay\\.example$`),
      ),
    );
    expect((await command('approvals', 'approve', first)).stdout).toContain(
      `${first} is approved; the payment is`,
    );
    const denied = await command('approvals', 'deny', second, '--reason', 'not today');
    expect(denied.stdout).toContain(`${second} is denied`);
    expect(await json('approvals')).toEqual({ approvals: [] });
    expect((await command('approvals', 'approve', first)).code).toBe(1);
  });

  test('show what runs before they are approved at a terminal, and leave it where the answer is no', async () => {
    const id = await waitingPayment(agent, 'seller@pay.example');
    const before = await balanceOf(vault, agent);
    const no = await answered('n\n', 'approvals', 'approve', id, '--json');
    expect(no).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('not confirmed'),
    });
    expect(no.asked).toMatch(
      new RegExp(
        `agent +${agent.id}\\n +amount +5 sats\\n +fee limit +\\S+ sats\\n +destination +seller@pay\\.example\\n`,
      ),
    );
    expect(await balanceOf(vault, agent)).toEqual(before);
    const yes = await answered('y\n', 'approvals', 'approve', id, '--json');
    expect(JSON.parse(yes.stdout)).toMatchObject({ approval_id: id, status: 'approved' });
    const again = await answered('y\n', 'approvals', 'approve', id);
    expect(again).toMatchObject({
      code: 1,
      asked: expect.stringContaining('not among what waits'),
    });
  });
});

describe('at a terminal, no leaves', () => {
  test('an agent in service, with its money', async () => {
    const agent = await fundedAgent(vault);
    const { code, asked } = await answered('\n', 'agents', 'disable', agent.id, '--sweep');
    expect([code, asked]).toEqual([1, expect.stringMatching(/name +test agent\n.*1000 sats/)]);
    expect(await balanceOf(vault, agent)).toMatchObject({ available: 1_000_000 });
    const { asked: unasked } = await answered('', 'agents', 'disable', agent.id, '--yes');
    expect(unasked).toBe('');
    expect((await asOperator(vault, 'GET', `/agents/${agent.id}`)).body.disabled_at).not.toBeNull();
  });

  test('its tokens; an overlap is not asked about', async () => {
    const agent = await fundedAgent(vault);
    for (const overlap of [[], ['--overlap-secs', '0']]) {
      const { code } = await answered('no\n', 'agents', 'rotate-token', agent.id, ...overlap);
      expect(code).toBe(1);
    }
    for (const overlap of ['60', 'none']) {
      const { asked } = await answered(
        '',
        'agents',
        'rotate-token',
        agent.id,
        '--overlap-secs',
        overlap,
      );
      expect(asked).toBe('');
    }
    expect((await asAgent(vault, agent.token, '/agents/me')).status).toBe(200);
  });

  test('what a seller is owed', async () => {
    const path = '/operator/providers/alpha';
    await asOperator(vault, 'PUT', path, { payout_destination: 'alpha@pay.example' });
    const book = ['payouts', 'book', 'alpha', '1000', '--reason', 'by hand'];
    const no = await answered('n\n', ...book);
    expect([no.code, no.asked]).toEqual([
      1,
      expect.stringMatching(/paid +1 sats\n +reason +by hand\n +owed now +0 sats/),
    ]);
    // Told to go on, it is the vault that refuses: nothing is owed.
    const yes = await answered('y\n', ...book);
    expect([yes.code, yes.stderr]).toEqual([1, expect.stringContaining('insufficient_balance')]);
    expect((await command('payouts')).stdout).toBe('no payouts yet\n');
  });

  test('recovery mode', async () => {
    expect(await answered('n\n', 'recovery', 'finish')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not confirmed'),
    });
    expect((await command('recovery', 'finish')).stderr).toContain('not_recovering');
    expect((await command('recovery', 'finish', '--force')).stderr).toContain('not_recovering');
    const forced = await answered('n\n', 'recovery', 'finish', '--force');
    expect(forced.asked).toContain('It will not wait for what the wallet says');
  });
});

describe('exit codes', () => {
  const LIMIT = ['--max-fee-msat', '1.5'];
  test.each([
    [['nope'], 'no command "nope"'],
    [[], 'usage:'],
    [['serve', 'now'], 'what "now" is for'],
    [['serve', '--port', '1'], "Unknown option '--port'"],
    [['verify', '--chekpoint', 'x'], "Unknown option '--chekpoint'"],
    [['backup'], 'needs a file'],
    [['restore', 'a', 'b'], 'what "b" is for'],
    [['openapi', '--check'], '--check'],
    [['agents'], 'needs to know'],
    [['agents', 'toString'], 'cannot toString'],
    [['approvals', 'constructor'], 'cannot constructor'],
    [['agents', 'create'], 'needs a name'],
    [['agents', 'create', 'a', '--scopes', 'read'], 'create does not take --scopes'],
    [['agents', 'policy', 'versions'], 'needs an agent id'],
    [['agents', 'policy', 'ag_x', ...LIMIT], 'must be an integer'],
    [['agents', 'list', '--sweep'], 'list does not take --sweep'],
    [['agents', 'disable', ''], 'needs an agent id'],
    [['deposit', 'ag_x', '5', '000'], 'what "000" is for'],
    [['deposit', 'ag_x', '1e6'], 'no amount'],
    [['approvals', 'approve'], 'needs the id'],
    [['approvals', 'deny', 'apr_x', '--yes'], 'does not take --yes'],
    [['payouts', 'book', 'alpha', '1000'], 'needs a --reason'],
    [['recovery'], 'needs finish'],
    [['dashboard', 'x'], 'what "x" is for'],
  ])('%j is 2, and says why', async (args, message) => {
    const { code, stdout, stderr } = await command(...args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(message);
    expect(stderr).toContain('usage:');
  });

  test.each(Object.keys(USAGE))('%s --help is 0 and does nothing else', async (name) => {
    const { code, stdout, stderr } = await command(name, '--help');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`  ${name}`);
    expect(stdout).toContain('Exit codes: 0 done');
    expect((await command('--help')).stdout).toContain(`  ${name}`);
  });

  test('what cannot be reached, found or authorised is 1', async () => {
    expect((await command('agents', 'show', 'ag_x')).code).toBe(1);
    const without = await runCommand(['agents', 'list'], { VAULT_URL: environment.VAULT_URL });
    expect(without).toMatchObject({ code: 1, stderr: 'vault: VAULT_ADMIN_TOKEN is not set\n' });
  });
});
