/** Reservations as SQLite keeps them. */
import type { AgentScope, Msat, ReservationState } from '@arbstr/shared';
import type { StoredReservation, Usage } from '../reservation/reservation.ts';
import type { AgentToken } from './view.ts';

export interface TokenRow {
  id: string;
  agent_no: number;
  token_hash: string;
  scopes: string;
  expires_at: number | null;
  revoked_at: number | null;
}

export interface ReservationRow {
  id: string;
  agent_no: number | null;
  core_id: string | null;
  correlation_id: string | null;
  model: string | null;
  requested_model: string | null;
  by_correlation: number;
  amount: number;
  state: ReservationState;
  created_at: number;
  expires_at: number;
  balance_after_hold: number | null;
  ended_at: number | null;
  asked: number | null;
  charged: number | null;
  balance_after_end: number | null;
  usage: string | null;
  approval_ids: string | null;
}

export const tokenOf = (row: TokenRow): AgentToken => ({
  id: row.id,
  agentNo: row.agent_no,
  hash: row.token_hash,
  scopes: row.scopes.split(' ') as AgentScope[],
  expiresAt: row.expires_at,
  revokedAt: row.revoked_at,
});

/** The database's checks make sure that each state has its columns. */
export function reservationOf(row: ReservationRow): StoredReservation {
  const identity = {
    id: row.id,
    coreId: row.core_id,
    correlationId: row.correlation_id,
    model: row.model,
    requestedModel: row.requested_model,
    byCorrelation: row.by_correlation === 1,
    amount: row.amount as Msat,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
  const endedAt = row.ended_at as number;
  if (row.agent_no === null) return { ...identity, state: 'released', agentNo: null, endedAt };
  const owned = {
    ...identity,
    agentNo: row.agent_no,
    balanceAfterHold: row.balance_after_hold as Msat | null,
    approvalIds: row.approval_ids === null ? [] : row.approval_ids.split(' '),
  };
  switch (row.state) {
    case 'held':
      return { ...owned, state: 'held' };
    case 'released':
      return { ...owned, state: 'released', endedAt };
    case 'expired':
      return { ...owned, state: 'expired', endedAt };
    case 'settled':
    case 'settled_late':
      return {
        ...owned,
        state: row.state,
        endedAt,
        asked: row.asked as Msat,
        charged: row.charged as Msat,
        balanceAfterEnd: row.balance_after_end as Msat,
        usage: JSON.parse(row.usage ?? '{}') as Usage,
      };
  }
}
