/** A real vault process on a database of its own, as an operator would run it. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from '../../examples/demo/free-port.ts';
import { type Child, startChild, untilHealthy } from '../child.ts';
import type { Payer } from '../load/job.ts';
import { ROOT } from '../machine.ts';

const SCRIPT = 'packages/vault/src/main.ts';
const START_MS = 60_000;
/** More than any run can spend. */
const DEPOSIT_MSAT = 1_000_000_000_000;

export interface RunningVault {
  readonly child: Child;
  readonly port: number;
  readonly url: string;
  readonly internalToken: string;
  readonly adminToken: string;
  readonly databasePath: string;
}

export interface VaultOptions {
  readonly name: string;
  readonly core: number;
  readonly folder: string;
  /** Absent = a new one. */
  readonly databasePath?: string;
  readonly nodeArgs?: readonly string[];
}

export async function startVault(options: VaultOptions): Promise<RunningVault> {
  const { name, core, folder, nodeArgs = [] } = options;
  const databasePath = options.databasePath ?? join(folder, `${name}.db`);
  const port = await freePort();
  const internalToken = randomBytes(32).toString('base64url');
  const adminToken = randomBytes(32).toString('base64url');
  const child = startChild({
    name,
    script: SCRIPT,
    args: ['serve'],
    nodeArgs,
    core,
    folder,
    env: {
      VAULT_ADMIN_TOKEN: adminToken,
      VAULT_INTERNAL_TOKEN: internalToken,
      HOST: '127.0.0.1',
      PORT: String(port),
      DATABASE_PATH: databasePath,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await untilHealthy(child, `${url}/health`, START_MS);
  return { child, port, url, internalToken, adminToken, databasePath };
}

/** Funded agents without limits, made over the operator's API. */
export async function createAgents(vault: RunningVault, count: number): Promise<Payer[]> {
  const agents: Payer[] = [];
  for (let nth = 0; nth < count; nth++) {
    const { agent_id: id, token } = (await operator(vault, 'POST', '/agents', {
      name: `bench-${nth}`,
    })) as { agent_id: string; token: string };
    await operator(vault, 'PUT', `/agents/${id}/policy`, {});
    await operator(vault, 'POST', `/agents/${id}/deposit`, { amount_msat: DEPOSIT_MSAT });
    agents.push({ id, token });
  }
  return agents;
}

async function operator(
  vault: RunningVault,
  method: string,
  path: string,
  body: object,
): Promise<unknown> {
  const answer = await fetch(vault.url + path, {
    method,
    headers: { authorization: `Bearer ${vault.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
  return JSON.parse(text);
}

const VERIFY_MS = 300_000;

/** The vault's own check of books, chains and reservations; throws with what is wrong. */
export function verifyBooks(databasePath: string): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, SCRIPT), 'verify'], {
    env: { PATH: process.env.PATH, DATABASE_PATH: databasePath },
    encoding: 'utf8',
    timeout: VERIFY_MS,
  });
  if (status !== 0) throw new Error(`verify of ${databasePath} failed: ${stdout}${stderr}`);
}
