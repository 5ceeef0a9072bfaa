/**
 * Where a day takes place: at VAULT_URL with VAULT_ADMIN_TOKEN (and CORE_URL, where there is one),
 * or on a vault and a core of its own, on free ports, in a folder that is removed in the end.
 */
import { freePort } from '../demo/free-port.ts';
import { prepare } from '../demo/setup.ts';
import { startStack } from '../demo/stack.ts';

export interface Place {
  readonly vaultUrl: string;
  readonly adminToken: string;
  /** null: nobody sells inference here. */
  readonly coreUrl: string | null;
  /** null: the database is on another machine. */
  readonly databasePath: string | null;
}

/** Lives one day and ends the process: 0, or 1 with a line that says what went wrong. */
export async function liveThrough(day: (place: Place) => Promise<void>): Promise<never> {
  let code = 0;
  try {
    await (process.env.VAULT_URL ? day(placeOf(process.env.VAULT_URL)) : onAStackOfItsOwn(day));
  } catch (error) {
    const { message, cause } = error as Error & { cause?: Error };
    process.stderr.write(`${message}${cause === undefined ? '' : ` (${cause.message})`}\n`);
    code = 1;
  }
  process.exit(code);
}

function placeOf(vaultUrl: string): Place {
  const { VAULT_ADMIN_TOKEN: adminToken, CORE_URL, DATABASE_PATH } = process.env;
  if (!adminToken) throw new Error('VAULT_URL is set, so set VAULT_ADMIN_TOKEN, too');
  return {
    vaultUrl,
    adminToken,
    coreUrl: CORE_URL || null,
    databasePath: DATABASE_PATH || null,
  };
}

async function onAStackOfItsOwn(day: (place: Place) => Promise<void>): Promise<void> {
  const setup = prepare({ once: true, corePort: await freePort(), vaultPort: await freePort() });
  const stack = startStack(setup, () => {});
  process.on('exit', () => {
    stack.kill();
    setup.remove();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  const { vaultUrl, coreUrl, adminToken, vaultDatabasePath: databasePath } = setup;
  const live = async (): Promise<void> => {
    await stack.ready();
    await day({ vaultUrl, coreUrl, adminToken, databasePath });
  };
  await Promise.race([stack.died, live()]);
  await stack.end();
}
