/**
 * The configuration as the rest of core sees it: parsed once, checked, frozen, passed in.
 * Units stand last in the names; amounts are integer msat; nothing here is read again from disk
 * or from the environment.
 */
import type { Msat } from '@arbstr/shared';
import type { ComplexityWeights } from '../complexity/score.ts';
import type { Endpoint } from '../openai/api-request.ts';
import type { Rates } from '../pricing/rate.ts';
import type { Secret } from './secret.ts';

export interface Config {
  readonly server: ServerConfig;
  readonly database: { readonly path: string };
  /** null = free proxy mode: no reservation, no bill. */
  readonly vault: VaultConfig | null;
  readonly providers: readonly ProviderConfig[];
  /** Operator's margin, parts per million; already inside every `Offer.rates`. */
  readonly markupPpm: number;
  /** What a USD costs: integer msat; "feed" = as the sellers' feeds imply; null = nobody says. */
  readonly msatPerUsd: number | 'feed' | null;
  readonly breaker: BreakerConfig;
  readonly retry: RetryConfig;
  readonly policies: PoliciesConfig;
  /** By name. */
  readonly virtualModels: ReadonlyMap<string, VirtualModel>;
  readonly routing: RoutingConfig;
  readonly logging: LoggingConfig;
}

export interface LoggingConfig {
  readonly level: LogLevel;
  readonly logRequests: boolean;
  /** Records of requests are kept so long. */
  readonly retentionMs: number;
}

export interface ServerConfig {
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly authToken: Secret | null;
  readonly bodyLimitBytes: number;
  /** What live streams get at SIGTERM. */
  readonly drainMs: number;
  /** A client that takes nothing for so long is gone. */
  readonly clientStallMs: number;
  /** Requests per second of one caller; 0 = no limit. */
  readonly rateLimitRps: number;
  /** Requests of one caller under way at once. */
  readonly maxConcurrencyPerCaller: number;
}

export interface BreakerConfig {
  /** In a row. */
  readonly failures: number;
  readonly openMs: number;
  /** Instead of `openMs` where the provider refuses the key (401, 403). */
  readonly credentialsMs: number;
  /** Instead of `openMs` where our account there is empty (402). */
  readonly paymentMs: number;
}

export const RESCUES = ['off', 'buffer'] as const;
/** `buffer`: a stream is held back until it is whole, so that a provider that dies can be replaced. */
export type Rescue = (typeof RESCUES)[number];

export interface RetryConfig {
  /** Attempts of one request, all candidates and rounds together. */
  readonly maxAttempts: number;
  /** Before failed providers are asked a second time, doubled before each later round; 0 = they are not. */
  readonly backoffMs: number;
  /** The longest wait between two rounds, also where a Retry-After asks for one. */
  readonly backoffMsMax: number;
  /** The longest pause that a provider's Retry-After makes. */
  readonly pauseMsMax: number;
  /** For streams whose policy does not say. */
  readonly rescue: Rescue;
  /** Bytes of one stream that `rescue = "buffer"` holds back. */
  readonly rescueBytesMax: number;
}

export const BREAKER_DEFAULT: BreakerConfig = Object.freeze({
  failures: 3,
  openMs: 30_000,
  credentialsMs: 300_000,
  paymentMs: 60_000,
});

export const RETRY_DEFAULT: RetryConfig = Object.freeze({
  maxAttempts: 4,
  backoffMs: 250,
  backoffMsMax: 4_000,
  pauseMsMax: 60_000,
  rescue: 'off',
  rescueBytesMax: 1024 * 1024,
});

export interface VaultConfig {
  /** http(s), no trailing slash. */
  readonly url: string;
  readonly internalToken: Secret;
  /** Output bound, tokens, where neither caller nor model gives a smaller one. */
  readonly defaultReserveTokens: number;
  /** Undelivered settlements at which new requests get 503. */
  readonly pendingThreshold: number;
}

export const PROVIDER_KINDS = [
  'openai',
  'routstr',
  'openrouter',
  'ollama',
  'mesh-llm',
  'mock',
] as const;
export type ProviderKind = (typeof PROVIDER_KINDS)[number];

/** Ascending: a tier is a floor. */
export const TIERS = ['local', 'standard', 'frontier'] as const;
export type Tier = (typeof TIERS)[number];

export const CAPABILITIES = ['tools', 'images', 'json'] as const;
export type Capability = (typeof CAPABILITIES)[number];

export const DISCONNECT_ACTIONS = ['cancel', 'drain'] as const;
export type DisconnectAction = (typeof DISCONNECT_ACTIONS)[number];

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const STRATEGIES = ['cheapest', 'lowest_latency', 'round_robin', 'weighted'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface PoliciesConfig {
  readonly defaultStrategy: Strategy;
  /** In the order of the file: of several whose keywords match, the first counts. */
  readonly rules: readonly PolicyRule[];
}

/** A routing rule. What it does not say does not bind. */
export interface PolicyRule {
  readonly name: string;
  /** null = all. */
  readonly allowedModels: ReadonlySet<string> | null;
  readonly allowedProviders: ReadonlySet<string> | null;
  readonly strategy: Strategy | null;
  /** Caps, markup included: on the rate of output, and on a request's expected cost. */
  readonly maxOutputMsatPerMtok: number | null;
  readonly maxRequestMsat: number | null;
  readonly minTier: Tier | null;
  /** Never serve from below `minTier` or the floor. */
  readonly strictTier: boolean;
  /** null = as `retry.rescue` says. */
  readonly rescue: Rescue | null;
  /** Matches a text that has one of the keywords as whole words; null = none. */
  readonly keywords: RegExp | null;
}

/** A name that stands for concrete models, one tier each. */
export interface VirtualModel {
  readonly name: string;
  readonly models: ReadonlyMap<string, Tier>;
}

export interface RoutingConfig {
  /** The automatic score binds concrete models too. */
  readonly floorConcreteModels: boolean;
  /** Scores below `thresholdLow` need no more than local, above `thresholdHigh` frontier. */
  readonly thresholdLow: number;
  readonly thresholdHigh: number;
  readonly weights: ComplexityWeights;
}

/** Where a provider's key came from: the file, a `${VAR}` in it, `ARBSTR_<NAME>_API_KEY`, nowhere. */
export type KeySource = 'literal' | 'env' | 'convention' | 'none';

export interface ProviderConfig {
  /** Unique; safe as a header value. */
  readonly name: string;
  /** http(s) base that ends before `/chat/completions` and its like, no trailing slash; "" for a mock, whose port is only known when it runs. */
  readonly url: string;
  readonly kind: ProviderKind;
  readonly apiKey: Secret | null;
  readonly keySource: KeySource;
  /** Where it discovers, only these of its models; none = all. */
  readonly models: readonly string[];
  /** Set where models and prices come from its feed. */
  readonly discovery: Discovery | null;
  readonly terms: OwnTerms;
  /** What it serves each of its models at; never empty. */
  readonly endpoints: ReadonlySet<Endpoint>;
  readonly tier: Tier;
  /** Share of the requests under strategy "weighted", beside the others' weights. */
  readonly weight: number;
  /** Requests under way at once. */
  readonly maxConcurrency: number;
  readonly timeouts: Timeouts;
  /** Reported tokens above this × own count + 64 are not believed; 0 = trust. */
  readonly usageTolerance: number;
  /** Price-changing parameters that may pass. */
  readonly allowParams: readonly string[];
  readonly onDisconnect: DisconnectAction;
  /** Set exactly where kind is "mock". */
  readonly mock: MockSettings | null;
  /** By model: one for each of `models`; of those that discover, as far as file and feed say. */
  readonly offers: ReadonlyMap<string, Offer>;
}

export interface Discovery {
  readonly refreshMs: number;
}

/** What the operator says of prices and models. It goes before whatever a feed says. */
export interface OwnTerms {
  readonly rates: PartialRates;
  readonly ratesByModel: ReadonlyMap<string, PartialRates>;
  readonly infoByModel: ReadonlyMap<string, ModelInfo>;
}

/** null = not said. */
export interface PartialRates {
  readonly input: number | null;
  readonly output: number | null;
  readonly cachedInput: number | null;
  readonly baseFee: Msat | null;
}

/** null = not said. */
export interface ModelInfo {
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  readonly supports: ReadonlySet<Capability> | null;
  readonly reasoning: boolean | null;
  readonly imageTokens: number | null;
}

export interface Timeouts {
  readonly connectMs: number;
  /** Streams: to the first data event. Binds only while another candidate is left. */
  readonly firstTokenMs: number;
  /** Not streamed: to the whole answer. Binds only while another candidate is left. */
  readonly answerMs: number;
  /** Between two reads of a stream. */
  readonly idleMs: number;
  /** The last word on everything. */
  readonly totalMs: number;
}

export const TIMEOUTS_DEFAULT: Timeouts = Object.freeze({
  connectMs: 5_000,
  // A second below the 15 s in which another seller should have answered a stream.
  firstTokenMs: 14_000,
  answerMs: 120_000,
  idleMs: 30_000,
  totalMs: 600_000,
});

/** What an output bound or a context window may be, tokens. */
export const TOKENS_MAX = 100_000_000;

/** One model at one provider. */
export interface Offer {
  readonly model: string;
  /** With the operator's markup: what is shown, reserved and billed. */
  readonly rates: Rates;
  /** Without it: what the provider is owed. */
  readonly providerRates: Rates;
  /** Dearer rates of longer prompts, ascending; each for the whole request. */
  readonly steps: readonly RateStep[];
  /** Tokens of prompt and answer together; null = unknown. */
  readonly contextWindow: number | null;
  readonly maxOutputTokens: number | null;
  /** null = unknown, so not filtered by it. */
  readonly supports: ReadonlySet<Capability> | null;
  /** May report more output tokens than it shows. */
  readonly reasoning: boolean;
  /** Upper bound of input tokens per image. */
  readonly imageTokens: number;
}

export interface RateStep {
  /** Of the prompt. */
  readonly fromTokens: number;
  readonly rates: Rates;
  readonly providerRates: Rates;
}

/** How an in-process provider behaves (`[providers.mock]`). */
export interface MockSettings {
  /** Before the first byte of the answer. */
  readonly latencyMs: number;
  /** Between two chunks of a stream; 0 = as fast as it goes. */
  readonly chunkDelayMs: number;
  /** What it says; null = a sentence that quotes the question. */
  readonly answer: string | null;
  /** Applied together, in this order. */
  readonly faults: readonly MockFault[];
  /** Share of the requests that have the faults, 0…1, evenly spread: 0.25 = every fourth. */
  readonly faultRate: number;
}

/** What a provider can be told to do wrong. Those without numbers of their own come last. */
export const MOCK_FAULT_KINDS = [
  'status',
  'drip_headers',
  'die_mid_stream',
  'end_mid_stream',
  'stall_mid_stream',
  'error_mid_stream',
  'invalid_json_event',
  'inflate_usage',
  'slow_first_token',
  'slow_usage',
  'reset',
  'hang_before_headers',
  'hang_after_headers',
  'no_usage',
  'usage_every_chunk',
  'no_done',
  'error_in_200',
  'error_first_frame',
  'html_200',
  'huge_line',
  'empty_body',
  'truncated_body',
  'reject_stream_options',
  'crlf',
  'comments',
  'split_writes',
] as const;
export type MockFaultKind = (typeof MOCK_FAULT_KINDS)[number];

/** Counts of chunks are data events. */
export type MockFault =
  | {
      readonly kind: 'status';
      readonly status: number;
      /** Seconds; null = no such header. */
      readonly retryAfterSecs: number | null;
      /** null = an error body in OpenAI's shape. */
      readonly body: string | null;
    }
  | { readonly kind: 'drip_headers'; readonly intervalMs: number }
  | { readonly kind: MidStreamFault; readonly afterChunks: number }
  | { readonly kind: 'inflate_usage'; readonly factor: number }
  | { readonly kind: 'slow_first_token' | 'slow_usage'; readonly delayMs: number }
  | { readonly kind: PlainFault };

type MidStreamFault =
  | 'die_mid_stream'
  | 'end_mid_stream'
  | 'stall_mid_stream'
  | 'error_mid_stream'
  | 'invalid_json_event';
type PlainFault = Exclude<
  MockFaultKind,
  MidStreamFault | 'status' | 'drip_headers' | 'inflate_usage' | 'slow_first_token' | 'slow_usage'
>;
