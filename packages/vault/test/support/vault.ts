/** A real vault on a real SQLite file in a temporary folder, with a clock that the test moves. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIdSource, msat } from '@arbstr/shared';
import type { InjectOptions } from 'fastify';
import { pino } from 'pino';
import { createSeal } from '../../src/audit/seal.ts';
import type { Report } from '../../src/audit/verify/report.ts';
import { verifyLedger } from '../../src/audit/verify/verify.ts';
import { NETWORKS, type Network } from '../../src/bolt11/invoice.ts';
import type { VaultConfig, WebhookConfig } from '../../src/config/config.ts';
import { openReader, openWriter } from '../../src/db/open.ts';
import { beginRecovery } from '../../src/ledger/open-ledger.ts';
import type { Logs } from '../../src/log.ts';
import type { PostTiming } from '../../src/notify/post.ts';
import type { NewId } from '../../src/ports.ts';
import { createVault, type Vault } from '../../src/vault.ts';
import type { RunnerTiming } from '../../src/worker/runner.ts';

export const ADMIN_TOKEN = 'admin-token-of-the-tests-0123456789';
export const INTERNAL_TOKEN = 'internal-token-of-the-tests-0123456789';
/** 2026-01-01T00:00:30Z: half a minute into a spend bucket. */
export const START_MS = 1_767_225_630_000;

export class TestClock {
  ms = START_MS;
  #elapsed = 0;
  readonly now = () => this.ms;
  readonly elapsed = () => this.#elapsed;
  advance(ms: number): void {
    this.ms += ms;
    this.#elapsed += ms;
  }
  /** As an operator or NTP does; no time passes. */
  set(ms: number): void {
    this.ms = ms;
  }
}

export interface TestVault extends Vault {
  readonly clock: TestClock;
  readonly path: string;
  readonly exits: number[];
  readonly newReservationId: () => string;
  readonly newId: NewId;
  /** Stops the vault and starts another one on the same file. */
  restart(): Promise<TestVault>;
  /** As `restart`, but in recovery mode: its database is as a backup of this moment is restored. */
  restore(): Promise<TestVault>;
  verify(): Report;
}

const open: { close(): Promise<void> }[] = [];
const folders: string[] = [];

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'arbstr-vault-'));
  folders.push(folder);
  return folder;
}

export interface TestVaultOptions {
  readonly path?: string;
  readonly clock?: TestClock;
  readonly auditKey?: string | null;
  readonly agentRateLimitRps?: number;
  readonly payoutDailyCapMsat?: number;
  /** Prolongs and expires at start, as `serve` does. */
  readonly start?: boolean;
  readonly logs?: Logs;
  /** Faults of the simulated wallet; see `wallet/simulated/fault.ts`. */
  readonly walletScript?: string;
  readonly timing?: RunnerTiming;
  readonly webhook?: WebhookConfig;
  readonly network?: Network;
  readonly postTiming?: PostTiming;
}

const silent = pino({ level: 'silent' });

export async function openVault(options: TestVaultOptions = {}): Promise<TestVault> {
  const path = options.path ?? join(temporaryFolder(), 'vault.db');
  const clock = options.clock ?? new TestClock();
  const auditKey = options.auditKey ?? null;
  const exits: number[] = [];
  const config: VaultConfig = {
    adminToken: ADMIN_TOKEN,
    internalToken: INTERNAL_TOKEN,
    host: '127.0.0.1',
    port: 0,
    databasePath: path,
    auditKey,
    logLevel: 'silent',
    agentRateLimitRps: options.agentRateLimitRps ?? 100,
    payoutDailyCapMsat: msat(options.payoutDailyCapMsat ?? 1_000_000_000),
    // Nothing writes them before somebody calls `checkpoints.start()` or `tick()`.
    auditCheckpointMs: 3_600_000,
    auditCheckpointFolder: `${path}.checkpoints`,
    simulatedWalletScript: options.walletScript ?? null,
    webhook: options.webhook ?? null,
    networks: options.network === undefined ? NETWORKS : [options.network],
  };
  const vault = await createVault(config, {
    clock,
    randomBytes,
    ...(options.logs ?? { log: silent, requestLog: silent }),
    exit: (code) => exits.push(code),
    ...(options.timing === undefined ? {} : { timing: options.timing }),
    ...(options.postTiming === undefined ? {} : { postTiming: options.postTiming }),
  });
  if (options.start !== false) await vault.keeper.tick();
  const newId = createIdSource(clock.now, randomBytes);
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await vault.close();
  };
  const test: TestVault = {
    ...vault,
    close,
    clock,
    path,
    exits,
    newReservationId: () => newId('reservation'),
    newId,
    async restart() {
      await close();
      return openVault({ ...options, path, clock });
    },
    async restore() {
      await close();
      const db = openWriter(path);
      beginRecovery(db, createSeal(auditKey), newId('ledgerEpoch'), clock.ms);
      db.close();
      return openVault({ ...options, path, clock });
    },
    verify: () => verifyFile(path, auditKey),
  };
  open.push(test);
  return test;
}

export function verifyFile(path: string, auditKey: string | null = null): Report {
  const db = openReader(path);
  try {
    return verifyLedger(db, createSeal(auditKey));
  } finally {
    db.close();
  }
}

/** Call in afterEach. */
export async function closeVaults(): Promise<void> {
  for (const vault of open.splice(0)) await vault.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export interface Answer {
  readonly status: number;
  // Tests look into answers freely; the shapes are checked by the schemas.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any;
  readonly headers: Record<string, unknown>;
}

export async function call(vault: Vault, request: InjectOptions): Promise<Answer> {
  const response = await vault.app.inject(request);
  const body = response.body === '' ? null : JSON.parse(response.body);
  return { status: response.statusCode, body, headers: response.headers };
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

const json = (payload: object | undefined) =>
  payload === undefined ? {} : { payload: payload as Record<string, unknown> };

export const asOperator = (
  vault: Vault,
  method: Method,
  url: string,
  payload?: object,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  call(vault, {
    method,
    url,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
    ...json(payload),
  });

export const asAgent = (vault: Vault, token: string, url: string): Promise<Answer> =>
  call(vault, { method: 'GET', url, headers: { authorization: `Bearer ${token}` } });

export const asCore = (
  vault: Vault,
  method: Method,
  url: string,
  payload?: object,
): Promise<Answer> =>
  call(vault, {
    method,
    url: `/internal${url}`,
    headers: { 'x-internal-token': INTERNAL_TOKEN },
    ...json(payload),
  });

export interface TestAgent {
  readonly id: string;
  readonly token: string;
}

/** An agent that may spend without limits and has 1,000,000 msat, unless said otherwise. */
export async function fundedAgent(
  vault: Vault,
  options: { amount?: number; policy?: object | null; name?: string } = {},
): Promise<TestAgent> {
  const { amount = 1_000_000, policy = {}, name = 'test agent' } = options;
  const created = await asOperator(vault, 'POST', '/agents', {
    name,
    ...(policy === null ? {} : { policy }),
  });
  const { agent_id: id, token } = created.body;
  if (amount > 0) {
    await asOperator(vault, 'POST', `/agents/${id}/deposit`, { amount_msat: amount });
  }
  return { id, token };
}

export function reserveBody(vault: TestVault, agent: TestAgent, over: object = {}) {
  return {
    agent_token: agent.token,
    amount_msats: 1_000,
    correlation_id: 'corr-1',
    model: 'gpt-4o-mini',
    reservation_id: vault.newReservationId(),
    core_id: 'core-a',
    ...over,
  };
}

/** Holds money and returns the reservation's id. */
export async function held(
  vault: TestVault,
  agent: TestAgent,
  amount = 1_000,
  over: object = {},
): Promise<string> {
  const body = reserveBody(vault, agent, { amount_msats: amount, ...over });
  const answer = await asCore(vault, 'POST', '/reserve', body);
  if (answer.status !== 200) throw new Error(`reserve: ${JSON.stringify(answer.body)}`);
  return answer.body.reservation_id;
}

/** Lets time pass while the vault is awake; one jump would count as its own absence. */
export async function pass(vault: TestVault, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 4_000) {
    vault.clock.advance(Math.min(left, 4_000));
    await vault.keeper.tick();
  }
}

export const settle = (vault: Vault, id: string, actual: number, over: object = {}) =>
  asCore(vault, 'POST', '/settle', { reservation_id: id, actual_msats: actual, ...over });

export const release = (vault: Vault, id: string) =>
  asCore(vault, 'POST', '/release', { reservation_id: id });

export const extend = (vault: Vault, id: string, secs: number) =>
  asCore(vault, 'POST', '/extend', { reservation_id: id, expires_in_secs: secs });

export async function balanceOf(vault: Vault, agent: TestAgent) {
  const { body } = await asAgent(vault, agent.token, '/agents/me/balance');
  return { available: body.balance_msat, held: body.held_msat, spent: body.spent_24h_msat };
}

/** Sum over all accounts, and whether any is on the wrong side of zero, straight from the file. */
export function books(path: string) {
  const db = openReader(path);
  try {
    const rows = db
      .prepare<[], { name: string; balance: number }>('SELECT name, balance FROM accounts')
      .all();
    return {
      sum: rows.reduce((sum, row) => sum + BigInt(row.balance), 0n),
      accounts: Object.fromEntries(rows.map(({ name, balance }) => [name, balance])),
    };
  } finally {
    db.close();
  }
}
