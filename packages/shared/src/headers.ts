/** Every header name that arbstr reads or writes, once, in lower case (RFC 9110 §5.1: case-insensitive). */
export const HEADERS = {
  // Request, client → core.
  policy: 'x-arbstr-policy',
  complexity: 'x-arbstr-complexity',
  comment: 'x-arbstr-comment',
  /** The caller's replay key: draft-ietf-httpapi-idempotency-key-header. */
  idempotencyKey: 'idempotency-key',
  /** How often the OpenAI SDKs have sent this request before. */
  sdkRetryCount: 'x-stainless-retry-count',
  // Both directions: 1–128 of [A-Za-z0-9._:-].
  requestId: 'x-request-id',
  // Core → vault.
  internalToken: 'x-internal-token',
  // Answer, core → client.
  arbstrRequestId: 'x-arbstr-request-id',
  provider: 'x-arbstr-provider',
  model: 'x-arbstr-model',
  /** That served; `floor` is the lowest that was wanted. */
  tier: 'x-arbstr-tier',
  floor: 'x-arbstr-floor',
  /** 0…1, three decimals. */
  complexityScore: 'x-arbstr-complexity-score',
  /** Failed attempts per provider, first seen first: "2/alpha, 1/beta". */
  retries: 'x-arbstr-retries',
  latencyMs: 'x-arbstr-latency-ms',
  /** Decimal sats, exact to the msat. */
  costSats: 'x-arbstr-cost-sats',
  /** Decimal sats, available to the agent after the hold. */
  balanceSats: 'x-arbstr-balance-sats',
  /** The output bound that core sent upstream, where the caller gave none. */
  maxTokens: 'x-arbstr-max-tokens',
  streaming: 'x-arbstr-streaming',
  /** "true" where an Idempotency-Key got a stored answer. Also from the vault. */
  replayed: 'x-arbstr-replayed',
  /** "true" only where a retry can help and costs nothing; the OpenAI SDKs obey it. */
  shouldRetry: 'x-should-retry',
} as const;
