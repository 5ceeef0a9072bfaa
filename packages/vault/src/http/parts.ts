/** What the routes work with; made once in `vault.ts`. */
import type { Logger } from 'pino';
import type { AgentQueries } from '../agent/agent-queries.ts';
import type { AuditRows } from '../audit/books-queries.ts';
import type { BooksThread } from '../audit/books-thread.ts';
import type { CheckpointExporter } from '../audit/checkpoint/exporter.ts';
import type { History } from '../audit/history.ts';
import type { VaultConfig } from '../config/config.ts';
import type { DepositQueries } from '../deposit/deposit-queries.ts';
import type { DepositWatcher } from '../deposit/watcher.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { Courier } from '../notify/courier.ts';
import type { OutboxQueries } from '../notify/outbox-queries.ts';
import type { Watch } from '../notify/watch.ts';
import type { PaymentQueries } from '../payment/payment-queries.ts';
import type { PayoutQueries } from '../payout/payout-queries.ts';
import type { NewId, RandomBytes, Time } from '../ports.ts';
import type { ReservationQueries } from '../reservation/reservation-queries.ts';
import type { Receiver } from '../wallet/receiver.ts';
import type { SimulatedWallet } from '../wallet/simulated/simulated-wallet.ts';
import type { Wallet } from '../wallet/wallet.ts';
import type { Runner } from '../worker/runner.ts';
import type { LedgerMetrics } from './ledger-metrics.ts';
import type { RateLimit } from './rate-limit.ts';

export interface VaultParts {
  readonly config: Pick<
    VaultConfig,
    'adminToken' | 'internalToken' | 'payoutDailyCapMsat' | 'databasePath' | 'auditKey' | 'networks'
  >;
  readonly engine: LedgerEngine;
  readonly ledgerMetrics: LedgerMetrics['metrics'];
  readonly rateLimit: RateLimit;
  readonly wallet: Wallet;
  readonly receiver: Receiver;
  /** The simulated wallet, where that is the one: somebody must say when its invoices are paid. */
  readonly simulated: Pick<SimulatedWallet, 'receive'> | null;
  readonly deposits: DepositQueries;
  readonly payouts: PayoutQueries;
  readonly payoutRunner: Runner;
  readonly depositWatcher: Pick<DepositWatcher, 'look' | 'redeemNow'>;
  readonly payments: PaymentQueries;
  readonly runner: Runner;
  readonly outbox: OutboxQueries;
  /** Null where no webhook is configured. */
  readonly courier: Pick<Courier, 'tries'> | null;
  readonly watch: Pick<Watch, 'unreachable'>;
  readonly agents: AgentQueries;
  readonly reservations: ReservationQueries;
  readonly history: History;
  readonly books: BooksThread;
  readonly auditRows: AuditRows;
  readonly checkpoints: Pick<CheckpointExporter, 'lastMs'>;
  readonly epoch: string;
  readonly time: Time;
  readonly newId: NewId;
  readonly randomBytes: RandomBytes;
  readonly log: Logger;
  readonly requestLog: Logger;
}
