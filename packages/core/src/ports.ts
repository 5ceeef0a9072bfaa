/**
 * What the stages of a request need from the outside, and nothing of how it is done. Adapters in
 * `vault/`, `upstream/` and `store/` implement these; tests may too.
 */
import type {
  AuthenticateAnswer,
  Msat,
  ReleaseAnswer,
  Reservation,
  ReserveAnswer,
  SettleAnswer,
  SettleRequest,
  VaultErrorCode,
} from '@arbstr/shared';
import type { ProviderConfig } from './config/types.ts';
import type { Rates } from './pricing/rate.ts';

// ── Vault ────────────────────────────────────────────────────────────────────────────────────────

/**
 * `refused`: the vault answered, and its word is final for this command.
 * `unreachable`: no answer, or one that says "not now"; whether it was applied is unknown.
 */
export type VaultReply<T> =
  | { kind: 'ok'; value: T }
  | {
      kind: 'refused';
      code: VaultErrorCode;
      status: number;
      message: string;
      details: Record<string, unknown>;
    }
  | { kind: 'unreachable'; reason: string };

export interface ReserveCommand {
  reservationId: string;
  agentToken: string;
  amountMsat: Msat;
  correlationId: string;
  model: string;
  requestedModel: string;
  expiresInSecs: number;
}

export interface Vault {
  authenticate(agentToken: string): Promise<VaultReply<AuthenticateAnswer>>;
  reserve(command: ReserveCommand): Promise<VaultReply<ReserveAnswer>>;
  settle(command: SettleRequest): Promise<VaultReply<SettleAnswer>>;
  release(reservationId: string, reason: string): Promise<VaultReply<ReleaseAnswer>>;
  extend(reservationId: string, expiresInSecs: number): Promise<VaultReply<{ expires_at: number }>>;
  reservation(reservationId: string): Promise<VaultReply<Reservation>>;
  /** Open holds of this core, one page. */
  heldReservations(
    cursor: string | null,
  ): Promise<VaultReply<{ reservations: Reservation[]; next_cursor: string | null }>>;
  /** Whether the vault answers and accepts work now, and which ledger it has; ≤ 1 s. */
  health(): Promise<{ ok: boolean; reason: string | null; ledgerEpoch: string | null }>;
  close(): Promise<void>;
}

// ── Upstream ─────────────────────────────────────────────────────────────────────────────────────

/** Why no usable answer came from the network. */
export type NetworkFailure =
  /** No connection, so the provider never saw the request. */
  | { kind: 'not_connected'; message: string }
  /** The connection ended or broke after bytes may have been sent. */
  | { kind: 'broken'; message: string };

export type UpstreamReply =
  | { kind: 'answer'; status: number; headers: UpstreamHeaders; body: UpstreamBody }
  | { kind: 'failed'; failure: NetworkFailure }
  /** Aborted by us: a timer or the client. `sent`: the provider may have seen the request. */
  | { kind: 'aborted'; sent: boolean };

export type UpstreamHeaders = Readonly<Record<string, string | string[] | undefined>>;

export type BodyChunk =
  | { kind: 'chunk'; bytes: Buffer }
  | { kind: 'end' }
  | { kind: 'failed'; message: string }
  | { kind: 'aborted' };

/** Pull-based, so that a slow client slows the provider (TCP backpressure) instead of filling memory. */
export interface UpstreamBody {
  next(): Promise<BodyChunk>;
  /** Ends the connection; idempotent. */
  cancel(): void;
  /** Lets what is left (a few bytes after the end marker) pass, so that the connection is reused. */
  discard(): void;
}

export interface Upstream {
  send(
    provider: ProviderConfig,
    request: {
      /** Behind the provider's base URL. */
      path: string;
      body: Buffer;
      correlationId: string;
      streaming: boolean;
      signal: AbortSignal;
    },
  ): Promise<UpstreamReply>;
  /** Ends the connections that none of these uses, each after its live answer. */
  retain(providers: readonly ProviderConfig[]): Promise<void>;
  close(): Promise<void>;
}

// ── Feeds ────────────────────────────────────────────────────────────────────────────────────────

export interface FeedQuestion {
  /** On the provider's origin: begins with a slash. */
  readonly path: string;
  /** Posted as JSON; without one it is a GET. */
  readonly body?: object;
  readonly signal: AbortSignal;
}

export type FeedReply =
  | { readonly kind: 'ok'; readonly bytes: Buffer }
  | {
      readonly kind: 'failed';
      /** Follows "its feed": "answered 503". Our words alone. */
      readonly message: string;
      readonly status: number | null;
      readonly retryAfterMs: number | null;
    };

/** What sellers say about themselves, asked with their key at their own origin and nowhere else. */
export interface FeedSource {
  /** Never rejects. */
  ask(provider: ProviderConfig, question: FeedQuestion): Promise<FeedReply>;
  close(): Promise<void>;
}

// ── Client ───────────────────────────────────────────────────────────────────────────────────────

export type AnswerHeaders = Record<string, string>;

/** The caller's side of a streamed answer. */
export interface ClientStream {
  /** Aborted when the caller closed the connection or stalled too long. */
  readonly gone: AbortSignal;
  /** Resolves when the bytes were accepted; false = the caller is gone. */
  write(bytes: Buffer): Promise<boolean> | boolean;
  /** Sends the last bytes and ends the answer. */
  end(bytes: Buffer): void;
}

// ── Storage ──────────────────────────────────────────────────────────────────────────────────────

/** What the bill of a request will be computed from; one provider's offer as it was at dispatch. */
export interface DispatchSnapshot {
  provider: string;
  model: string;
  rates: Rates;
  providerRates: Rates;
}

export interface JournalIntent {
  reservationId: string;
  agentId: string;
  correlationId: string;
  requestedModel: string;
  heldMsat: Msat;
  estimatedInputTokens: number;
  snapshot: DispatchSnapshot;
  createdAtMs: number;
}

export type JournalEnd =
  | { kind: 'settle'; settle: SettleRequest }
  | { kind: 'release'; reason: string };

/** A journal row that has not reached the vault yet. */
export interface UndeliveredRow {
  reservationId: string;
  end: JournalEnd;
  endedAtMs: number;
  /**
   * Brought to its end by recovery. A power cut may have lost an end that the vault had already
   * taken, so that the vault's word stands where it differs: it is the one that was billed.
   */
  recovered: boolean;
}

/** A journal row whose request was cut off by a crash. */
export interface OpenRow extends JournalIntent {
  dispatched: boolean;
  /** Output tokens metered at the last checkpoint. */
  outputTokens: number;
}

export interface JournalStore {
  /** Durable (fsync) when it resolves; rejects with StorageError where the disk refuses. */
  intend(intent: JournalIntent): Promise<void>;
  /** Written with the next group commit, not awaited. */
  dispatched(reservationId: string, snapshot: DispatchSnapshot, estimatedInputTokens: number): void;
  checkpoint(reservationId: string, outputTokens: number): void;
  /** Survives the death of the process when it resolves; kept in memory and retried where the disk refuses. */
  end(reservationId: string, end: JournalEnd, endedAtMs: number): Promise<void>;
  delivered(reservationId: string, atMs: number, outcome: string): void;
  openRows(): OpenRow[];
  undeliveredRows(): UndeliveredRow[];
  has(reservationId: string): boolean;
  /** The ledger that rows were delivered to; null = none yet. */
  ledgerEpoch(): string | null;
  /**
   * Remembers another ledger. Where there was one before, what it was given is undelivered again,
   * in the same transaction: the ledger was restored and may not know of it.
   */
  adoptLedger(epoch: string): void;
  /** Removes rows that were delivered before `beforeMs`, a bounded number at once; true = there may be more. */
  prune(beforeMs: number): boolean;
  /** Null while the disk takes writes, else why it does not. */
  readonly trouble: string | null;
  readonly coreId: string;
}

/** An answer that can be given again. */
export interface KeptAnswer {
  readonly bytes: Buffer;
  readonly contentType: string | null;
  readonly costMsat: number;
  readonly provider: string;
  readonly model: string;
  readonly tier: string;
}

/** A billed request that its caller may ask for again. */
export interface ClaimRow {
  readonly owner: string;
  /** The caller's key, or the hash of the body. */
  readonly name: string;
  readonly bodyHash: string;
  readonly costMsat: number;
  /** Null = not kept. */
  readonly answer: KeptAnswer | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
}

export interface ClaimStore {
  find(owner: string, name: string, nowMs: number): ClaimRow | undefined;
  /** Survives the death of the process when it resolves. */
  keep(row: ClaimRow): Promise<void>;
  /**
   * Removes what has expired, and the oldest answers beyond the bound on their bytes; a bounded
   * number at once. True = there may be more.
   */
  prune(nowMs: number): boolean;
}

export interface RequestRow {
  correlationId: string;
  reservationId: string | null;
  agentId: string | null;
  timestampMs: number;
  requestedModel: string;
  /** chat | responses | completions | embeddings */
  endpoint: string;
  model: string | null;
  provider: string | null;
  tier: string | null;
  streaming: boolean;
  status: number;
  errorCode: string | null;
  errorMessage: string | null;
  /** answered | replayed | client_gone | broken | refused */
  ending: string;
  inputTokens: number | null;
  cachedInputTokens: number | null;
  outputTokens: number | null;
  estimated: boolean;
  disbelieved: boolean;
  costMsat: Msat | null;
  providerCostMsat: Msat | null;
  heldMsat: Msat | null;
  attempts: string;
  latencyMs: number;
  firstByteMs: number | null;
  /** What failed attempts may have cost the operator; the agent was charged nothing for them. */
  lostMsat: Msat;
  policy: string | null;
  floor: string | null;
  complexityScore: number | null;
  /** What the same tokens would have cost at the dearest, and on average, of all that qualified. */
  dearestMsat: number | null;
  meanMsat: number | null;
}

/** How a request ends whose caller got its answer. */
export const SUCCESSES = ['answered', 'replayed'];

export interface RequestLog {
  append(row: RequestRow): void;
  /** Rows that were given up since the start: too many waited for a disk that refuses. */
  readonly dropped: number;
  /** The newest request with this correlation id, of this agent or (null) of anybody. */
  find(correlationId: string, agentId: string | null): StoredRequest | undefined;
  /**
   * Removes the oldest rows before `beforeMs`, and those beyond the bound on all; a bounded number
   * at once. True = there may be more.
   */
  prune(beforeMs: number): boolean;
}

/** A row as it was appended. */
export type StoredRequest = Omit<
  RequestRow,
  'costMsat' | 'providerCostMsat' | 'heldMsat' | 'lostMsat'
> & {
  readonly seq: number;
  readonly costMsat: number | null;
  readonly providerCostMsat: number | null;
  readonly heldMsat: number | null;
  readonly lostMsat: number;
};

export interface RequestFilter {
  /** Null = every agent (the operator). */
  readonly agentId: string | null;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly success?: boolean | undefined;
  readonly streaming?: boolean | undefined;
  readonly correlationId?: string | undefined;
  readonly sinceMs: number;
  /** Inclusive. */
  readonly untilMs: number;
  readonly sort: 'timestamp' | 'cost_sats' | 'latency_ms';
  readonly order: 'asc' | 'desc';
  readonly offset: number;
  readonly limit: number;
}

export const STATS_GROUPS = ['model', 'provider', 'tier', 'policy', 'hour', 'day'] as const;
export type StatsGroup = (typeof STATS_GROUPS)[number];

export interface StatsFilter {
  /** Null = every agent (the operator). */
  readonly agentId: string | null;
  /** As it was asked for or served; upper and lower case are the same. */
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly sinceMs: number;
  /** Inclusive. */
  readonly untilMs: number;
}

/** Sums over requests. Amounts in msat, times in ms; null = nobody to say it of. */
export interface Stats {
  readonly key: string | null;
  readonly total: number;
  readonly success: number;
  readonly streaming: number;
  readonly costMsat: number;
  readonly lostMsat: number;
  /** What the same tokens would have cost more at the dearest, and on average, of all that qualified. */
  readonly savedDearestMsat: number;
  readonly savedMeanMsat: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly avgLatencyMs: number | null;
  /** Rows that the percentiles are of: the newest ones. */
  readonly sampled: number;
  readonly latencyMs: Percentiles;
  readonly firstByteMs: Percentiles;
}

export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface GroupedStats {
  readonly all: Stats;
  /** The most requests first; null where no groups were asked for. */
  readonly groups: readonly Stats[] | null;
  /** The sum of those that are not listed, and how many they are; null where all are. */
  readonly others: (Stats & { readonly groups: number }) | null;
}

export interface RequestPage {
  readonly rows: readonly StoredRequest[];
  /** On all pages. */
  readonly total: number;
}

/** `unanswered`: too many ask, or it took too long; the reason says what to do. */
export type QueryReply<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'unanswered'; readonly reason: string };

/** What reads many rows. Rejects where the database cannot be read. */
export interface RequestQueries {
  stats(filter: StatsFilter, groupBy: StatsGroup | null): Promise<QueryReply<GroupedStats>>;
  list(filter: RequestFilter): Promise<QueryReply<RequestPage>>;
}
