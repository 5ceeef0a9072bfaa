import { createHash } from 'node:crypto';
import { idFromBytes } from '@arbstr/shared';

/**
 * The reservation id of the n-th try under a caller's key. Every core derives the same one, so that
 * the vault itself refuses a second bill, whichever core the caller asks.
 */
export function claimedReservationId(agentId: string, key: string, n: number): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([agentId, key, n]))
    .digest();
  return idFromBytes('reservation', digest);
}
