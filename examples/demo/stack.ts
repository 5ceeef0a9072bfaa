/** Vault and core as the demo runs them. */
import { requestLine } from './print.ts';
import { startService } from './services.ts';
import { DRAIN_SECS, type Setup } from './setup.ts';

export interface Stack {
  /** Rejects when a service ends by itself. */
  readonly died: Promise<never>;
  ready(): Promise<void>;
  /** Core first, which drains and delivers its last bills; then the vault. */
  end(): Promise<void>;
  /** At once, whatever they are doing. */
  kill(): void;
}

/** After their drain, services get this to end by themselves. */
const CORE_GRACE_MS = (DRAIN_SECS + 12) * 1000;
const VAULT_GRACE_MS = 10_000;

/** `onRequest` gets a line for each request that core has served. */
export function startStack(setup: Setup, onRequest: (line: string) => void): Stack {
  const vault = startService({
    name: 'vault',
    url: setup.vaultUrl,
    args: ['packages/vault/src/main.ts', 'serve'],
    env: {
      HOST: '127.0.0.1',
      PORT: new URL(setup.vaultUrl).port,
      DATABASE_PATH: setup.vaultDatabasePath,
      VAULT_ADMIN_TOKEN: setup.adminToken,
      VAULT_INTERNAL_TOKEN: setup.internalToken,
      LOG_LEVEL: 'warn',
    },
  });
  const core = startService({
    name: 'core',
    url: setup.coreUrl,
    args: ['packages/core/src/main.ts', 'serve', '-c', setup.configPath],
    env: { VAULT_INTERNAL_TOKEN: setup.internalToken },
    onLine(line) {
      const request = requestLine(line);
      if (request !== null) onRequest(request);
    },
  });
  const died = Promise.race([vault.died, core.died]);
  died.catch(() => {});
  return {
    died,
    async ready() {
      await vault.ready();
      await core.ready();
    },
    async end() {
      await core.end(CORE_GRACE_MS);
      await vault.end(VAULT_GRACE_MS);
    },
    kill() {
      core.kill();
      vault.kill();
    },
  };
}
