/** `serve`: the vault as a process. */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { loadConfig } from './config/config.ts';
import { StartError } from './errors.ts';
import { createLogs } from './log.ts';
import { createVault, type Vault } from './vault.ts';

/** How long a stop may take before the process ends anyway; nothing acknowledged is lost by that. */
const STOP_MAX_MS = 10_000;
/** How long of it requests get that are still being sent. */
const REQUESTS_MAX_MS = 5_000;
const STANDARD_OUTPUT = 1;

export async function serve(environment: NodeJS.ProcessEnv): Promise<void> {
  const config = loadConfig(environment);
  const { log, requestLog } = createLogs(config.logLevel, STANDARD_OUTPUT);
  const vault = await createVault(config, {
    clock: { now: Date.now, elapsed: () => Math.floor(performance.now()) },
    randomBytes: (length) => randomBytes(length),
    log,
    requestLog,
    exit: (code) => process.exit(code),
  });
  stopOnSignals(vault, log);
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'vault ends by a defect; everything acknowledged is on disk');
    process.exit(1);
  });
  // Before the first request: what was open when the vault went away gets more time.
  await vault.keeper.start();
  vault.depositWatcher.start();
  vault.payoutRunner.start();
  vault.runner.start();
  vault.watch.start();
  vault.courier?.start();
  vault.checkpoints.start();
  const address = await listen(vault, config.host, config.port);
  // Its path may be a secret of the receiver's.
  const webhooks = config.webhook === null ? null : new URL(config.webhook.url).origin;
  log.info({ address, database: config.databasePath, webhooks }, 'vault is serving');
}

/** Accepts nothing new, finishes what was accepted, ends with 0; bounded. */
function stopOnSignals(vault: Vault, log: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'vault is stopping');
    setTimeout(() => vault.app.server.closeAllConnections(), REQUESTS_MAX_MS).unref();
    setTimeout(() => {
      log.error('stopping took too long; ending now, everything acknowledged is on disk');
      process.exit(1);
    }, STOP_MAX_MS).unref();
    vault.close().then(
      () => {
        log.info('vault has stopped');
        process.exit(0);
      },
      (error) => {
        log.error({ err: error }, 'stopping failed; everything acknowledged is on disk');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

async function listen(vault: Vault, host: string, port: number): Promise<string> {
  try {
    return await vault.app.listen({ host, port });
  } catch (error) {
    await vault.close();
    const { code, message } = error as NodeJS.ErrnoException;
    throw new StartError(
      code === 'EADDRINUSE'
        ? `port ${port} on ${host} is taken: stop what uses it, or set PORT`
        : `cannot listen on ${host}:${port}: ${message}`,
    );
  }
}
