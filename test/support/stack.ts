/** A vault and a core as an operator would run them, with fake providers behind the core. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type MockOptions,
  type MockProvider,
  startMockProvider,
} from '../../packages/core/src/upstream/mock/server.ts';
import { freePort, type Service, startService, until } from './process.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const ADMIN_TOKEN = 'operator-of-the-test-stack-0123456789';
export const INTERNAL_TOKEN = 'internal-of-the-test-stack-0123456789';

export interface ProviderSetup {
  readonly name: string;
  readonly mock?: MockOptions;
  /** Instead of a mock. */
  readonly url?: string;
  /** More lines of TOML for this provider's table. */
  readonly toml?: string;
  readonly models?: readonly string[];
  /** Sats per 1M tokens, input and output. */
  readonly rate?: number;
}

export interface StackSetup {
  readonly providers: readonly ProviderSetup[];
  /** Default true. */
  readonly billed?: boolean;
  /** More TOML, appended. */
  readonly toml?: string;
  readonly server?: string;
  readonly vaultToml?: string;
  /** The vault's address as core sees it, where something stands in between. */
  readonly vaultUrl?: (realUrl: string) => Promise<string>;
  /** Folders of the databases, where they are not to be in the stack's own. */
  readonly folders?: { readonly core?: string; readonly vault?: string };
}

export interface Agent {
  readonly id: string;
  readonly token: string;
}

export interface Stack {
  readonly dir: string;
  core: Service;
  vault: Service | null;
  readonly providers: Readonly<Record<string, MockProvider>>;
  readonly configPath: string;
  readonly coreDatabase: string;
  readonly vaultDatabase: string;
  readonly vaultEnv: Readonly<Record<string, string>>;
  startCore(): Promise<Service>;
  startVault(): Promise<Service>;
  agent(options?: { fundMsat?: number; policy?: object | null }): Promise<Agent>;
  /** Vault's answer, parsed; throws on an error status. */
  asOperator(method: string, path: string, body?: unknown): Promise<Record<string, never>>;
  balance(agent: Agent): Promise<{ available: number; held: number; spent: number }>;
  /** Runs `verify` on the vault's database. */
  verify(): Promise<{ code: number; output: string }>;
  stop(): Promise<void>;
}

export async function startStack(setup: StackSetup): Promise<Stack> {
  const dir = mkdtempSync(join(tmpdir(), 'arbstr-stack-'));
  const billed = setup.billed ?? true;
  const corePort = await freePort();
  const vaultPort = await freePort();
  const providers: Record<string, MockProvider> = {};
  for (const { name, mock, url } of setup.providers) {
    if (url === undefined) providers[name] = await startMockProvider(mock ?? {});
  }
  const coreDatabase = join(setup.folders?.core ?? dir, 'core.db');
  const vaultDatabase = join(setup.folders?.vault ?? dir, 'vault.db');
  const vaultEnv = {
    VAULT_ADMIN_TOKEN: ADMIN_TOKEN,
    VAULT_INTERNAL_TOKEN: INTERNAL_TOKEN,
    DATABASE_PATH: vaultDatabase,
    PORT: String(vaultPort),
    LOG_LEVEL: 'warn',
  };
  const realVaultUrl = `http://127.0.0.1:${vaultPort}`;
  const startVault = () =>
    startService({
      args: ['packages/vault/src/main.ts', 'serve'],
      env: vaultEnv,
      port: vaultPort,
      cwd: dir,
    });
  const configPath = join(dir, 'config.toml');
  const startCore = () =>
    startService({
      args: ['packages/core/src/main.ts', 'serve', '-c', configPath],
      port: corePort,
      cwd: dir,
    });

  const vault = billed ? await startVault() : null;
  const vaultUrl = (await setup.vaultUrl?.(realVaultUrl)) ?? realVaultUrl;
  const address = billed ? vaultUrl : null;
  writeFileSync(configPath, configText(setup, providers, coreDatabase, corePort, address), {
    mode: 0o600,
  });

  const core = await startCore().catch(async (error: unknown) => {
    await vault?.kill();
    throw error;
  });
  const stack: Stack = {
    dir,
    core,
    vault,
    providers,
    configPath,
    coreDatabase,
    vaultDatabase,
    vaultEnv,
    async startCore() {
      stack.core = await startCore();
      return stack.core;
    },
    async startVault() {
      stack.vault = await startVault();
      return stack.vault;
    },
    async asOperator(method, path, body) {
      const answer = await fetch(realVaultUrl + path, {
        method,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return JSON.parse(text) as Record<string, never>;
    },
    async agent({ fundMsat = 1_000_000_000, policy = {} } = {}) {
      const made = (await stack.asOperator('POST', '/agents', {
        name: 'test',
        ...(policy === null ? {} : { policy }),
      })) as unknown as { agent_id: string; token: string };
      if (fundMsat > 0) {
        await stack.asOperator('POST', `/agents/${made.agent_id}/deposit`, {
          amount_msat: fundMsat,
        });
      }
      return { id: made.agent_id, token: made.token };
    },
    async balance(agent) {
      const answer = await fetch(`${realVaultUrl}/agents/me/balance`, {
        headers: { authorization: `Bearer ${agent.token}` },
      });
      const body = (await answer.json()) as Record<string, number>;
      return {
        available: body.balance_msat!,
        held: body.held_msat!,
        spent: body.spent_24h_msat!,
      };
    },
    verify: () =>
      new Promise((resolve) => {
        execFile(
          process.execPath,
          [`${ROOT}packages/vault/src/main.ts`, 'verify'],
          { env: { ...vaultEnv, PATH: process.env.PATH }, cwd: dir },
          (error, stdout, stderr) => {
            resolve({
              code: error === null ? 0 : Number(error.code ?? 1),
              output: stdout + stderr,
            });
          },
        );
      }),
    async stop() {
      await stack.core.kill();
      await stack.vault?.kill();
      await Promise.all(Object.values(providers).map((provider) => provider.close()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return stack;
}

function configText(
  setup: StackSetup,
  mocks: Record<string, MockProvider>,
  database: string,
  port: number,
  vaultUrl: string | null,
): string {
  const providers = setup.providers.map(
    ({ name, url, toml = '', models = ['gpt-4o'], rate = 8000 }) => `
[[providers]]
name = "${name}"
url = "${url ?? mocks[name]!.url}"
api_key = "sk-upstream-${name}"
models = ${JSON.stringify(models)}
input_rate = ${rate}
output_rate = ${rate}
${toml}`,
  );
  return `
[server]
listen = "127.0.0.1:${port}"
${setup.server ?? ''}
[database]
path = "${database}"
${
  vaultUrl === null
    ? ''
    : `[vault]
url = "${vaultUrl}"
internal_token = "${INTERNAL_TOKEN}"
${setup.vaultToml ?? ''}`
}
[logging]
level = "warn"
${setup.toml ?? ''}
${providers.join('\n')}
`;
}

/** Every hold has come to its end. */
export async function settled(stack: Stack, agent: Agent, timeoutMs = 10_000): Promise<number> {
  await until(
    async () => (await stack.balance(agent)).held === 0,
    timeoutMs,
    () => `funds are still held:\n${stack.core.output()}`,
  );
  return (await stack.balance(agent)).available;
}
