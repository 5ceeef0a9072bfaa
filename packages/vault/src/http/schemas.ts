/** The shapes of the operator's and the agents' API; the billing wire stands in shared. */
import {
  idSchema,
  msatSchema,
  spendPolicySchema,
  VAULT_ERRORS,
  type VaultErrorCode,
} from '@arbstr/shared';
import { z } from 'zod';
import { AUDIT_ACTIONS } from '../audit/action.ts';

const METADATA_KEYS_MAX = 32;
export const timeSchema = z.int().meta({ description: 'Unix time in ms' });

const errorAnswer = z
  .object({ error: z.looseObject({ code: z.string(), message: z.string() }) })
  .meta({ id: 'Error', description: 'Details of a refusal stand beside code and message' });

/** What any route can answer. */
const ALWAYS: readonly VaultErrorCode[] = [
  'invalid_request',
  'invalid_json',
  'request_too_large',
  'unsupported_media_type',
  'internal_error',
  'overloaded',
  'draining',
  'storage_unavailable',
  'outcome_unknown',
];

/** The refusals that a route can give, by status, for OpenAPI. */
export function refusals(...codes: VaultErrorCode[]) {
  const byStatus = new Map<number, VaultErrorCode[]>();
  for (const code of [...codes, ...ALWAYS]) {
    const { status } = VAULT_ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, named]) => [
      status,
      {
        description: named.join(', '),
        content: { 'application/json': { schema: errorAnswer } },
      },
    ]),
  );
}

/** Of money that is to move. */
export const positiveMsat = msatSchema.refine((amount) => amount > 0, {
  error: 'must be above zero',
});

export const agentParams = z.object({ id: z.string().max(64) });

/** Unix ms in a query string. */
const timeQuery = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'must be a Unix time in ms' })
  .transform(Number)
  .optional();
/** Both inclusive. */
export const rangeQuery = { start_date: timeQuery, end_date: timeQuery } as const;

const metadataSchema = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((metadata) => Object.keys(metadata).length <= METADATA_KEYS_MAX, {
    error: `may have at most ${METADATA_KEYS_MAX} keys`,
  });

export const createAgentBody = z.strictObject({
  name: z.string().min(1).max(100),
  metadata: metadataSchema.optional(),
  policy: spendPolicySchema.optional(),
});

export const createAgentAnswer = z.object({
  agent_id: idSchema('agent'),
  /** Null in an idempotent replay: a token is shown once. */
  token: z.string().nullable(),
  created_at: timeSchema,
});

export const policyAnswer = z.object({
  id: idSchema('policyVersion'),
  version: z.int(),
  max_transaction_msat: msatSchema.nullable(),
  daily_limit_msat: msatSchema.nullable(),
  max_fee_msat: msatSchema.nullable(),
  approval_timeout_ms: z.int().nullable(),
  alert_floor_msat: msatSchema.nullable(),
  alert_cooldown_ms: z.int().nullable(),
  allowed_models: z.array(z.string()).readonly().nullable(),
  allowed_destinations: z.array(z.string()).readonly().nullable(),
  effective_from: timeSchema,
  updated_at: timeSchema,
});

export const setPolicyAnswer = z.object({ agent_id: idSchema('agent'), policy: policyAnswer });

export const listedAgent = z.object({
  id: idSchema('agent'),
  name: z.string(),
  metadata: z.record(z.string(), z.string()),
  created_at: timeSchema,
  disabled_at: timeSchema.nullable(),
});

export const agentAnswer = z.object({
  agent_id: idSchema('agent'),
  name: z.string(),
  metadata: z.record(z.string(), z.string()),
  policy: policyAnswer.nullable(),
  balance_msat: msatSchema,
  held_msat: msatSchema,
  created_at: timeSchema,
  disabled_at: timeSchema.nullable(),
});

export const meAnswer = z.object({
  agent_id: idSchema('agent'),
  name: z.string(),
  scopes: z.array(z.string()),
  policy: policyAnswer.nullable(),
});

/** Null where there is no body. */
export const noBody = z.strictObject({}).nullish();
export const disableBody = z.strictObject({ sweep: z.boolean().optional() }).nullish();
export const disableAnswer = z.object({
  agent_id: idSchema('agent'),
  disabled: z.literal(true),
  disabled_at: timeSchema,
  /** With `sweep`: what went to the operator, by which transfer; null where there was nothing. */
  swept_msat: msatSchema.optional(),
  transaction_id: idSchema('transfer').nullable().optional(),
});

export const debitBody = z.strictObject({
  amount_msat: positiveMsat,
  reason: z.string().trim().min(1).max(200),
});

export const depositBody = z.strictObject({
  amount_msat: positiveMsat,
});
export const depositAnswer = z.object({
  agent_id: idSchema('agent'),
  amount_msat: msatSchema,
  balance_msat: msatSchema,
  transaction_id: idSchema('transfer'),
});

export const balanceAnswer = z.object({
  agent_id: idSchema('agent'),
  /** Available. */
  balance_msat: msatSchema,
  held_msat: msatSchema,
  /** Charged in the last 24 h, without what is held. */
  spent_24h_msat: msatSchema,
  daily_limit_msat: msatSchema.nullable(),
  asset: z.literal('BTC_simulated'),
});

export const historyEntry = z.object({
  id: z.string(),
  agent_id: idSchema('agent'),
  sequence: z.int(),
  action: z.enum(AUDIT_ACTIONS),
  policy_decision: z.string().nullable(),
  policy_reason: z.string().nullable(),
  amount_msat: msatSchema.nullable(),
  ref_id: z.string().nullable(),
  correlation_id: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  created_at: timeSchema,
  hash: z.string(),
});

export const pageAnswer = {
  next_cursor: z.string().nullable(),
  has_more: z.boolean(),
} as const;
