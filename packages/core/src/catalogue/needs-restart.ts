/**
 * What a running core cannot change: where it listens, where its journal is, who bills. Their
 * running values stay until the process is started again, and the operator is told so.
 */
import type { Config, VaultConfig } from '../config/types.ts';

/** Keys of the file, each with the value that a start takes from it. */
const FIXED: Readonly<Record<string, (config: Config) => unknown>> = {
  'server.listen': ({ server }) => `${server.host} ${server.port}`,
  'server.body_limit_mb': ({ server }) => server.bodyLimitBytes,
  'database.path': ({ database }) => database.path,
  '[vault]': ({ vault }) => vault === null,
  'vault.url': ({ vault }) => vault?.url,
  'vault.internal_token': ({ vault }) => vault?.internalToken.reveal(),
};

export interface Merged {
  readonly config: Config;
  /** Keys that differ and wait for a restart, as they stand in the file. */
  readonly needsRestart: readonly string[];
}

/** `next` with the values of `running` where those are fixed for the life of the process. */
export function keepFixed(running: Config, next: Config): Merged {
  const differs = Object.entries(FIXED).flatMap(([key, read]) =>
    read(running) === read(next) ? [] : [key],
  );
  const { host, port, bodyLimitBytes } = running.server;
  return {
    config: {
      ...next,
      server: { ...next.server, host, port, bodyLimitBytes },
      database: running.database,
      vault: keepVault(running.vault, next.vault),
    },
    // Without a [vault] on one side, its keys say nothing more.
    needsRestart: differs.includes('[vault]')
      ? differs.filter((key) => !key.startsWith('vault.'))
      : differs,
  };
}

function keepVault(running: VaultConfig | null, next: VaultConfig | null): VaultConfig | null {
  if (running === null || next === null) return running;
  return { ...next, url: running.url, internalToken: running.internalToken };
}
