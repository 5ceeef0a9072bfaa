import { z } from 'zod';
import { msatSchema } from './msat.ts';

/** Nobody decides faster than this. */
export const APPROVAL_TIMEOUT_MS_MIN = 1_000;
/** 7 days: money must not wait for a human for ever. */
export const APPROVAL_TIMEOUT_MS_MAX = 7 * 24 * 60 * 60 * 1_000;
/** Keeps a forgotten alert from becoming a storm. */
const ALERT_COOLDOWN_MS_MIN = 1_000;
const ALERT_COOLDOWN_MS_MAX = 365 * 24 * 60 * 60 * 1_000;
const LIST_NAMES_MAX = 200;
const LIST_NAME_CHARS_MAX = 256;

const millisSchema = (min: number, max: number) =>
  z
    .int({ error: 'must be an integer number of ms' })
    .min(min, { error: `must be at least ${min} ms` })
    .max(max, { error: `must be at most ${max} ms` });

const namesSchema = z
  .array(z.string().min(1).max(LIST_NAME_CHARS_MAX))
  .max(LIST_NAMES_MAX, { error: `may have at most ${LIST_NAMES_MAX} names` })
  .refine((names) => new Set(names).size === names.length, { error: 'names something twice' });

/**
 * A spend policy: what an agent may spend. An absent (or null) limit is none, once any policy is
 * set; an agent without a policy may do nothing. Limits in msat.
 */
export const spendPolicySchema = z.strictObject({
  /** Largest single amount, without fees. */
  max_transaction_msat: msatSchema.nullish(),
  /** Rolling 24 h over held + settled, with fees. */
  daily_limit_msat: msatSchema.nullish(),
  /** Most that the fees of one payment may take; by default max(1 %, 5,000 msat). */
  max_fee_msat: msatSchema.nullish(),
  /** What is over a limit waits this long for a human; without it, it is refused at once. */
  approval_timeout_ms: millisSchema(APPROVAL_TIMEOUT_MS_MIN, APPROVAL_TIMEOUT_MS_MAX).nullish(),
  /** Below this much available the operator is told, at most once per cooldown. */
  alert_floor_msat: msatSchema.nullish(),
  alert_cooldown_ms: millisSchema(ALERT_COOLDOWN_MS_MIN, ALERT_COOLDOWN_MS_MAX).nullish(),
  /** Exact names; an empty list allows none. */
  allowed_models: namesSchema.nullish(),
  allowed_destinations: namesSchema.nullish(),
});
export type SpendPolicy = z.output<typeof spendPolicySchema>;
