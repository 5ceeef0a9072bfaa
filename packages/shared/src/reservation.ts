/**
 * The billing wire between core and vault. Every time is Unix time in milliseconds.
 * Request schemas are strict where a misspelt field would change money; answers tolerate additions.
 */
import { z } from 'zod';
import { correlationIdSchema, idSchema } from './ids.ts';
import { msatSchema } from './msat.ts';

/** held → settled | released | expired; expired → settled_late. */
export const RESERVATION_STATES = [
  'held',
  'settled',
  'released',
  'expired',
  'settled_late',
] as const;
export const reservationStateSchema = z.enum(RESERVATION_STATES);
export type ReservationState = z.output<typeof reservationStateSchema>;

export const HOLD_SECS_DEFAULT = 60;
export const HOLD_SECS_MAX = 3600;

/** Names of models, providers and cores: long enough for any catalogue, bounded for the ledger. */
const nameSchema = z.string().min(1).max(256);
const holdSecsSchema = z.int().min(1).max(HOLD_SECS_MAX);
const countSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

export const reserveRequestSchema = z.strictObject({
  agent_token: z.string().min(1).max(256),
  amount_msats: msatSchema,
  correlation_id: correlationIdSchema,
  model: nameSchema,
  requested_model: nameSchema.optional(),
  reservation_id: idSchema('reservation').optional(),
  expires_in_secs: holdSecsSchema.optional(),
  core_id: nameSchema.optional(),
});
export type ReserveRequest = z.input<typeof reserveRequestSchema>;

export const reserveAnswerSchema = z.object({
  reservation_id: idSchema('reservation'),
  /** Not `held` where this is a replay of a reservation that has already ended. */
  state: reservationStateSchema,
  agent_id: idSchema('agent'),
  remaining_balance_msats: msatSchema,
  expires_at: z.int(),
  ledger_epoch: z.string(),
});
export type ReserveAnswer = z.output<typeof reserveAnswerSchema>;

const usageFields = {
  tokens_in: countSchema.nullish(),
  tokens_out: countSchema.nullish(),
  provider: nameSchema.nullish(),
  latency_ms: countSchema.nullish(),
  /** Core's own cost at the provider's configured rates, without markup; ≤ actual_msats. */
  provider_cost_msats: msatSchema.nullish(),
  /** What the dearest qualified provider would have cost, for statistics. */
  baseline_msats: msatSchema.nullish(),
  estimated: z.boolean().nullish(),
} as const;

export const settleRequestSchema = z.strictObject({
  reservation_id: idSchema('reservation'),
  actual_msats: msatSchema,
  ...usageFields,
  /** With these a settle of a reservation that the vault does not know is booked as late. */
  agent_id: idSchema('agent').optional(),
  correlation_id: correlationIdSchema.optional(),
  model: nameSchema.optional(),
  /** The originals nested the usage fields here; accepted in both places. */
  metadata: z.object(usageFields).optional(),
});
export type SettleRequest = z.input<typeof settleRequestSchema>;

export const settleAnswerSchema = z.object({
  settled: z.literal(true),
  /** What was charged: the asked amount, or less where the hold or a late balance was smaller. */
  actual_msats: msatSchema,
  refunded_msats: msatSchema,
  /** Asked but not charged. */
  shortfall_msats: msatSchema,
  remaining_balance_msats: msatSchema,
  /** The hold had expired. */
  late: z.literal(true).optional(),
});
export type SettleAnswer = z.output<typeof settleAnswerSchema>;

export const releaseRequestSchema = z.strictObject({
  reservation_id: idSchema('reservation'),
  reason: z.string().max(200).optional(),
});
export type ReleaseRequest = z.input<typeof releaseRequestSchema>;

export const releaseAnswerSchema = z.object({
  released: z.literal(true),
  refunded_msats: msatSchema,
});
export type ReleaseAnswer = z.output<typeof releaseAnswerSchema>;

export const extendRequestSchema = z.strictObject({
  reservation_id: idSchema('reservation'),
  /** More than HOLD_SECS_MAX is taken as HOLD_SECS_MAX. */
  expires_in_secs: z.int().min(1),
});

export const extendAnswerSchema = z.object({ expires_at: z.int() });

export const reservationSchema = z.object({
  reservation_id: idSchema('reservation'),
  /** Null for a tombstone: a release that came before its reserve. */
  agent_id: idSchema('agent').nullable(),
  core_id: z.string().nullable(),
  correlation_id: z.string().nullable(),
  model: z.string().nullable(),
  state: reservationStateSchema,
  amount_msats: msatSchema,
  /** Null until settled. */
  actual_msats: msatSchema.nullable(),
  refunded_msats: msatSchema.nullable(),
  shortfall_msats: msatSchema.nullable(),
  created_at: z.int(),
  expires_at: z.int(),
  ended_at: z.int().nullable(),
});
export type Reservation = z.output<typeof reservationSchema>;

export const reservationListSchema = z.object({
  reservations: z.array(reservationSchema),
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
});
