/** The whole vault on one database file, without a port: what `serve` and the tests compose. */
import { createIdSource } from '@arbstr/shared';
import SqliteDatabase from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import type { Logger } from 'pino';
import { createAgentQueries } from './agent/agent-queries.ts';
import { buildApp } from './app.ts';
import { createAuditRows } from './audit/books-queries.ts';
import { createBooksThread } from './audit/books-thread.ts';
import { CheckpointExporter } from './audit/checkpoint/exporter.ts';
import { createHistory } from './audit/history.ts';
import { exportInWorker } from './audit/in-worker.ts';
import { createSeal } from './audit/seal.ts';
import type { VaultConfig } from './config/config.ts';
import { migrate } from './db/migrate.ts';
import { type Database, openReader, openWriter, prepareFolder } from './db/open.ts';
import { takeOwnerLock } from './db/owner-lock.ts';
import { createDepositQueries } from './deposit/deposit-queries.ts';
import { DepositWatcher } from './deposit/watcher.ts';
import { StartError } from './errors.ts';
import type { App } from './http/app-type.ts';
import { createLedgerMetrics } from './http/ledger-metrics.ts';
import { createRateLimit } from './http/rate-limit.ts';
import { LedgerEngine } from './ledger/engine.ts';
import { LedgerTime } from './ledger/ledger-time.ts';
import { openLedger } from './ledger/open-ledger.ts';
import { Courier, type CourierDeps } from './notify/courier.ts';
import { createOutboxQueries } from './notify/outbox-queries.ts';
import { createPost, POST_TIMING, type PostTiming } from './notify/post.ts';
import { createStuckQueries } from './notify/stuck-queries.ts';
import { Watch } from './notify/watch.ts';
import { paymentOrders } from './payment/payment-orders.ts';
import { createPaymentQueries } from './payment/payment-queries.ts';
import { payoutOrders } from './payout/payout-orders.ts';
import { createPayoutQueries } from './payout/payout-queries.ts';
import { directTarget } from './payout/target.ts';
import type { Clock, RandomBytes, Time } from './ports.ts';
import { createReservationQueries } from './reservation/reservation-queries.ts';
import type { Receiver } from './wallet/receiver.ts';
import { faultScript } from './wallet/simulated/fault.ts';
import { SimulatedWallet } from './wallet/simulated/simulated-wallet.ts';
import type { Wallet } from './wallet/wallet.ts';
import { Keeper } from './worker/keeper.ts';
import { RUNNER_TIMING, Runner, type RunnerTiming } from './worker/runner.ts';

export interface VaultDeps {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly log: Logger;
  /** For one line per request; see `log.ts`. */
  readonly requestLog: Logger;
  /** Ends the process; see LedgerEngine. */
  readonly exit: (code: number) => void;
  /** By default those of the runners; tests are less patient. */
  readonly timing?: RunnerTiming;
  /** Of webhooks; likewise. */
  readonly postTiming?: PostTiming;
}

export interface Vault {
  readonly app: App;
  readonly engine: LedgerEngine;
  readonly keeper: Keeper;
  readonly wallet: Wallet;
  readonly receiver: Receiver;
  readonly depositWatcher: DepositWatcher;
  readonly payoutRunner: Runner;
  readonly runner: Runner;
  /** Null where no webhook is configured. */
  readonly courier: Courier | null;
  readonly watch: Watch;
  readonly checkpoints: CheckpointExporter;
  /** The engine's own connection; tests limit it to make a full disk. */
  readonly writer: Database;
  /** Finishes what was accepted and lets go of the database. */
  close(): Promise<void>;
}

/** Throws StartError where the database cannot be used, with nothing left open. */
export async function createVault(config: VaultConfig, deps: VaultDeps): Promise<Vault> {
  const { clock, log } = deps;
  const newId = createIdSource(clock.now, deps.randomBytes);
  prepareFolder(config.databasePath);
  const undo: (() => void)[] = [];
  try {
    const lock = takeOwnerLock(config.databasePath);
    undo.push(() => lock.release());
    const writer = openWriter(config.databasePath);
    undo.push(() => writer.close());
    migrate(writer);
    const seal = createSeal(config.auditKey);
    const { store, epoch } = openLedger(
      writer,
      seal,
      newId('ledgerEpoch'),
      clock.now(),
      config.webhook !== null,
    );
    const reader = openReader(config.databasePath);
    undo.push(() => reader.close());

    // From here on the engine itself waits for other writers, without blocking the thread.
    writer.pragma('busy_timeout = 0');
    const time = new LedgerTime(clock, store.ledgerMs);
    const meter = createLedgerMetrics();
    const engine = new LedgerEngine({ store, meter, now: time.now, log, exit: deps.exit });
    const keeper = new Keeper({ engine, time, log });
    const wallet = openWallet(config, time, deps);
    undo.push(() => wallet.close());
    const payments = createPaymentQueries(reader);
    const running = { engine, wallet, time, log, timing: deps.timing ?? RUNNER_TIMING };
    const runner = new Runner(paymentOrders(engine, payments), running);
    const db = drizzle(reader);
    const deposits = createDepositQueries(db);
    const payouts = createPayoutQueries(db);
    const dailyCap = config.payoutDailyCapMsat;
    // The simulated wallet pays a destination by its name, without a network.
    const targetOf = directTarget;
    const payoutRunner = new Runner(
      payoutOrders({ engine, wallet, payouts, targetOf, dailyCap, newId, log }),
      running,
    );
    const depositWatcher = new DepositWatcher({ ...running, receiver: wallet, deposits });
    const books = createBooksThread(config.databasePath);
    const outbox = createOutboxQueries(reader);
    const courier = openCourier(config, { engine, outbox, time, log }, deps);
    const watch = new Watch({
      engine,
      wallet,
      outbox,
      stuck: createStuckQueries(reader),
      time,
      log,
    });
    const checkpoints = new CheckpointExporter({
      exportTo: (path, previous, signal) => exportInWorker(config, path, previous, signal),
      folder: config.auditCheckpointFolder,
      everyMs: config.auditCheckpointMs,
      time,
      log,
    });
    const app = await buildApp({
      config,
      engine,
      ledgerMetrics: meter.metrics,
      checkpoints,
      rateLimit: createRateLimit(config.agentRateLimitRps, time.now),
      wallet,
      receiver: wallet,
      simulated: wallet,
      deposits,
      depositWatcher,
      payouts,
      payoutRunner,
      payments,
      runner,
      outbox,
      courier,
      watch,
      agents: createAgentQueries(db),
      reservations: createReservationQueries(db),
      history: createHistory(db),
      books,
      auditRows: createAuditRows(reader),
      epoch,
      time,
      newId,
      randomBytes: deps.randomBytes,
      log,
      requestLog: deps.requestLog,
    });
    return {
      app,
      engine,
      keeper,
      wallet,
      receiver: wallet,
      depositWatcher,
      payoutRunner,
      runner,
      courier,
      watch,
      checkpoints,
      writer,
      async close() {
        await app.close();
        // Together: one after another, each with a wallet or receiver that hangs, they would take
        // longer than the process has for its stop.
        const workers = [watch, courier, checkpoints, runner, depositWatcher, payoutRunner, books];
        await Promise.all(workers.map((worker) => worker?.stop()));
        await keeper.stop();
        wallet.close();
        // The writer last: it then moves the log into the database file, which so can be copied.
        reader.close();
        await engine.close();
        lock.release();
      },
    };
  } catch (error) {
    for (const step of undo.reverse()) step();
    if (!(error instanceof SqliteDatabase.SqliteError)) throw error;
    throw new StartError(
      `cannot use the database ${config.databasePath}: ${error.message} (${error.code})`,
    );
  }
}

function openCourier(
  { webhook }: VaultConfig,
  parts: Pick<CourierDeps, 'engine' | 'outbox' | 'time' | 'log'>,
  { clock: wallClock, randomBytes, postTiming = POST_TIMING }: VaultDeps,
): Courier | null {
  if (webhook === null) return null;
  const chance = () => randomBytes(1)[0]! / 256;
  const post = createPost(webhook.url, postTiming);
  return new Courier({ ...parts, wallClock, post, secret: webhook.secret, chance });
}

/** The simulated wallet keeps its own books, in a file beside the vault's. */
function openWallet(
  config: VaultConfig,
  time: Time,
  { randomBytes, log }: VaultDeps,
): SimulatedWallet {
  const script = config.simulatedWalletScript;
  if (script !== null) {
    log.warn({ script }, 'the simulated wallet misbehaves as SIMULATED_WALLET_SCRIPT tells it to');
  }
  return new SimulatedWallet({
    path: `${config.databasePath}.wallet`,
    time,
    randomBytes,
    faultsOf: script === null ? null : faultScript(script),
  });
}
