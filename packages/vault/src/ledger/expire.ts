import type { ExpiredReservation } from '../reservation/reservation.ts';
import type { Expire, Prolong } from './command.ts';
import { type Decision, type Effect, transfer } from './effect.ts';
import { returnGrants } from './grants.ts';
import type { Alive, Expired, Prolonged } from './outcome.ts';
import type { LedgerView } from './view.ts';

/** held → expired, for the holds that are due: the money goes back to the agent. */
export function expire(view: LedgerView, command: Expire, now: number): Decision<Expired> {
  const due = view.dueHolds(now, command.holdsMax);
  const effects: Effect[] = [];
  // Several holds of one agent may end here; the view shows its balance before the first.
  const balances = new Map<number, number>();
  for (const held of due) {
    const agent = view.agent(held.agentNo);
    const balance = (balances.get(agent.no) ?? agent.available.balance) + held.amount;
    balances.set(agent.no, balance);
    const expired: ExpiredReservation = { ...held, state: 'expired', endedAt: now };
    effects.push(
      { effect: 'end_reservation', from: 'held', reservation: expired },
      ...returnGrants(held),
      ...transfer('refund', agent.held.id, agent.available.id, held.amount, held.id),
      {
        effect: 'audit',
        chain: agent.no,
        action: 'RESERVATION_EXPIRED',
        facts: {
          reservation_id: held.id,
          correlation_id: held.correlationId,
          refunded: held.amount,
          balance,
        },
      },
    );
  }
  return { outcome: { expired: due.map((held) => held.id) }, effects };
}

/** Nobody could extend or settle while the vault was away: its own absence must end no hold. */
export function prolong(view: LedgerView, command: Prolong): Decision<Prolonged> {
  const effects: Effect[] = [];
  let prolonged = 0;
  for (const held of view.openHolds()) {
    const expiresAt = held.expiresAt + command.byMs;
    prolonged++;
    effects.push(
      { effect: 'move_expiry', reservation: { ...held, expiresAt } },
      {
        effect: 'audit',
        chain: held.agentNo,
        action: 'RESERVATION_PROLONGED',
        facts: {
          reservation_id: held.id,
          correlation_id: held.correlationId,
          expires_at: expiresAt,
          by_ms: command.byMs,
        },
      },
    );
  }
  // Also without holds: the ledger's time must reach the disk with this transaction.
  effects.push({ effect: 'beat' });
  return { outcome: { prolonged }, effects };
}

export function heartbeat(now: number): Decision<Alive> {
  return { outcome: { ledgerMs: now }, effects: [{ effect: 'beat' }] };
}
