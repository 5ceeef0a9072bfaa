import { z } from 'zod';
import type { VaultParts } from './parts.ts';

export const railStateAnswer = z.object({
  status: z.enum(['ok', 'degraded']),
  /** Why payments on it need a human. */
  reason: z.string().optional(),
});

/** Of the rail of the configured wallet. Throws where the database cannot be read. */
export function railState({
  wallet,
  watch,
  payments,
  payouts,
}: Pick<VaultParts, 'wallet' | 'watch' | 'payments' | 'payouts'>): z.output<
  typeof railStateAnswer
> {
  const frozen = payments.frozenRails().find(({ name }) => name === wallet.rail);
  if (frozen?.reason) return { status: 'degraded', reason: `frozen: ${frozen.reason}` };
  if (watch.unreachable !== null) {
    return { status: 'degraded', reason: `unreachable: ${watch.unreachable}` };
  }
  const [sent, paidOut] = [payments.stuckIds().length, payouts.stuckIds().length];
  if (sent + paidOut === 0) return { status: 'ok' };
  const reason = `${sent} payments and ${paidOut} payouts are stuck; /operator/dashboard names them`;
  return { status: 'degraded', reason };
}
