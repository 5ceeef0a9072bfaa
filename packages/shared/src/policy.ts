import { z } from 'zod';
import { msatSchema } from './msat.ts';

/**
 * A spend policy: what an agent may spend. An absent (or null) limit is none, once any policy is
 * set; an agent without a policy may do nothing. Limits in msat.
 */
export const spendPolicySchema = z.strictObject({
  /** Largest single amount, without fees. */
  max_transaction_msat: msatSchema.nullish(),
  /** Rolling 24 h over held + settled. */
  daily_limit_msat: msatSchema.nullish(),
});
export type SpendPolicy = z.output<typeof spendPolicySchema>;
